"""A command `bbert greet`, for the tests of what the command line does for all commands."""

from __future__ import annotations

import errno
from dataclasses import dataclass, field

from bbert.errors import InputError
from bbert.stage_config import EXECUTION, Repeated, StageConfig

outcome: list[object] = []


@dataclass(frozen=True)
class GreetConfig(StageConfig):
    """A command for the tests."""

    dump: Repeated = ()
    """LANGUAGE=FILE."""
    languages: tuple[str, ...] = ()
    """Some languages."""
    depth: int | None = None
    """A number."""
    nsp: bool = True
    """A switch."""
    processes: int = field(default=1, metadata=EXECUTION)
    """How many at once."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.depth == 0:
            raise ValueError("--depth 0 has no layers; give 1 or more")
        if self.depth == 1 and self.nsp:
            raise ValueError("--depth 1 is too little for next-sentence prediction; add --no-nsp")
        if self.depth == 9 and not self.dump:
            raise ValueError("--depth 9 is too much for no text; give --dump LANGUAGE=FILE")


def run(config: GreetConfig) -> str:
    outcome.append(config)
    if config.languages[:1] == ("fail",):
        raise {
            "input": InputError("file.txt:3: bad; mend it"),
            "disk": OSError(errno.ENOSPC, "No space left on device", "x.bin"),
            "limit": OSError(errno.EFBIG, "File too large"),
            "name": OSError(errno.ENAMETOOLONG, "File name too long", "x"),
            "loop": OSError(errno.ELOOP, "Too many levels of symbolic links", "x"),
            "permission": PermissionError(errno.EACCES, "Permission denied", "/x"),
            "bug": KeyError("oops"),
            "interrupt": KeyboardInterrupt(),
        }[config.languages[1]]
    return "hello"
