"""Writes `reference/cli.md` from the commands' dataclasses: types, defaults and docstrings.

Run by `make docs`, and by mkdocs itself before every build (see `hooks` in mkdocs.yml).
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import os
import sys
import textwrap
import types
import typing
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import tyro

from bbert.cli import COMMANDS, PROGRAM
from bbert.stage_config import StageConfig

PAGE = Path(__file__).resolve().parent / "reference" / "cli.md"
HEAD = """# Commands

*Made from the configuration dataclasses by `docs/generate_reference.py`.*

Every option of a stage is also a key of its `--config` file, with `_` for `-`; flags win over the
file. Exit codes: 0 done, 1 failed, 2 bad input or usage, 130 interrupted.
"""


def on_pre_build(config: Any) -> None:
    """mkdocs' hook."""
    write()


def write() -> bool:
    """Write the page where it is not up to date; returns whether it was written."""
    text = page()
    if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == text:
        return False
    PAGE.write_text(text, encoding="utf-8")
    return True


def page() -> str:
    """The whole page as Markdown."""
    os.environ.pop("BBERT_WORK", None)  # the default that a reader sees
    parts = [HEAD, _section("Common options", StageConfig)]
    for name, command in COMMANDS.items():
        config_class = getattr(
            import_module(f"{command.package}.{command.config_module}"), command.config
        )
        parts.append(_section(name, config_class))
    return "\n".join(parts)


def _section(name: str, config_class: type) -> str:
    helps = docstrings(config_class)
    hints = typing.get_type_hints(config_class, include_extras=True)
    positionals, rows = [], []
    is_stage = issubclass(config_class, StageConfig) and config_class is not StageConfig
    common = docstrings(StageConfig) if is_stage else {}
    for field in dataclasses.fields(config_class):
        hint, help_text = hints[field.name], helps.get(field.name, "")
        assert help_text, f"{config_class.__name__}.{field.name} has no docstring"
        if help_text == common.get(field.name):
            continue
        if _positional(hint):
            word = field.name.upper() + ("…" if "tuple" in str(hint) else "")
            positionals.append(word if _required(field) else f"[{word}]")
            rows.append((f"`{word}`", values(hint), default(field), help_text))
        else:
            rows.append((flag(field.name, hint), values(hint), default(field), help_text))
    lines = [f"## {name}", "", inspect.cleandoc(config_class.__doc__ or ""), ""]
    if config_class is not StageConfig:
        typed = " ".join([PROGRAM, name, *positionals, "[OPTIONS]"])
        lines += [f"```\n{typed}\n```", ""]
    if is_stage:
        lines += ["It also has the [common options](#common-options).", ""]
    if rows:
        lines += ["| option | value | default | meaning |", "|---|---|---|---|"]
    lines += ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def docstrings(config_class: type) -> dict[str, str]:
    """field → the string written below it, over the class and its bases."""
    found: dict[str, str] = {}
    for base in reversed(config_class.__mro__):
        if not dataclasses.is_dataclass(base):
            continue
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        assert isinstance(tree, ast.ClassDef)
        for statement, following in zip(tree.body, tree.body[1:], strict=False):
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                text = _string(following)
                if text is not None:
                    found[statement.target.id] = " ".join(text.split())
    return found


def _string(statement: ast.stmt) -> str | None:
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return statement.value.value if isinstance(statement.value.value, str) else None
    return None


def flag(name: str, hint: Any) -> str:
    """The flag as it is typed; switches that have two sides show both."""
    word = name.replace("_", "-")
    if _plain(hint) is bool and tyro.conf.FlagCreatePairsOff not in _markers(hint):
        return f"`--{word}`, `--no-{word}`"
    return f"`--{word}`"


def values(hint: Any) -> str:
    """What may follow the flag, in words."""
    for marker in _markers(hint):
        metavar = getattr(marker, "metavar", None)
        if metavar:
            return " ".join(f"`{word}`" for word in metavar.strip("{}").split(","))
    plain = _plain(hint)
    origin, arguments = get_origin(plain), get_args(plain)
    if origin is Literal:
        return " ".join(f"`{value}`" for value in arguments)
    if origin is tuple:
        inner = values(arguments[0])
        repeated = tyro.conf.UseAppendAction in _markers(hint)
        return f"{inner}, {'given once per value' if repeated else 'one or more'}"
    if origin in (typing.Union, types.UnionType):
        return " or ".join(values(argument) for argument in arguments if argument is not type(None))
    words = {bool: "", int: "whole number", float: "number", str: "text", Path: "path"}
    return words.get(plain, getattr(plain, "__name__", str(plain)))


def default(field: dataclasses.Field[Any]) -> str:
    """The default as it would be typed; empty where there is none."""
    if field.default_factory is not dataclasses.MISSING:
        value = field.default_factory()
    else:
        value = field.default
    if _required(field):
        return "required"
    if value is None or value == ():
        return ""
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"`{' '.join(map(str, value)) if isinstance(value, tuple) else value}`"


def _required(field: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return field.default is missing and field.default_factory is missing


def _markers(hint: Any) -> tuple[Any, ...]:
    return hint.__metadata__ if get_origin(hint) is Annotated else ()


def _positional(hint: Any) -> bool:
    return _markers(tyro.conf.Positional[int])[0] in _markers(hint)


def _plain(hint: Any) -> Any:
    """The type without annotations and without `None`."""
    if get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    arguments = [a for a in get_args(hint) if a is not type(None)]
    if get_origin(hint) in (typing.Union, types.UnionType) and len(arguments) == 1:
        return _plain(arguments[0])
    return hint


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    sys.stderr.write(f"{'wrote' if write() else 'up to date:'} {PAGE}\n")
