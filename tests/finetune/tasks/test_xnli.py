"""Inference files: MultiNLI as jsonl and tsv, XNLI-1.0, XTREME's three columns."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bbert.errors import InputError
from bbert.finetune.tasks import load_task
from bbert.finetune.tasks.find_files import find_data_folder, find_split
from bbert.finetune.tasks.reading import Reading

XNLI = load_task("xnli")
PAIRS = [
    ("A man left.", "He stayed.", "contradiction"),
    ("It rained.", "It was wet.", "entailment"),
]


def as_pairs(examples):
    return [(e.first, e.second, *e.labels) for e in examples]


def write(path: Path, rows: list[str]) -> list[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return [path]


def test_forms_of_training_data(tmp_path: Path):
    translated = ["premise\thypo\tlabel"]
    translated += ["\t".join(p).replace("contradiction", "contradictory") for p in PAIRS]
    released = ["gold_label\tsentence1_binary_parse\tsentence1\tsentence2\tlabel1"]
    released += [f"{label}\t( )\t{a}\t{b}\tneutral" for a, b, label in PAIRS]
    released.append("-\t( )\tx\ty\tneutral")
    jsonl = [
        json.dumps({"gold_label": label, "sentence1": a, "sentence2": b, "genre": "x"})
        for a, b, label in [*PAIRS, ("x", "y", "-")]
    ]
    three = ["\t".join(p) for p in PAIRS]
    for name, rows in {
        "multinli.train.en.tsv": translated,
        "multinli_1.0_train.txt": released,
        "multinli_1.0_train.jsonl": jsonl,
        "train-en.tsv": three,
    }.items():
        folder = tmp_path / name.replace(".", "_")
        write(folder / name, rows)
        found = find_split(XNLI, find_data_folder(XNLI, folder, "en"), "en", ["train"])
        assert as_pairs(XNLI.read(found.files, "en")) == PAIRS, name


def test_only_the_language_asked_for_is_read(tmp_path: Path):
    rows = ["language\tgold_label\tsentence1\tsentence2", "es\tneutral\ta\tb", "en\tneutral\tc\td"]
    files = write(tmp_path / "xnli.test.tsv", rows)
    assert as_pairs(XNLI.read(files, "en")) == [("c", "d", "neutral")]
    with pytest.raises(InputError, match=r"no pair in 'hi' \(there: en, es\)"):
        XNLI.read(files, "hi")


def test_languages_of_jsonl_and_ids(tmp_path: Path):
    rows = [
        json.dumps({"language": language, "gold_label": "neutral", "sentence1": f"{language} a",
                    "sentence2": "b", "pairID": number})
        for number, language in enumerate(["en", "es", "en"], start=1)
    ]  # fmt: skip
    files = write(tmp_path / "xnli.test.jsonl", rows)
    found = find_split(XNLI, tmp_path, "en", ["test"]).files
    assert list(found) == files
    examples = XNLI.read(files, "en")
    assert [(e.first, e.key, e.line) for e in examples] == [("en a", "1", 1), ("en a", "3", 3)]
    with pytest.raises(InputError, match=r"no pair in 'hi' \(there: en, es\)"):
        XNLI.read(files, "hi")


def test_missing_votes_at_the_end_of_a_row_are_none_of_our_business(tmp_path: Path):
    # MultiNLI has five vote columns in its header, its training rows one vote.
    header = "gold_label\tsentence1\tsentence2\tpairID\tlabel1\tlabel2\tlabel3"
    files = write(tmp_path / "a.tsv", [header, "neutral\tx\ty\t7n\tneutral", "neutral\tx\ty\t8n"])
    assert [e.key for e in XNLI.read(files, "en")] == ["7n", "8n"]


def test_undecided_pairs_are_counted(tmp_path: Path):
    reading = Reading()
    files = write(tmp_path / "a.tsv", ["premise\thypo\tlabel", "x\ty\t-", "x\ty\tneutral"])
    assert len(XNLI.read(files, "en", reading)) == 1
    assert reading.counts["pairs_without_gold_label"] == 1


def test_english_multinli_is_no_data_of_other_languages(tmp_path: Path):
    write(tmp_path / "multinli_1.0_train.jsonl", ["{}"])
    with pytest.raises(InputError, match="no train file of task xnli for language 'es'"):
        find_data_folder(XNLI, tmp_path, "es")


@pytest.mark.parametrize(
    ("name", "rows", "line", "words"),
    [
        ("a.tsv", ["premise\tlabel", "x\tneutral"], 1, "no column sentence2 or hypothesis or hypo"),
        ("a.tsv", ["premise\thypo", "x\ty"], 1, "no column gold_label or label"),
        ("a.tsv", ["premise\thypo\tlabel", "x\tneutral"], 2, "2 columns where the header has 3"),
        ("a.tsv", ["x\ty\tmaybe"], 1, "label 'maybe' is none of contradiction, entailment"),
        ("a.tsv", ["x\tneutral"], 1, "2 columns; without a header there must be three"),
        ("a.tsv", ["premise\thypo\tlabel", "x\t \tneutral"], 2, "the hypothesis is empty"),
        ("a.tsv", ["premise\thypo\tlabel", "x\ty\tz\tneutral"], 2, "4 columns where the header"),
        ("a.jsonl", ['{"sentence1": "x"}'], 1, "no column sentence2"),
        ("a.jsonl", ["{}", "not json"], 1, "no column sentence1"),
        ("a.jsonl", ["not json"], 1, "not JSON"),
        ("a.jsonl", ["[1]"], 1, "expected a JSON object"),
        ("a.jsonl", ['{"sentence1": "a", "sentence2": "b\\ud83d", "label": "neutral"}'], 1,
         r"\ud83d is half a character"),
        ("a.jsonl", ['{"sentence1": {"en": "a"}, "sentence2": "b", "label": "neutral"}'], 1,
         'expected a text, found {"en": "a"}'),
        ("a.jsonl", ["[" * 100_000], 1, "not JSON (brackets within brackets"),
    ],
)  # fmt: skip
def test_unusable_rows_are_named(tmp_path: Path, name: str, rows, line: int, words: str):
    with pytest.raises(InputError) as error:
        XNLI.read(write(tmp_path / name, rows), "en")
    assert f"{name}:{line}: " in str(error.value)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("xnli.test.tsv", ["sentence1\tsentence2\tgold_label", "a\tb\tneutral"]),
        ("xnli.test.tsv", ["a\tb\tneutral"]),
        ("XNLI-1.0/xnli.dev.jsonl", ['{"sentence1": "a", "sentence2": "b", "label": "neutral"}']),
    ],
)
def test_one_file_of_all_languages_must_say_them(tmp_path: Path, name: str, rows: list[str]):
    """Else each language would be tested on the same texts, which are in one of them at most."""
    (tmp_path / name).parent.mkdir(exist_ok=True)
    write(tmp_path / name, rows)
    for language in ("en", "hi"):
        files = find_split(XNLI, tmp_path, language, ["test", "dev"]).files
        words = rf"{name}:1: neither the rows nor the name of the file .* test-{language}\."
        with pytest.raises(InputError, match=words):
            XNLI.read(files, language)
    own = tmp_path / "test-hi.tsv"
    write(own, ["a\tb\tneutral"])
    assert find_split(XNLI, tmp_path, "hi", ["test"]).files == (own,)
    assert len(XNLI.read([own], "hi")) == 1


def test_predictions_have_both_labels(tmp_path: Path):
    examples = XNLI.read(write(tmp_path / "a.tsv", ["\t".join(p) for p in PAIRS]), "en")
    XNLI.write(tmp_path / "out.tsv", "en", examples, [["neutral"], ["entailment"]])
    rows = [line.split("\t") for line in (tmp_path / "out.tsv").read_text().splitlines()]
    assert rows[0][-2:] == ["gold_label", "predicted_label"]
    assert [row[-2:] for row in rows[1:]] == [
        ["contradiction", "neutral"],
        ["entailment", "entailment"],
    ]


@pytest.mark.realdata
def test_real_files(real_data: Path):
    folder = find_data_folder(XNLI, real_data, "en")
    train = XNLI.read(find_split(XNLI, folder, "en", ["train"]).files, "en")
    assert len(train) == 10071
    assert sum(e.labels == ("contradiction",) for e in train) == 3375
    for language in ("en", "es", "hi", "ru"):
        test = find_split(XNLI, folder, language, ["test", "dev"])
        examples = XNLI.read(test.files, language)
        assert len(examples) == 5010
        assert XNLI.chance([e.labels for e in examples]) == pytest.approx(1 / 3)
