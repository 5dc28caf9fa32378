"""The command line: help, errors in two lines, exit codes, YAML below flags."""

from __future__ import annotations

import errno
import io
import sys
import types
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from bbert import cli
from bbert.command_options import option_names
from bbert.errors import InputError
from bbert.stage_config import (
    EXECUTION,
    HOUSEKEEPING,
    DryRun,
    Repeated,
    StageConfig,
    load_yaml,
    save_yaml,
)

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
            "permission": PermissionError(errno.EACCES, "Permission denied", "/x"),
            "bug": KeyError("oops"),
            "interrupt": KeyboardInterrupt(),
        }[config.languages[1]]
    return "hello"


@pytest.fixture(autouse=True)
def greet(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome.clear()
    package = types.ModuleType("greeting")
    monkeypatch.setitem(sys.modules, "greeting", package)
    monkeypatch.setitem(sys.modules, "greeting.greet", sys.modules[__name__])
    monkeypatch.setitem(
        cli.COMMANDS,
        "greet",
        cli.Command("greeting", "GreetConfig", "says hello", "greet", "greet"),
    )


def test_flags_reach_the_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = "greet --depth 12 --no-nsp --dump en=a --dump it=b --languages en it".split()
    assert cli.main(arguments) == 0
    (config,) = outcome
    assert isinstance(config, GreetConfig)
    assert (config.depth, config.nsp) == (12, False)
    assert config.dump == ("en=a", "it=b")
    assert config.languages == ("en", "it")
    assert capsys.readouterr().out == "hello\n"


def test_file_sets_defaults_and_flags_win(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("depth: 6\nnsp: false\ndump: [en=x, es=y]\nlanguages: [en, es]\n")
    assert cli.main(["greet", "--config", str(path), "--depth", "2", "--dump", "en=z"]) == 0
    (config,) = outcome
    assert isinstance(config, GreetConfig)
    assert (config.depth, config.nsp) == (2, False)
    assert config.dump == ("en=z",)
    assert config.languages == ("en", "es")


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ("depth: 0\n", ["--depth", "2"]),
        ("depth: 1\n", ["--no-nsp"]),
        ("depth: 9\n", ["--dump", "en=z"]),
        ("depth: 9\ndump: [en=x]\n", ["--dump", "en=z"]),
    ],
)
def test_what_the_file_says_is_checked_together_with_the_flags(
    tmp_path: Path, text: str, flags: list[str]
) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    assert cli.main(["greet", "--config", str(path), *flags]) == 0
    (config,) = outcome
    assert isinstance(config, GreetConfig)
    assert config == cli.parse("greet", ["--config", str(path), *flags])
    assert config.dump in ((), ("en=z",))


@pytest.mark.parametrize(
    ("text", "flags", "expected"),
    [
        ("depth: 0\n", ["--seed", "3"], "bbert greet: {path}: --depth 0 has no layers"),
        ("depth: 2\n", ["--depth", "0"], "bbert greet: --depth 0 has no layers"),
        ("depth: 1\n", ["--seed", "-1"], "bbert greet: --seed -1 is negative"),
        ("nsp: true\n", ["--depth", "1"], "bbert greet: --depth 1 is too little"),
    ],
)
def test_the_file_is_named_where_it_is_what_is_wrong(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    text: str,
    flags: list[str],
    expected: str,
) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    assert cli.main(["greet", "--config", str(path), *flags]) == 2
    assert capsys.readouterr().err.startswith(expected.format(path=path))


@pytest.mark.parametrize(
    ("command", "text", "flags"),
    [
        ("corpus build", "presplit: true\n", ["--text", "en=a", "--name", "x"]),
        ("corpus build", "presplit: true\ntext: [en=a, es=b]\n", ["--text", "en=c"]),
        ("pretrain", "packing: full-sentences\n", ["--no-nsp"]),
        ("pretrain", "batching: one-language\n", ["--no-nsp"]),
        ("finetune", "init: torch\n", ["--random-init", "1-2"]),
    ],
)
def test_a_flag_completes_the_options_of_a_file(
    tmp_path: Path, command: str, text: str, flags: list[str]
) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    cli.parse(command, ["--config", str(path), *flags])


def test_saved_configuration_can_be_given_back(tmp_path: Path) -> None:
    config = GreetConfig(depth=3, dump=("en=ü",), languages=("en",), seed=5)
    save_yaml(config, tmp_path / "config.yaml")
    read = load_yaml(GreetConfig, tmp_path / "config.yaml")
    assert (read.depth, read.dump, read.languages, read.seed) == (3, ("en=ü",), ("en",), 5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("depht: 3\n", ":1: unknown option 'depht'; did you mean 'depth'?"),
        ("seed: 1\ndepth: twelve\n", ":2: depth: Input should be a valid integer"),
        ("depth: 0\n", "c.yaml: --depth 0 has no layers"),
        ("depth: 1\n", "c.yaml: --depth 1 is too little"),
        ("a: [\n", "not YAML"),
        ("- a\n", "expected lines of the form"),
    ],
)
def test_bad_file_gets_two_lines_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, expected: str
) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    assert cli.main(["greet", "--config", str(path)]) == 2
    error = capsys.readouterr().err
    assert expected in error
    assert str(path) in error
    assert len(error.splitlines()) <= 2
    assert outcome == []


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["greet", "--dept", "3"], "--depth"),
        (["greet", "--depth", "x"], "--depth"),
        (["greet", "--depth", "0"], "no layers"),
        (["greet", "--config", "nowhere.yaml"], "nowhere.yaml: no such file"),
        (["greet", "--name", "a/b"], "--name"),
        (["greet", "--name", "a.partial"], "'.partial'"),
        (["greet", "--name", "ü" * 91], "182 bytes; use at most 180"),
        (["greet", "--seed", "-1"], "--seed"),
        (["great"], "did you mean"),
    ],
)
def test_bad_usage_gets_two_lines(
    capsys: pytest.CaptureFixture[str], arguments: list[str], expected: str
) -> None:
    assert cli.main(arguments) == 2
    error = capsys.readouterr().err
    assert expected in error
    assert len(error.splitlines()) <= 2


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--seed", "-1"], "--seed -1 is negative; give a whole number from 0 on"),
        (["--seed", "x"], "Error parsing --seed: invalid literal for int() with base 10: 'x'"),
        (["--sed", "2"], "Unrecognized options: --sed, 2; perhaps you meant --seed"),
    ],
)
def test_only_what_was_said_is_left_of_a_box(
    monkeypatch: pytest.MonkeyPatch, encoding: str, flags: list[str], said: str
) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    with pytest.raises(InputError) as refusal:
        cli.parse("greet", flags)
    assert str(refusal.value) == f"{said}\nsee `bbert greet --help`"


