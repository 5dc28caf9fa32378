"""What a run learns from: one language, several together, a set with a name of its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tiny_task_files import ner_sentences, write_columns

from bbert.cli import main, parse
from bbert.finetune.encoder import PieceIds
from bbert.finetune.encoding import EncodedExamples, encode_examples
from bbert.finetune.examples import load_data, some_of_each
from bbert.finetune.plan import make_plan
from bbert.languages import Language


@pytest.fixture
def two_languages(ner_data: Path, tmp_path: Path) -> Path:
    """Training and development data of en and es."""
    folder = Path(shutil.copytree(ner_data, tmp_path / "data" / "panx"))
    write_columns(folder / "train-es.tsv", ner_sentences(50, seed=8))
    return folder


def finetune(*arguments: str, name: str, work: Path) -> dict:
    quick = [
        "--epochs",
        "2",
        "--learning-rate",
        "1e-2",
        "--quiet",
        "--work",
        str(work),
        "--name",
        name,
    ]
    assert main(["finetune", *quick, *arguments]) == 0
    return json.loads((work / "transfer" / name / "results.json").read_text())


def data_of(*arguments: str, work: Path):
    return load_data(make_plan(parse("finetune", ["--work", str(work), *arguments])))


def same_examples(first: EncodedExamples, second: EncodedExamples) -> bool:
    assert len(first) == len(second)
    lists = [(getattr(first, n), getattr(second, n)) for n in ("ids", "word_positions", "labels")]
    return all(np.array_equal(a, b) for one, two in lists for a, b in zip(one, two, strict=True))


def test_two_languages_together_are_as_one_file_of_both(
    bert: Path, two_languages: Path, work: Path, tmp_path: Path
):
    both = tmp_path / "both.tsv"
    files = [two_languages / f"train-{language}.tsv" for language in ("en", "es")]
    both.write_text("\n".join(file.read_text() for file in files))
    common = "--model", str(bert), "--data", str(two_languages), "--eval-langs", "en", "es"
    together = finetune(*common, "--train-lang", "en+es", name="together", work=work)
    as_one = finetune(*common, "--train-set", f"both=en:{both}", name="as-one", work=work)
    assert (together["train_language"], as_one["train_language"]) == ("en+es", "both")
    assert together["train"]["n"] == as_one["train"]["n"] == 130
    values = [{name: e["values"] for name, e in r["languages"].items()} for r in (together, as_one)]
    assert 0 < values[0]["es"][0] < 1
    assert values[0] == values[1]  # the same examples in the same order, to the bit
    assert together["cross_lingual_gap"] == {}  # no test set is of both languages
    contaminated = [
        r["contamination"]["languages"]["es"]["in_training"] for r in (together, as_one)
    ]
    assert contaminated[0] == contaminated[1] > 0
    assert "- es" in (work / "transfer" / "together" / "model" / "README.md").read_text()


def test_every_language_is_read_as_itself(bert: Path, two_languages: Path, work: Path):
    common = "--model", str(bert), "--data", str(two_languages), "--eval-langs", "en"
    mixed = data_of(*common, "--train-lang", "enfake+es", work=work).train
    parts = [data_of(*common, "--train-lang", lang, work=work).train for lang in ("enfake", "es")]
    assert [(language.name, n) for language, n in mixed.languages] == [("enfake", 80), ("es", 50)]
    assert same_examples(mixed.encoded, EncodedExamples.joined([part.encoded for part in parts]))
    english = data_of(*common, "--train-lang", "en", work=work).train
    assert not np.array_equal(mixed.encoded.ids[0], english.encoded.ids[0])


def test_a_part_is_drawn_from_all_languages_together(bert: Path, two_languages: Path, work: Path):
    common = "--model", str(bert), "--data", str(two_languages), "--train-lang", "en+es"
    draws = [
        data_of(*common, "--max-train-examples", "60", "--seed", seed, work=work).train
        for seed in ("1", "1", "2")
    ]
    assert [len(draw.examples) for draw in draws] == [60, 60, 60]
    assert same_examples(draws[0].encoded, draws[1].encoded)
    lines = [[(e.file, e.line) for e in draw.examples] for draw in draws]
    assert lines[0] == lines[1] != lines[2]
    (_, english), (_, spanish) = draws[0].languages
    assert english + spanish == 60
    assert english > spanish > 0  # 80 and 50 examples
    assert [len(part) for part in some_of_each([list("abc"), list("de")], 9, (0,))] == [3, 2]


def test_windows_and_cut_rows_keep_their_places(bert: Path, two_languages: Path, work: Path):
    examples = data_of("--model", str(bert), "--data", str(two_languages), work=work).train.examples
    plan = make_plan(
        parse("finetune", ["--work", str(work), "--model", str(bert), "--data", str(two_languages)])
    )
    pieces, english = PieceIds(plan.model), Language.parse("en")
    labels = plan.task.label_set(examples)
    for too_long in ("window", "cut"):
        whole = encode_examples(examples, english, pieces, labels, 7, too_long=too_long)
        parts = [
            encode_examples(some, english, pieces, labels, 7, too_long=too_long)
            for some in (examples[:30], examples[30:31], examples[31:])
        ]
        joined = EncodedExamples.joined(parts)
        assert same_examples(joined, whole)
        assert (joined.windows, joined.cut) == (whole.windows, whole.cut)
        assert joined.counts == whole.counts
        assert whole.windows or whole.cut


def test_a_set_with_a_name_is_a_file_or_a_folder(
    bert: Path, two_languages: Path, work: Path, tmp_path: Path
):
    folder = tmp_path / "news"
    write_columns(folder / "train-en.tsv", ner_sentences(20, seed=3))
    write_columns(folder / "dev-en.tsv", ner_sentences(10, seed=4))
    common = "--model", str(bert), "--data", str(two_languages), "--eval-langs", "es"
    chosen = "--train-set", f"news=enfake:{folder}", "--selection", "best-dev"
    content = finetune(*common, *chosen, name="news", work=work)
    assert (content["train"]["n"], content["dev"]["n"]) == (20, 10)
    data = data_of(*common, *chosen, work=work)
    assert [language.name for language, _ in data.train.languages] == ["enfake"]
    shutil.move(folder, two_languages / "news")  # also found in the data folder
    assert len(data_of(*common, "--train-set", "n=en:news", work=work).train.examples) == 20


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--train-lang", "en+en"), "--train-lang en+en names en twice"),
        (("--train-lang", "en+xx"), "--train-lang: language 'xx' is unknown"),
        (("--train-lang", "en+hi"), "no train file of task ner for language 'hi'"),
        (("--train-set", "news"), "--train-set 'news': give NAME=LANGUAGE:PATH"),
        (("--train-set", "n=en:gone"), "--train-set n=en:gone: no such file or folder: gone"),
        (("--train-set", "n=xx:gone"), "--train-set: language 'xx' is unknown"),
        (("--train-set", "n=en:.", "--train-lang", "en"), "takes the place of --train-lang"),
        (("--train-set", "n=en:dev-es.tsv", "--selection", "best-dev"), "give a folder with both"),
    ],
)  # fmt: skip
def test_what_cannot_be_learned_from_is_refused(
    bert: Path, two_languages: Path, work: Path, capsys, options, words
):
    typed = ["--model", str(bert), "--data", str(two_languages), *options]
    capsys.readouterr()
    assert main(["finetune", *typed, "--work", str(work), "--quiet"]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert len(error.splitlines()) <= 2
    assert not list((work / "transfer").glob("*"))


def test_probes_know_which_languages_were_learned(
    bert: Path, two_languages: Path, work: Path, capsys
):
    common = "--model", str(bert), "--data", str(two_languages), "--eval-langs", "en", "es"
    finetune(*common, "--train-lang", "en+es", name="mixed", work=work)
    finetune(*common, "--train-lang", "en", name="english", work=work)
    assert main(["probe", "overlap", "--work", str(work), "--name", "o", "--quiet"]) == 0
    rows = json.loads((work / "probes" / "o" / "results.json").read_text())["rows"]
    assert {(row["train"], row["eval"], row["zero_shot"]) for row in rows} == {
        ("en+es", "en", False), ("en+es", "es", False), ("en", "en", False), ("en", "es", True),
    }  # fmt: skip
    types = {(row["train"], row["eval"]): row["train_types"] for row in rows}
    assert types["en+es", "en"] >= types["en", "en"]
    wals = work / "wals.csv"
    wals.write_text("wals_code,iso639_3,feature,value_name\neng,eng,81A,SVO\nspa,spa,81A,SVO\n")
    typology = [
        "probe",
        "typology",
        "--work",
        str(work),
        "--wals",
        str(wals),
        "--task",
        "ner",
        "--quiet",
    ]
    assert main([*typology, "--name", "t", "--features", "81A"]) == 0
    left_out = json.loads((work / "probes" / "t" / "results.json").read_text())["left_out"]
    assert left_out == {"mixed": "fine-tuned on en+es, which is no single language"}
    capsys.readouterr()
    assert main([*typology, "--name", "u", "--runs", "mixed"]) == 2
    assert "no single language; give --runs without it" in capsys.readouterr().err
