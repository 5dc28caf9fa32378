"""One frozen dataclass per command: the flags, the YAML schema and the saved `config.yaml`.

Every stage's `config.py` subclasses `StageConfig`. A field's docstring is its help text. Fields
that cannot change the result (how many processes, where to write) carry `metadata=EXECUTION` and
are left out of the hash, so that a run may be resumed or found up to date whatever their value.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

import tyro

from bbert.errors import InputError
from bbert.final_name import PARTIAL

EXECUTION: Mapping[str, Any] = {"identity": False}
"""Metadata of a field that says how or where a run happens, not what it computes."""

HOUSEKEEPING = frozenset({"config", "force", "renew", "dry_run", "quiet", "debug", "work"})
"""Options of one start of a command, which a saved or printed configuration leaves out."""

Repeated = Annotated[tuple[str, ...], tyro.conf.UseAppendAction]
"""A flag that is given once per value: `--dump en=FILE --dump it=FILE`."""

MAX_NAME_BYTES = 180
"""Longest name of a run. A file system allows 255 bytes, and what is added for an unfinished or
replaced run and for its lock has to fit in too."""

MAX_SEED = 2**63 - 1
"""Of what torch takes as a seed, with room for the seeds after it."""

Switch = Annotated[bool, tyro.conf.FlagCreatePairsOff]
"""A flag that can only be switched on."""


def default_work() -> Path:
    """Folder of all runs: `$BBERT_WORK`, else `./work`."""
    return Path(os.environ.get("BBERT_WORK") or "work")


@dataclass(frozen=True)
class StageConfig:
    """Options of every command that makes a run; all other commands have --quiet and --debug."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    work: Path = field(default_factory=default_work, metadata=EXECUTION)
    """Folder that holds all runs; also $BBERT_WORK."""
    name: str | None = field(default=None, metadata=EXECUTION)
    """Name of the run; without it, the knobs that differ from their defaults."""
    config: Path | None = field(default=None, metadata=EXECUTION)
    """YAML file with any of these options; flags win over it."""
    seed: int = 0
    """Seed of every random choice."""
    force: Switch = field(default=False, metadata=EXECUTION)
    """Replace a run of the same name."""
    renew: Switch = field(default=False, metadata=EXECUTION)
    """Replace a run of the same name that was made from other files with the same options; one with
    other options is refused."""
    dry_run: Switch = field(default=False, metadata=EXECUTION)
    """Print the resolved configuration and the estimated cost; run nothing."""
    quiet: Switch = field(default=False, metadata=EXECUTION)
    """Only errors and the final result."""
    debug: Switch = field(default=False, metadata=EXECUTION)
    """Show the traceback of an error."""

    def __post_init__(self) -> None:
        cannot_name = self.name is not None and (
            not self.name or "/" in self.name or self.name[0] in ".-" or not self.name.isprintable()
        )
        if cannot_name:
            raise InputError(
                f"--name {self.name!r} cannot name a folder; use letters, digits, '.', '-' and '_'"
            )
        if self.name is not None and self.name.endswith(PARTIAL):
            raise InputError(
                f"--name {self.name!r} ends as the folder of an unfinished run does; use another "
                f"end than {PARTIAL!r}"
            )
        if self.name is not None and (size := len(self.name.encode())) > MAX_NAME_BYTES:
            raise InputError(
                f"--name {self.name[:20]}… has {size} bytes; use at most {MAX_NAME_BYTES}"
            )
        if self.seed < 0:
            raise InputError(f"--seed {self.seed} is negative; give a whole number from 0 on")
        if self.seed > MAX_SEED:
            raise InputError(f"--seed {self.seed} is too large; give {MAX_SEED} or less")


ConfigT = TypeVar("ConfigT", bound=StageConfig)


def given_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that say something: neither null nor empty.

    One that the version of a run did not have is as one that was not given.
    """
    return {
        key: value
        for key, value in options.items()
        if value is not None and not (isinstance(value, (str, list, tuple, dict)) and not value)
    }


@dataclass(frozen=True)
class DryRun:
    """What a command would do: its resolved configuration and what it is expected to cost.

    `estimates` maps a quantity with its unit ("time", "memory", "disk", ...) to a printable value.
    """

    config: StageConfig
    run_path: Path
    estimates: Mapping[str, str]


def plain(value: Any) -> Any:
    """`value` as JSON and YAML know it: paths as strings, tuples as lists, dataclasses as maps."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def identity(config: StageConfig) -> dict[str, Any]:
    """The options that decide the result, as plain values."""
    return {
        f.name: plain(getattr(config, f.name))
        for f in fields(config)
        if f.metadata.get("identity", True)
    }


def config_hash(identity_options: Mapping[str, Any]) -> str:
    """SHA-256 (hexadecimal) of the options that decide the result."""
    canonical = json.dumps(identity_options, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def knobs_that_differ(config: StageConfig, leave_out: frozenset[str] = frozenset()) -> list[str]:
    """The identity options that differ from their defaults, as words for a run's name.

    `depth=12` gives "depth12", a switched-off `nsp` "no-nsp", a switched-on `lang_id` "lang-id".
    """
    defaults = identity(type(config)())
    words = []
    for key, value in identity(config).items():
        if key in leave_out or value == defaults[key] or value is None:
            continue
        label = key.replace("_", "-")
        if isinstance(value, bool):
            words.append(label if value else f"no-{label}")
        else:
            items = value if isinstance(value, list) else [value]
            text = "+".join(str(item) for item in items)
            text = Path(text).name if os.sep in text else text
            safe = "".join(c if c.isalnum() or c in "._+-=" else "_" for c in text)
            words.append(label + ("" if safe[:1].isdigit() else "-") + safe[:60])
    return words


def joined_name(words: Sequence[str]) -> str:
    """The words as the name of a folder; what is too long ends in a hash of all of it."""
    name = "-".join(words)
    if len(name.encode()) <= MAX_NAME_BYTES:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    start = name.encode()[: MAX_NAME_BYTES - len(digest) - 1].decode(errors="ignore")
    return f"{start}-{digest}"


def save_yaml(config: StageConfig, path: Path) -> None:
    """Write every option to `path`, so that `--config path` repeats the run."""
    path.write_text(as_yaml(config), encoding="utf-8")


def as_yaml(config: StageConfig) -> str:
    """Every option but `HOUSEKEEPING`, as lines of a configuration file."""
    import yaml

    options = {k: v for k, v in plain(config).items() if k not in HOUSEKEEPING}
    return yaml.safe_dump(options, sort_keys=False, allow_unicode=True)


def load_yaml(config_class: type[ConfigT], path: Path) -> ConfigT:
    """The configuration in a file.

    Raises:
        InputError: see `read_options`; options that do not go together.
    """
    from bbert.options_file import read_options

    options = read_options(config_class, path)
    try:
        return config_class(**options)
    except ValueError as error:  # raised by __post_init__, which names the option itself
        raise InputError(f"{path}: {error}") from None


def unchecked(config_class: type[ConfigT], options: Mapping[str, Any]) -> ConfigT:
    """A configuration whose options may not go together: what flags have yet to complete."""
    config = object.__new__(config_class)
    for known in fields(config_class):
        if known.name in options:
            value = options[known.name]
        elif known.default_factory is not dataclasses.MISSING:
            value = known.default_factory()
        else:
            value = known.default
        object.__setattr__(config, known.name, value)
    return config