@pytest.mark.parametrize(
    ("kind", "code", "expected"),
    [
        ("input", 2, "file.txt:3: bad; mend it"),
        ("disk", 1, "x.bin: No space left on device; free some space"),
        ("permission", 2, "/x: Permission denied"),
        ("bug", 1, "KeyError"),
        ("interrupt", 130, "the same command goes on"),
    ],
)
def test_exit_codes(
    capsys: pytest.CaptureFixture[str], kind: str, code: int, expected: str
) -> None:
    assert cli.main(["greet", "--languages", "fail", kind]) == code
    error = capsys.readouterr().err
    assert expected in error
    assert len(error.splitlines()) <= 2


@pytest.mark.parametrize(("kind", "code"), [("bug", 1), ("input", 2), ("permission", 2)])
@pytest.mark.parametrize("where", ["flag", "file"])
def test_debug_shows_the_traceback_and_keeps_the_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, code: int, where: str
) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("debug: true\n")
    debug = ["--debug"] if where == "flag" else ["--config", str(file)]
    assert cli.main(["greet", *debug, "--languages", "fail", kind]) == code
    said = capsys.readouterr().err
    assert said.startswith("Traceback (most recent call last)")
    assert "bbert greet: " in said.splitlines()[-1]
    assert "add --debug" not in said


def test_debug_shows_the_traceback_of_options_that_are_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["greet", "--debug", "--depth", "0"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_the_mend_for_a_closed_folder_names_an_option_that_there_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["greet", "--languages", "fail", "permission"]) == 2
    assert "that can be written with --work" in capsys.readouterr().err
    code, said = cli._explain(PermissionError(errno.EACCES, "Permission denied"), "params", False)
    assert (code, said) == (2, "Permission denied; give a folder that can be written")


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_command_can_be_quiet_and_show_tracebacks(command: str) -> None:
    assert {"quiet", "debug"} <= option_names(cli._config_class(command))


def test_a_dry_run_prints_every_option_but_housekeeping(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    config = GreetConfig(depth=3, processes=2, work=tmp_path, quiet=True)
    planned = DryRun(config, tmp_path / "greetings" / "x", {"time": "a second"})
    cli._show(planned, cli.COMMANDS["greet"])
    said = capsys.readouterr().out
    file = tmp_path / "printed.yaml"
    file.write_text(said)
    assert "\nprocesses: 2\n" in said
    assert said.endswith("# time: a second\n")
    assert load_yaml(GreetConfig, file) == GreetConfig(depth=3, processes=2)
    assert not HOUSEKEEPING & yaml.safe_load(said).keys()


def test_help_needs_no_heavy_import(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in cli.COMMANDS)
    assert cli.main(["greet", "--help"]) == 0
    assert "A switch." in capsys.readouterr().out


@pytest.mark.parametrize("name", [n for n in cli.COMMANDS if n != "greet"])
def test_configurations_import_without_torch(name: str) -> None:
    import subprocess

    command = cli.COMMANDS[name]
    code = (
        f"import sys, {command.package}.{command.config_module} as m\n"
        f"assert m.{command.config}\n"
        "heavy = {'torch', 'transformers', 'datasets', 'deepspeed', 'numpy'} & sys.modules.keys()\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("reproduce", ["k2020", "--table", "3", "--table", "10"]),
        ("finetune", ["--eval-langs", "en", "--seeds", "2", "--eval-langs=es"]),
        ("probe cka", ["--parallel", "en=a", "--parallel", "es=b"]),
    ],
)
def test_a_list_given_twice_is_refused_not_halved(command, arguments):
    with pytest.raises(InputError, match="is given twice: put all its values after one --"):
        cli.parse(command, arguments)


def test_a_list_in_one_place_and_a_repeatable_flag_are_accepted():
    assert cli.parse("reproduce", ["k2020", "--table", "3", "10"]).table == ("3", "10")
    twice = ["--dump", "en=a.xml", "--dump", "es=b.xml"]
    assert cli.parse("corpus build", twice).dump == ("en=a.xml", "es=b.xml")


@pytest.mark.parametrize("flags", [["--config", "b.yaml"], ["--config=b.yaml"]])
def test_two_files_are_refused(tmp_path: Path, flags: list[str]) -> None:
    (tmp_path / "a.yaml").write_text("depth: 6\n")
    with pytest.raises(InputError, match="--config is given twice: put all options into one file"):
        cli.parse("greet", ["--config", str(tmp_path / "a.yaml"), *flags])


def test_the_last_of_other_options_counts() -> None:
    assert cli.parse("greet", ["--depth", "2", "--depth", "3"]).depth == 3
