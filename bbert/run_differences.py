"""What makes two runs of one name different, and which of them gives way.

A run is described by its configuration (the options that change a result) and the SHA-256 of its
input files: a mapping with `config` and `inputs`, as `manifest.json` has it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bbert.errors import InputError
from bbert.stage_config import StageConfig, given_options

OTHER_OPTIONS = "exists with another configuration"
"""What the refusal of a run says that was made with other options, or from other inputs."""


def differences(
    previous: Mapping[str, Any], wanted: Mapping[str, Any]
) -> list[tuple[str, Any, Any]]:
    """(option or input, before, after) of all that differs; empty where the result is the same.

    Args:
        previous: `config` and `inputs` of the run that was made or begun.
        wanted: the same of the command at hand, and `paths_count`: whether the same content in
            another place is another input.
    """
    before, after = given_options(previous["config"]), given_options(wanted["config"])
    different = [
        (f"--{key.replace('_', '-')}", before.get(key), after.get(key))
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]
    old: dict[str, str] = {entry["path"]: entry["sha256"] for entry in previous["inputs"]}
    new: dict[str, str] = {entry["path"]: entry["sha256"] for entry in wanted["inputs"]}
    # A folder that was moved has other paths and the same files. Under the same paths every file
    # has to be what it was: two that have changed places are another input.
    by_path = wanted["paths_count"] or old.keys() == new.keys()
    same = old == new if by_path else _contents(old) == _contents(new)
    if not same:
        changed: Sequence[str] = [path for path in new if old.get(path) != new[path]]
        different.append(("input " + (changed[0] if changed else "files"), "other", "content"))
    return different


def replaces(config: StageConfig, previous: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether a run that was made or begun as `previous` says gives way to one that is `wanted`."""
    if config.force or not config.renew:
        return config.force
    different = [what for what, _, _ in differences(previous, wanted)]
    return bool(different) and not any(what.startswith("--") for what in different)


def refuse_if_different(previous: Mapping[str, Any], wanted: Mapping[str, Any], path: Path) -> None:
    """Raises InputError with the options or inputs that differ, and the mend."""
    different = differences(previous, wanted)
    if different:
        shown = ", ".join(f"{key} {before!r} → {after!r}" for key, before, after in different[:4])
        more = f" and {len(different) - 4} more" if len(different) > 4 else ""
        raise InputError(
            f"{path} {OTHER_OPTIONS}: {shown}{more}\n"
            "use --force to replace it or --name for a new run"
        )


def _contents(hashes: Mapping[str, str]) -> list[str]:
    return sorted(hashes.values())
