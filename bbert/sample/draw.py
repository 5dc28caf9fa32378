"""The uneven distributions of the sample world: Zipf's law, and who likes whose company."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from random import Random
from zlib import crc32

from bbert.sample import world


def affinity(first: str, second: str) -> float:
    """How much two concepts like each other's company: a fixed, arbitrary number for each pair."""
    return (0.1, 0.4, 1.0, 4.0)[crc32(f"{first}+{second}".encode()) % 4]


class Draw:
    """A fixed distribution over items; `draw(random)` takes one."""

    def __init__(self, items: Sequence, weights: Sequence[float]) -> None:
        self.items = items
        self.cumulative = list(accumulate(weights))
        self.total = self.cumulative[-1]

    def __call__(self, random: Random):
        return self.items[bisect(self.cumulative, random.random() * self.total)]


@cache
def zipf(items: tuple, partner: str = "") -> Draw:
    """Zipf's law over `items` in their order, bent by the affinity to `partner`."""
    weights = [1 / (rank + 1) for rank in range(len(items))]
    if partner:
        weights = [w * affinity(partner, str(item)) for w, item in zip(weights, items, strict=True)]
    return Draw(items, weights)


@cache
def slot(options: tuple[str, ...], partner: str) -> Draw:
    """What fills a slot: each option a class of nouns, of places or organisations, or itself."""
    items: list[str] = []
    weights: list[float] = []
    for rank, option in enumerate(options):
        members = {
            "city": world.CITIES,
            "country": world.COUNTRIES,
            "organisation": world.ORGANISATIONS,
        }.get(option) or world.CLASSES.get(option, (option,))
        inner = [affinity(partner, m) / (n + 1) for n, m in enumerate(members)]
        items += members
        weights += [w / sum(inner) / (rank + 1) for w in inner]
    return Draw(items, weights)
