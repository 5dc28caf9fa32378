"""JSON files of runs: read as an object, written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bbert.errors import InputError


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object; raises InputError naming the file where it is missing or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: damaged JSON ({error}); remove that run") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a JSON object; remove that run")
    return content


def write_json_atomically(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON so that a reader sees the old file or the new one, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8") as stream:
            json.dump(content, stream, ensure_ascii=False, indent=2)
            stream.write("\n")
            stream.flush()
            os.fsync(stream.fileno())
    except OSError:  # no room: nothing is left of the attempt
        temporary.unlink(missing_ok=True)
        raise
    temporary.replace(path)
