"""The people of the sample world and the facts about them, the same in every language."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from bbert.sample import world
from bbert.sample.draw import affinity


class Person(NamedTuple):
    """Somebody of the world; the names decide all other facts."""

    first: str
    surname: str
    female: bool

    def fact(self, name: str, items: tuple[str, ...]) -> str:
        """The one of `items` that is true of this person: home, job, friend, ..."""
        return _fact(f"{self.first} {self.surname} {name}", items)


@cache
def _fact(about: str, items: tuple[str, ...]) -> str:
    return max(items, key=lambda item: affinity(about, item) / (1 + items.index(item)))


PEOPLE: tuple[Person, ...] = tuple(
    Person(first, surname, first in world.WOMEN)
    for rank in range(len(world.MEN) + len(world.SURNAMES) - 1)
    for number, surname in enumerate(world.SURNAMES)
    if 0 <= rank - number < len(world.MEN)
    for first in (world.WOMEN[rank - number], world.MEN[rank - number])
)  # from frequent to rare names
