"""The one table: command → (configuration, run function), imported only when called.

Adding a command is one line in `COMMANDS`. A run function takes its configuration and returns a
`RunDirectory` (shown through the stage's `summary.py`), a `DryRun`, or anything rich can print.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NamedTuple

from bbert.command_options import option_names, parse_options
from bbert.errors import InputError, RunFailed


class Command(NamedTuple):
    """Where a command's parts are: `package.config:Config`, `package.run:run`."""

    package: str
    config: str
    gloss: str
    config_module: str = "config"
    run_module: str = "run"


COMMANDS: dict[str, Command] = {
    "corpus build": Command(
        "bbert.corpus", "CorpusConfig", "text or dumps → interventions → vocabulary → token store"
    ),
    "corpus inspect": Command(
        "bbert.corpus",
        "InspectConfig",
        "counts, lengths, overlap, certificate",
        run_module="inspect",
    ),
    "corpus download": Command(
        "bbert.corpus",
        "DownloadConfig",
        "Wikipedia dumps from the Wikimedia servers, resumed and verified",
        config_module="download_config",
        run_module="download",
    ),
    "pretrain": Command("bbert.pretrain", "PretrainConfig", "pretrain a B-BERT with DeepSpeed"),
    "finetune": Command(
        "bbert.finetune", "FinetuneConfig", "fine-tune on the source, test on every language"
    ),
    "probe cka": Command(
        "bbert.probe", "CkaConfig", "similarity of languages by layer (CKA), with its floor"
    ),
    "probe retrieval": Command(
        "bbert.probe", "RetrievalConfig", "sentence translation by nearest neighbour, by layer"
    ),
    "probe translation": Command(
        "bbert.probe", "TranslationConfig", "word translation, in the table and in context"
    ),
    "probe cosine": Command(
        "bbert.probe", "CosineConfig", "cosine of parallel sentences, by layer"
    ),
    "probe overlap": Command(
        "bbert.probe",
        "OverlapConfig",
        "shared word-pieces of entities against F1, or of any texts",
        config_module="runs_config",
    ),
    "probe typology": Command(
        "bbert.probe",
        "TypologyConfig",
        "transfer against shared word-order features of WALS",
        config_module="runs_config",
    ),
    "probe gap": Command(
        "bbert.probe",
        "GapConfig",
        "rank correlation of similarity and cross-lingual gap",
        config_module="runs_config",
    ),
    "probe portrait": Command(
        "bbert.probe",
        "PortraitConfig",
        "a model's layers in one figure, from its finished runs",
        config_module="runs_config",
    ),
    "probe code-switch": Command(
        "bbert.probe", "CodeSwitchConfig", "write a test set that mixes two languages word by word"
    ),
    "report": Command("bbert.report", "ReportConfig", "one HTML page and Markdown from the runs"),
    "reproduce": Command(
        "bbert.reproduce", "ReproduceConfig", "published tables: all their runs, and a verdict"
    ),
    "params": Command(
        "bbert.pretrain",
        "ParamsConfig",
        "count parameters; solve the hidden size for a budget",
        config_module="params",
        run_module="params",
    ),
    "sample": Command("bbert.sample", "SampleConfig", "write the embedded sample: dumps and tasks"),
    "demo": Command("bbert.demo", "DemoConfig", "the whole job on the sample, in minutes"),
    "doctor": Command(
        "bbert.doctor", "DoctorConfig", "what this machine has, what is missing and the mend"
    ),
}

PROGRAM = "bbert"

