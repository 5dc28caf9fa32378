"""What else tells transfer runs apart than what a table has columns for, in words."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bbert.report.records import RunRecord

_SHOWN_ELSEWHERE = frozenset(
    {"model", "task", "train_lang", "eval_langs", "fusion", "fusion_layer", "fusion_gate",
     "fusion_pool", "random_init", "init", "head", "seed", "seeds"}
)  # fmt: skip
_DATA = "data"


def settings_that_differ(group: Sequence[RunRecord]) -> dict[str, str]:
    """run's anchor → the remaining options that are not the same in all runs of the group; empty
    where all are."""
    keys = sorted({key for run in group for key in run.config} - _SHOWN_ELSEWHERE)
    different = [key for key in keys if len({repr(_value(run, key)) for run in group}) > 1]
    if not different:
        return {}
    folders = last_folders({str(found) for run in group if (found := _value(run, _DATA))})
    return {run.anchor: ", ".join(_shown(run, different, folders)) for run in group}


def last_folders(paths: Collection[str]) -> dict[str, str]:
    """Every path → as much of its end as tells it apart from the others."""
    parts = {path: Path(path).parts for path in paths}
    for length in range(1, max(map(len, parts.values()), default=0)):
        ends = {path: os.path.join(*of_path[-length:]) for path, of_path in parts.items()}
        if len(set(ends.values())) == len(ends):
            return ends
    return {path: path for path in paths}


def _value(run: RunRecord, key: str) -> Any:
    """None also for a list without a value: runs of earlier versions lack newer options."""
    value = run.config.get(key)
    return None if value == [] else value


def _shown(run: RunRecord, keys: Sequence[str], folders: Mapping[str, str]) -> Iterator[str]:
    for key in keys:
        value = _value(run, key)
        if value is not None:
            text = "+".join(map(str, value)) if isinstance(value, list) else str(value)
            text = folders[text] if key == _DATA else text
            yield f"{key.replace('_', '-')} {text}"
