"""Sets of layers as people write them: "1-2", "1-2,5", "all"; layers count from 1.

A sweep is several sets: "none/1-2/3-4", or by a name that cuts the depth into consecutive groups:
`layers`, `pairs`, `triples`, `thirds` (tables 1 and 5 of Muller et al. 2021).
"""

from __future__ import annotations

import re

ALL = "all"
NONE = "none"
EMBEDDINGS = "embeddings"
_MOST_LAYERS = 1000  # no encoder has more; a slip of the pen is not to fill the memory
THIRDS = "thirds"
_SIZES = {"layers": 1, "pairs": 2, "triples": 3}
GROUPS = frozenset({*_SIZES, THIRDS})


def parse_layers(text: str) -> list[int]:
    """The layers of a set in rising order.

    Raises:
        ValueError: it is not written as layers, says what is right.
    """
    layers: set[int] = set()
    for part in text.replace("+", ",").split(","):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= first <= last <= _MOST_LAYERS:
            raise ValueError(f"{text!r} is no set of layers; write e.g. 1-2 or 1-2,5 (from 1 on)")
        layers.update(range(first, last + 1))
    return sorted(layers)


def split_embeddings(text: str) -> tuple[bool, list[int]]:
    """Whether "embeddings" is among the parts, and the layers.

    Raises:
        ValueError: as `parse_layers`.
    """
    parts = text.split(",")
    layers = [part for part in parts if part.strip() != EMBEDDINGS]
    return len(layers) < len(parts), parse_layers(",".join(layers)) if layers else []


def check_sweep(text: str) -> None:
    """Raises ValueError where `text` is neither a set of layers nor several of them."""
    parts = text.split("/")
    for part in parts:
        if part == NONE and len(parts) == 1:
            raise ValueError(f"{NONE!r} is the row without it in a sweep, e.g. {NONE}/pairs")
        if part not in (ALL, NONE, *GROUPS):
            parse_layers(part)


def layer_groups(text: str, depth: int) -> list[str | None]:
    """The sets of a sweep as text: one for each part between slashes, names of groups resolved.

    A last group that the depth leaves incomplete is shorter; thirds differ by one layer at most,
    the lower ones being the larger; "none" becomes None. A set that is there twice, also as 1 and
    01, is there once.
    """
    sets: list[str | None] = []
    for part in text.split("/"):
        if part not in GROUPS:
            sets.append(None if part == NONE else part)
            continue
        if part == THIRDS:
            third, rest = divmod(depth, 3)
            sizes = [third + (place < rest) for place in range(min(3, depth))]
            starts = [1 + sum(sizes[:place]) for place in range(len(sizes))]
        else:
            starts = list(range(1, depth + 1, _SIZES[part]))
        ends = [start - 1 for start in starts[1:]] + [depth]
        sets += [str(a) if a == b else f"{a}-{b}" for a, b in zip(starts, ends, strict=True)]
    different: dict[object, str | None] = {}
    for part in sets:
        named = part is None or part == ALL
        different.setdefault(part if named else tuple(parse_layers(str(part))), part)
    return list(different.values())
