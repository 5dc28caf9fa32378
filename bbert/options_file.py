"""The options in a YAML file (`--config`), each checked by itself and named with file and line.

YAML takes in silence what can only be a mistake here; all of it is refused: an option said twice,
of which the last would count, a truth value where a number belongs, and whole numbers that it reads
in base 8 (010) or 60 (1:30). A word such as `no` is a
truth value to YAML, also where it is the code of Norwegian: the message says to quote it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

from bbert.errors import InputError

if TYPE_CHECKING:
    from bbert.stage_config import StageConfig

_OTHER_BASE = re.compile(r"[-+]?(0[0-7_]+$|[0-9][0-9_]*:)")
"""Of what YAML 1.1 takes for a whole number; 0x10 and 0b10 look like what they are."""


def read_options(config_class: type[StageConfig], path: Path) -> dict[str, Any]:
    """The options in a configuration file, each of its type; whether they go together is not asked.

    Raises:
        InputError: no such file, no mapping, an unknown key, one that is there twice or a value of
            the wrong type; the message names file and line.
    """
    from pydantic import TypeAdapter, ValidationError

    options, lines = _read_mapping(path)
    types = get_type_hints(config_class, include_extras=True)
    known = [known.name for known in fields(config_class)]
    for key, value in options.items():
        where = f"{path}:{lines[key]}" if key in lines else f"{path}"  # no line: merged by `<<`
        if key not in known:
            close = difflib.get_close_matches(key, sorted(known), n=1)
            mend = f"did you mean {close[0]!r}?" if close else "see --help for the options"
            raise InputError(f"{where}: unknown option {key!r}; {mend}")
        if key == "config":
            raise InputError(f"{where}: config: a file cannot name another; put all into one file")
        try:
            options[key] = TypeAdapter(types[key]).validate_python(value)
        except ValidationError as error:
            first = error.errors()[0]
            found = first["input"]
            quote = "; YAML takes no, off, yes and on for that: quote the word"
            raise InputError(
                f"{where}: {key}: {first['msg']} "
                f"(found {found!r}{quote if isinstance(found, bool) else ''})"
            ) from None
        if _truth_for_another(value, options[key]):
            raise InputError(f"{where}: {key}: a truth value is no number (found {value!r})")
    return options


def _truth_for_another(found: Any, taken: Any) -> bool:
    """Whether pydantic has made a number of a truth value: `depth: true` would be 1 layer."""
    if isinstance(found, list) and isinstance(taken, (list, tuple)):
        return any(_truth_for_another(*pair) for pair in zip(found, taken, strict=False))
    return isinstance(found, bool) and not isinstance(taken, bool)


def _read_mapping(path: Path) -> tuple[dict[str, Any], Mapping[str, int]]:
    """The keys of a YAML file, "_" for "-", with their values and their lines."""
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"--config {path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--config {path}: cannot be read as UTF-8 text ({error})") from None
    try:
        options = yaml.safe_load(text)
        node = yaml.compose(text)
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f":{where.line + 1}" if where else ""
        raise InputError(f"{path}{line}: not YAML: {getattr(error, 'problem', error)}") from None
    except ValueError as error:  # what looks like a date or a number and is none
        raise InputError(f"{path}: not YAML: {error}; quote what is a word") from None
    if options is None:
        return {}, {}
    if not isinstance(options, dict) or not all(isinstance(key, str) for key in options):
        raise InputError(f"{path}:1: expected lines of the form `option: value`")
    _refuse_other_bases(node, path)
    lines: dict[str, int] = {}
    for key, _ in node.value:
        name, line = key.value.replace("-", "_"), key.start_mark.line + 1
        if name in lines:
            raise InputError(f"{path}:{line}: {name!r} is there twice, in line {lines[name]} too")
        lines[name] = line
    return {key.replace("-", "_"): value for key, value in options.items()}, lines


def _refuse_other_bases(node: Any, path: Path) -> None:
    """Whole numbers that stand for others than they look like."""
    left: list[Any] = [node]
    seen: set[int] = set()
    while left:
        part = left.pop()
        if isinstance(part, (list, tuple)):
            left += part
        elif part.id != "scalar":
            if id(part) not in seen:  # an alias may name its parent
                seen.add(id(part))
                left.append(part.value)
        elif part.tag == "tag:yaml.org,2002:int" and _OTHER_BASE.match(part.value):
            raise InputError(
                f"{path}:{part.start_mark.line + 1}: YAML would read {part.value} to the base "
                f"{60 if ':' in part.value else 8}; write the number as it is meant, quote a word"
            )
