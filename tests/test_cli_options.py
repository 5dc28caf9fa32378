"""Options of a command: YAML below flags, checked together, named where they are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from greet_command import GreetConfig, outcome

from bbert import cli
from bbert.errors import InputError
from bbert.stage_config import load_yaml, save_yaml

pytestmark = pytest.mark.usefixtures("greet")


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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("depth: 3\nseed: 1\ndepth: 4\n", ":3: 'depth' is there twice, in line 1 too"),
        ("dry-run: true\ndry_run: false\n", ":2: 'dry_run' is there twice, in line 1 too"),
        ("seed: 2\ndepth: true\n", ":2: depth: a truth value is no number (found True)"),
        ("seed: no\n", ":1: seed: a truth value is no number (found False)"),
        ("languages: [en, no]\n", "(found False; YAML takes no, off, yes and on for that: quote"),
        ("depth: 3\nseed: 010\n", ":2: YAML would read 010 to the base 8"),
        ("languages: [en, 1:30]\n", ":1: YAML would read 1:30 to the base 60"),
        ("languages: &a [*a]\n", ":1: languages: "),
        ("config: other.yaml\n", ":1: config: a file cannot name another; put all into one file"),
        ("<<: {depht: 3}\n", "c.yaml: unknown option 'depht'; did you mean 'depth'?"),
        ("<<: {depth: x}\n", "c.yaml: depth: Input should be a valid integer"),
        ("name: 2020-13-45\n", "c.yaml: not YAML: month must be in 1..12; quote what is a word"),
        ('name: "a\\0b"\n', "c.yaml: --name 'a\\x00b' cannot name a folder"),
        ('name: "a\\nb"\n', "c.yaml: --name 'a\\nb' cannot name a folder"),
        (f"seed: {2**63}\n", f"c.yaml: --seed {2**63} is too large; give {2**63 - 1} or less"),
    ],
)
def test_what_yaml_takes_in_silence_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    assert cli.main(["greet", "--config", str(path)]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert str(path) in error
    assert len(error.splitlines()) <= 2
    assert outcome == []


def test_what_yaml_may_say_in_its_own_way(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(
        "\ufeff<<: &all {depth: 3, seed: 1}\ndepth: 6\nnsp: off\nlanguages: ['no', en]\n",
        encoding="utf-8",
    )
    config = cli.parse("greet", ["--config", str(path)])
    assert (config.depth, config.seed, config.nsp) == (6, 1, False)
    assert config.languages == ("no", "en")


def test_the_home_of_the_work_folder_is_found_where_a_shell_does_not_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "c.yaml").write_text("work: ~/runs\n")
    for arguments in (["--work=~/runs"], ["--config", str(tmp_path / "c.yaml")]):
        assert cli.parse("greet", arguments).work == tmp_path / "runs"
    monkeypatch.setenv("BBERT_WORK", "~/runs")
    for command in ("greet", "doctor"):
        assert cli.parse(command, []).work == tmp_path / "runs"
    assert cli.parse("greet", ["--work", "~nobody-here/x"]).work == Path("~nobody-here/x")
