"""What a planned probe reads besides models and runs: parallel text, or the features of WALS."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bbert.reproduce.recipe import PROBES_OF_A_MODEL
from bbert.reproduce.scale import Scale


def files_of_probe(
    scale: Scale, probe: str, languages: Sequence[str], data: Path | None
) -> dict[str, Any]:
    """The options of `bbert probe` that name its files; none where the scale has no files.

    Args:
        languages: of the parallel text.
        data: folder of the scale's files.
    """
    if data is None:
        return {}
    for needed in scale.data:
        if needed.as_parallel and probe in PROBES_OF_A_MODEL:
            paths = {name: needed.pattern_in(data, name) for name in languages}
            return {"parallel": [f"{name}={_found(data, path)}" for name, path in paths.items()]}
        if needed.as_wals and probe == "typology":
            return {"wals": str(data / needed.pattern_in(data, ""))}
    return {}


def _found(data: Path, pattern: str) -> Path:
    """The file of that pattern; the pattern itself where there is none yet."""
    return next(iter(sorted(data.glob(pattern))), data / pattern)
