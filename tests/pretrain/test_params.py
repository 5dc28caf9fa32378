"""`bbert params` as a user types it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from bbert.cli import main


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["params", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_json_holds_the_parameters_and_nothing_else(capsys):
    arguments = "--depth 12 --heads 12 --hidden 768 --vocab-size 60000 --json".split()
    code, out, _ = answer(capsys, *arguments)
    assert code == 0
    assert json.loads(out) == {"parameters": 132_775_010}


def test_intermediate_size_counts(capsys):
    arguments = "--depth 16 --heads 3 --hidden 192 --intermediate 960 --vocab-size 60000 --json"
    _, out, _ = answer(capsys, *arguments.split())
    assert json.loads(out) == {"parameters": 20_054_498}


@pytest.mark.parametrize("target", ["136.10M", "136_100_000", "136,100,000", "0.1361B", "1.361e8"])
def test_target_gives_the_hidden_size(capsys, target):
    code, out, _ = answer(capsys, "--target", target, "--depth", "24", "--json")
    assert code == 0
    assert json.loads(out) == {"hidden": 588, "parameters": 136_096_154}


def test_the_table_adds_up_and_names_the_hidden_size(capsys):
    code, out, _ = answer(capsys, "--target", "132.78M", "--depth", "12")
    assert code == 0
    assert "hidden 768" in out
    assert "132,775,010" in out
    counts = [
        int(cells[2].replace(",", ""))
        for line in out.splitlines()
        if len(cells := line.replace("┃", "│").split("│")) > 3 and cells[2].strip()[0].isdigit()
    ]
    assert sum(counts[:-1]) == counts[-1] == 132_775_010
    assert "534.7 MFLOP" in out


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--hidden", "100"], "--hidden"),
        (["--hidden", "0"], "--hidden"),
        (["--depth", "-3"], "--depth"),
        (["--heads", "0", "--target", "100M"], "--heads"),
        (["--target", "lots"], "--target"),
        (["--target", "-5M"], "--target"),
        (["--target", "nan"], "--target"),
        (["--target", "10"], "--target"),
        (["--target", "100M", "--hidden", "768"], "--target"),
        (["--vocab-size", "many"], "--vocab-size"),
        (["--vocab-size", "60000", "--width", "3"], "--width"),
    ],
)
def test_bad_options_are_named_in_at_most_two_lines(capsys, arguments, named):
    code, out, err = answer(capsys, *arguments)
    assert code == 2
    assert not out
    assert named in err
    assert len(err.splitlines()) <= 2
    assert "Traceback" not in err


def test_params_needs_neither_torch_nor_numpy():
    program = (
        "import sys; from bbert.cli import main; main(['params', '--json']); "
        "sys.exit(any(name in sys.modules for name in ('torch', 'numpy', 'transformers')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
