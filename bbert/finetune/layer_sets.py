"""Sets of layers as people write them: "1-2", "1-2,5", "all"; layers count from 1."""

from __future__ import annotations

import re

ALL = "all"


def parse_layers(text: str) -> list[int]:
    """The layers of a set in rising order.

    Raises:
        ValueError: it is not written as layers, says what is right.
    """
    layers: set[int] = set()
    for part in text.replace("+", ",").split(","):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= first <= last:
            raise ValueError(f"{text!r} is no set of layers; write e.g. 1-2 or 1-2,5 (from 1 on)")
        layers.update(range(first, last + 1))
    return sorted(layers)