_WRONG_PATH = frozenset({
    errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP,
})  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code (0 done, 1 failed, 2 bad input, 130 interrupted)."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    name, rest = _split_command(arguments)
    if name is None:
        return _overview(arguments)
    debug = "--debug" in rest
    try:
        try:
            config = parse(name, rest)
        except SystemExit:  # --help
            return 0
        debug = getattr(config, "debug", debug)  # --config may say it too
        return _run(name, config)
    except KeyboardInterrupt:
        print(f"{PROGRAM} {name}: interrupted; the same command goes on", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `bbert … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except Exception as error:
        if debug:
            traceback.print_exc()
        code, text = _explain(error, name, debug)
        print(f"{PROGRAM} {name}: {text}", file=sys.stderr)
        return code


def parse(name: str, arguments: Sequence[str]) -> Any:
    """The configuration of command `name`; raises InputError, and SystemExit after `--help`."""
    return parse_options(_config_class(name), f"{PROGRAM} {name}", arguments)


def _run(name: str, config: Any) -> int:
    from bbert.processor_threads import let_waiting_threads_sleep
    from bbert.progress import set_up_logging

    let_waiting_threads_sleep()
    set_up_logging(getattr(config, "quiet", False), getattr(config, "debug", False))
    command = COMMANDS[name]
    run = import_module(f"{command.package}.{command.run_module}").run
    result = run(config)
    _show(result, command)
    return int(getattr(result, "exit_code", 0))


def _show(result: Any, command: Command) -> None:
    from bbert.run_directory import RunDirectory
    from bbert.stage_config import DryRun

    if result is None:
        return
    from rich.console import Console

    console = Console()
    if not console.is_terminal:  # a pipe has no width: do not cut tables
        console = Console(width=_width_of_a_pipe())
    if isinstance(result, RunDirectory):
        summary = import_module(f"{command.package}.summary").summary(result)
        console.print(summary)
        console.print(f"→ {result.path}", highlight=False, soft_wrap=True)
    elif isinstance(result, DryRun):
        _show_dry_run(result, console)
    elif isinstance(result, str):
        print(result)
    else:
        console.print(result)


def _width_of_a_pipe() -> int:
    """$COLUMNS, or 120 where it is not set or no width, as in a shell that exports it empty."""
    columns = os.environ.get("COLUMNS", "")
    return int(columns) if columns.isdecimal() and int(columns) > 0 else 120


def _show_dry_run(dry_run: Any, console: Any) -> None:
    from bbert.stage_config import as_yaml

    print(f"# would write {dry_run.run_path}")
    print(as_yaml(dry_run.config), end="")
    for quantity, value in dry_run.estimates.items():
        print(f"# {quantity}: {value}")


def _split_command(arguments: Sequence[str]) -> tuple[str | None, list[str]]:
    for length in (2, 1):
        name = " ".join(arguments[:length])
        if name in COMMANDS:
            return name, list(arguments[length:])
    return None, []


def _overview(arguments: Sequence[str]) -> int:
    if "--version" in arguments:
        from bbert import __version__

        print(f"{PROGRAM} {__version__}")
        return 0
    words = [word for word in arguments if word not in ("-h", "--help")]
    group = {name: c for name, c in COMMANDS.items() if words and name.split()[0] == words[0]}
    if not words or (group and len(words) == 1):
        shown = group or COMMANDS
        width = max(map(len, shown))
        print(f"usage: {PROGRAM} COMMAND [OPTIONS]\n")
        if not group:
            print("What makes a BERT pretrained on raw text of two languages transfer?\n")
        for name, command in shown.items():
            print(f"  {name:<{width}}  {command.gloss}")
        print(f"\n`{PROGRAM} COMMAND --help` lists a command's options; {PROGRAM} --version.")
        return 0 if not words or len(words) < len(arguments) else 2
    import difflib

    typed = " ".join(words[:2])
    close = difflib.get_close_matches(typed, COMMANDS, n=1) or difflib.get_close_matches(
        words[0], COMMANDS, n=1
    )
    mend = f"did you mean `{PROGRAM} {close[0]}`?" if close else f"`{PROGRAM} --help` lists them"
    print(f"{PROGRAM}: unknown command {words[0]!r}; {mend}", file=sys.stderr)
    return 2


def _explain(error: Exception, name: str, debug: bool) -> tuple[int, str]:
    """Exit code and one or two lines for an exception of command `name`."""
    if isinstance(error, InputError):
        return 2, str(error)
    if isinstance(error, RunFailed):
        return 1, str(error)
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        reason = error.strerror or str(error)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return 1, f"{where}{reason}; free some space and run the same command: it goes on"
        if error.errno == errno.EFBIG:
            return 1, f"{where}{reason}; allow larger files (`ulimit -f`) and run it again"
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            option = " with --work" if "work" in option_names(_config_class(name)) else ""
            return 2, f"{where}{reason}; give a folder that can be written{option}"
        if error.errno in _WRONG_PATH:
            return 2, f"{where}{reason}; check the path"
    text = str(error).strip().splitlines()
    first = f": {text[0]}" if text else ""
    hint = "" if debug else "\nadd --debug for the traceback"
    return 1, f"failed with {type(error).__name__}{first}{hint}"


def _config_class(name: str) -> Any:
    command = COMMANDS[name]
    return getattr(import_module(f"{command.package}.{command.config_module}"), command.config)
