"""A command's configuration from its flags and its `--config` file, through tyro.

What tyro leaves to us: files of options, lists given twice, and errors in a line or two.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from itertools import takewhile
from pathlib import Path
from typing import Any

from bbert.errors import InputError

_NO_NUMBER = re.compile(
    r"Error parsing (?P<flag>--[\w-]+): (?:no type matching (?:\{None\}\|)?(?:INT|FLOAT) could be "
    r"instantiated from \[|invalid literal for int\(\) with base 10: |could not convert string to "
    r"float: )'(?P<value>[^']*)'\]?\.?"
)
"""What tyro and Python say of a word where a number belongs."""


def parse_options(config_class: Any, program: str, arguments: Sequence[str]) -> Any:
    """An instance of the dataclass `config_class` from the arguments of `program`.

    Raises:
        InputError: an unknown flag, a wrong value, an option that the configuration refuses.
        SystemExit: after `--help`.
    """
    import tyro

    _refuse_what_is_given_twice(config_class, arguments)
    default, options = None, {}
    path = _value_of("--config", arguments)
    if path is not None and "config" in option_names(config_class):
        from bbert.options_file import read_options
        from bbert.stage_config import unchecked

        options = read_options(config_class, Path(path))
        default = unchecked(config_class, _without_repeated(config_class, options, arguments))
    wants_help = "-h" in arguments or "--help" in arguments
    errors = io.StringIO()
    try:
        with contextlib.nullcontext() if wants_help else contextlib.redirect_stderr(errors):
            config = tyro.cli(config_class, prog=program, args=list(arguments), default=default)
        return _work_at_home(config)
    except SystemExit as stop:
        if stop.code in (0, None):
            raise
        said, hint = _condense(errors.getvalue()), f"\nsee `{program} --help`"
    except ValueError as error:  # raised by the configuration's __post_init__
        said, hint = str(error), ""
    if options and _refused_alike(config_class, options, said):
        raise InputError(f"{path}: {said}")
    raise InputError(f"{said}{hint}")


def _work_at_home(config: Any) -> Any:
    """`config` with the "~" of `work` resolved, which a shell does not do in `--work=~/runs`."""
    if isinstance(work := getattr(config, "work", None), Path):
        object.__setattr__(config, "work", Path(os.path.expanduser(work)))
    return config


def option_names(config_class: type) -> set[str]:
    """Names of the fields, `_` for `-`."""
    return {field.name for field in fields(config_class)}


def _value_of(flag: str, arguments: Sequence[str]) -> str | None:
    for position, argument in enumerate(arguments):
        if argument == flag and position + 1 < len(arguments):
            return arguments[position + 1]
        if argument.startswith(flag + "="):
            return argument.split("=", 1)[1]
    return None


def _refuse_what_is_given_twice(config_class: type, arguments: Sequence[str]) -> None:
    """`--table 3 --table 10` would be table 10 alone, and nobody would be told.

    Of any other option the last one counts, as on every command line: a script may add to a line.
    """
    given = [a.split("=", 1)[0].replace("_", "-") for a in arguments if a[:2] == "--"]
    if given.count("--config") > 1:
        raise InputError("--config is given twice: put all options into one file")
    for field in fields(config_class):
        flag = "--" + field.name.replace("_", "-")
        if str(field.type).startswith("tuple[") and given.count(flag) > 1:
            raise InputError(f"{flag} is given twice: put all its values after one {flag}")


def _without_repeated(
    config_class: type, options: Mapping[str, Any], arguments: Sequence[str]
) -> dict[str, Any]:
    """Flags win over the file: a repeatable flag on the command line replaces the file's list."""
    given = {a.split("=", 1)[0].lstrip("-").replace("-", "_") for a in arguments if a[:2] == "--"}
    repeated = {f.name for f in fields(config_class) if "Repeated" in str(f.type)}
    return {key: value for key, value in options.items() if key not in given & repeated}


def _refused_alike(config_class: type, options: Mapping[str, Any], said: str) -> bool:
    """Whether the options of the file are refused for themselves, in the same words."""
    try:
        config_class(**options)
    except ValueError as error:
        return "".join(str(error).split()) == "".join(said.split())
    return False


def _with_mend(found: re.Match[str]) -> str:
    whole = "INT" in found[0] or "int()" in found[0]
    mend = "a whole number in digits" if whole else "a number, such as 0.5 or 1e-4"
    return f"{found['flag']} {found['value']}: give {mend}"


def _condense(text: str) -> str:
    """One line of tyro's boxed error message."""
    lines = [line.strip().strip("│").strip() for line in text.splitlines()]
    # Where output is not UTF-8 the box is drawn in ASCII, its title in a line above the first rule.
    is_rule = [bool(re.fullmatch(r"[╭╰─╮╯\w\s]*─+[╭╰╮╯]?|-{3,}", line)) for line in lines]
    start = is_rule.index(True) + 1 if True in is_rule else 0
    inner = zip(lines[start:], is_rule[start:], strict=True)
    said = [line for line, _ in takewhile(lambda pair: pair[0] and not pair[1], inner)]
    sentence = " ".join(said) or "unusable arguments"
    sentence = re.sub(r"^Error parsing \w+Config: ", "", sentence)  # __post_init__ said it all
    sentence = _NO_NUMBER.sub(_with_mend, sentence)
    close = re.search(r"Perhaps you meant:\W+(--[\w-]+)", text)
    return sentence + (f"; perhaps you meant {close.group(1)}" if close else "")
