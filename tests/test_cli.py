"""The command line: help, errors in two lines, exit codes, tracebacks on demand."""

from __future__ import annotations

import errno
import io
import sys
from pathlib import Path

import pytest
import yaml
from greet_command import GreetConfig

from bbert import cli
from bbert.command_options import option_names
from bbert.errors import InputError
from bbert.stage_config import HOUSEKEEPING, DryRun, load_yaml

pytestmark = pytest.mark.usefixtures("greet")


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
        (["--seed", "x"], "--seed x: give a whole number in digits"),
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
        ("limit", 1, "File too large; allow larger files (`ulimit -f`) and run it again"),
        ("name", 2, "x: File name too long; check the path"),
        ("loop", 2, "x: Too many levels of symbolic links; check the path"),
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


@pytest.mark.parametrize(
    ("columns", "width"), [("70", 70), ("", 120), ("wide", 120), ("0", 120), ("-5", 120)]
)
def test_a_pipe_is_as_wide_as_columns_says_or_120(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: str, width: int
) -> None:
    from rich.text import Text

    monkeypatch.setenv("COLUMNS", columns)
    cli._show(Text("word " * 50), cli.COMMANDS["greet"])
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) in range(width - 5, width + 1)


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
