"""A run directory as a record: its manifest and the measurements beside it.

Only JSON is read, never a model or a token store. A directory that cannot be used becomes a record
with a `problem`, so that a page over many runs can say why a row is empty.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeGuard

from bbert.errors import InputError
from bbert.json_files import read_json
from bbert.run_directory import STAGE_FOLDERS

CONTENT_FILES = {
    "corpus": "certificate.json",
    "pretrain": "metrics.jsonl",
    "finetune": "results.json",
    "probe": "results.json",
}
"""What a report reads beside the manifest, for every stage it knows."""

STATISTICS_FILE = "statistics.json"
"""What a corpus has beside its certificate; a corpus of an earlier version has none."""

STAGE_LABELS = {"corpus": "corpus", "pretrain": "model", "finetune": "transfer", "probe": "probe"}
"""What the page calls a run of a stage."""

_REQUIRED: dict[str, dict[str, type]] = {
    "corpus": {"languages": dict, "pairs": dict},
    "finetune": {
        "task": str, "metric": str, "train_language": str, "fusion": str, "seeds": list,
        "languages": dict,
    },
    "probe": {"probe": str, "variant": object, "languages": list, "n": object, "seed": object},
}  # fmt: skip
"""Stage → keys that its file must have, and of which kind their values are."""
_OF_LAYERS: dict[str, type] = {"model": object, "measurements": list}
_REQUIRED_OF_PROBE: dict[str, dict[str, type]] = {
    **dict.fromkeys(("cka", "retrieval", "translation", "cosine"), _OF_LAYERS),
    "gap": {"definition": str, "similarity": str, "correlations": list, "points": list},
    "overlap": {"definition": str, "rows": list},
    "typology": {"definition": str, "rows": list, "by_order": list, "correlation": dict},
    "portrait": {"definition": str, "rows": list, "reasons": dict},
}


_KINDS = {dict: "an object", list: "a list", str: "text", int: "a number", float: "a number",
          bool: "true or false", type(None): "null"}  # fmt: skip
"""What JSON calls a kind of value."""


@dataclass(frozen=True)
class RunRecord:
    """One run; `content` is its certificate, its results, or {"rows": […]} of its metrics.

    `statistics` are those of a corpus by language; empty where it has none.
    `ordinal` tells runs of one name apart that come from several work folders.
    """

    stage: str
    path: Path
    manifest: dict[str, Any] = field(default_factory=dict)
    content: dict[str, Any] = field(default_factory=dict)
    problem: str | None = None
    ordinal: int = 1
    statistics: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def resolved(self) -> Path:
        """The run's folder without links, by which runs are told apart."""
        return self.path.resolve()

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def anchor(self) -> str:
        """Identifier of the run's entry on the page, safe in a URL fragment."""
        safe = "".join(c if c.isalnum() or c in "-." else f"_{ord(c):x}" for c in self.name)
        further = f"_{self.ordinal}" if self.ordinal > 1 else ""
        return f"run-{STAGE_LABELS[self.stage]}-{safe}{further}"

    @property
    def config(self) -> dict[str, Any]:
        return self.manifest.get("config") or {}

    @property
    def files(self) -> list[Path]:
        """The files that the record was read from."""
        if self.problem is not None:
            return []
        further = [self.path / STATISTICS_FILE] if self.statistics else []
        return [self.path / "manifest.json", self.path / CONTENT_FILES[self.stage], *further]


def is_number(value: Any) -> TypeGuard[float]:
    """True for a finite number: what JSON calls NaN, null or true is none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def read_run(path: Path) -> RunRecord:
    """Read a complete run directory.

    Raises:
        InputError: no run, not a stage that a report reads, or a file that is missing, damaged or
            of another schema; the message names the file and the mend.
    """
    manifest = read_json(path / "manifest.json")
    stage = manifest.get("stage")
    if stage not in CONTENT_FILES:
        known = ", ".join(STAGE_LABELS.values())
        raise InputError(f"{path} is a {stage} run; a report reads {known} runs")
    file = path / CONTENT_FILES[stage]
    content: dict[str, Any]
    content = {"rows": _read_rows(file)} if file.suffix == ".jsonl" else read_json(file)
    if not isinstance(manifest.get("config") or {}, dict):
        raise InputError(f"{path / 'manifest.json'}: 'config' holds no options; remove that run")
    required = _REQUIRED.get(stage, {})
    if stage == "probe":
        required = required | _REQUIRED_OF_PROBE.get(str(content.get("probe")), {})
    for key, kind in required.items():
        if key not in content:
            raise InputError(f"{file}: no {key!r}; made by another version, run its stage again")
        if not isinstance(content[key], kind):
            raise InputError(f"{file}: {key!r} is {_KINDS[type(content[key])]}, not "
                             f"{_KINDS[kind]}; run its stage again")  # fmt: skip
    for key in ("languages", "pairs") if stage == "corpus" else ():
        if strange := [name for name, facts in content[key].items() if not isinstance(facts, dict)]:
            raise InputError(f"{file}: {key!r} says nothing of {strange[0]}; build it again")
    if stage == "finetune":
        _check_scores(content, file)
    statistics: dict[str, Any] = {}
    if stage == "corpus" and (path / STATISTICS_FILE).is_file():
        statistics = read_json(path / STATISTICS_FILE).get("languages") or {}
    return RunRecord(stage, path, manifest, content, statistics=statistics)


def read_run_or_problem(path: Path, stage: str) -> RunRecord:
    """Like `read_run`, with what is wrong as the record's `problem`."""
    try:
        record = read_run(path)
    except (InputError, OSError) as error:
        return RunRecord(stage, path, problem=str(error).splitlines()[0])
    if record.stage != stage:
        wrong = f"a {record.stage} run in the folder of {STAGE_FOLDERS[stage]}"
        return RunRecord(stage, path, problem=wrong)
    return record


def _read_rows(file: Path) -> list[dict[str, Any]]:
    rows = []
    try:
        with file.open(encoding="utf-8") as stream:
            for number, line in enumerate(stream, start=1):
                if not line.strip():
                    continue
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise InputError(f"{file}:{number}: expected a JSON object")
                rows.append(row)
    except FileNotFoundError:
        raise InputError(f"{file}: no such file; run its stage again") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: line {len(rows) + 1} is damaged ({error})") from None
    return rows


def _check_scores(results: dict[str, Any], file: Path) -> None:
    languages = results["languages"]
    if not languages:
        raise InputError(f"{file}: 'languages' holds no score; run its stage again")
    for language, score in languages.items():
        known = score if isinstance(score, dict) else {}
        missing = [key for key in ("n", "values", "mean", "std", "chance") if key not in known]
        if missing:
            raise InputError(f"{file}: language {language!r} has no {missing[0]!r}; run its stage "
                             "again")  # fmt: skip
        if not isinstance(score["values"], list):
            raise InputError(f"{file}: the 'values' of {language!r} are no list; run its stage "
                             "again")  # fmt: skip
