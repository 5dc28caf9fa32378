"""Examples longer than the model reads: windows, words cut off, pairs cut."""

from __future__ import annotations

import shutil
from itertools import chain
from pathlib import Path

import pytest
from quick_finetune import column_labels, finetune, results
from seqeval.metrics import f1_score
from seqeval.scheme import IOB2
from sklearn.metrics import accuracy_score
from tiny_task_files import ner_sentences, write_columns


@pytest.fixture
def long_sentence(ner_data: Path, tmp_path: Path) -> Path:
    """Task files whose test sentence is longer than the model reads, with a name at its end."""
    data = Path(shutil.copytree(ner_data, tmp_path / "panx"))
    words = "".join("left\tO\n" for _ in range(70))
    (data / "test-en.tsv").write_text(f"{words}Anna\tB-PER\n")
    return data


def test_long_sentences_are_read_in_windows(bert: Path, tmp_path: Path, work: Path):
    def joined(number: int, seed: int) -> list[list[tuple[str, str]]]:
        sentences = ner_sentences(20 * number, seed)
        return [list(chain.from_iterable(sentences[i::number])) for i in range(number)]

    for seed, (split, number) in enumerate({"train": 40, "test": 10}.items()):
        write_columns(tmp_path / "panx" / f"{split}-en.tsv", joined(number, seed))
    typed = ["--model", str(bert), "--data", str(tmp_path / "panx"), "--train-lang", "en",
             "--eval-langs", "en", "--batch-size", "4", "--epochs", "6"]  # fmt: skip
    contents = {}
    for too_long in ("window", "wrong"):
        run = finetune(*typed, "--too-long", too_long, name=too_long, work=work)
        contents[too_long] = results(run)
        gold, predicted = (
            column_labels(run / "predictions" / place / "en.conll") for place in ("gold", "")
        )
        expected = f1_score(gold, predicted, mode="strict", scheme=IOB2)
        entry = contents[too_long]["languages"]["en"]
        assert entry["values"] == [pytest.approx(expected)]
        counts = (entry["windowed_examples"], entry["truncated_examples"])
        assert counts == ((10, 0) if too_long == "window" else (0, 10))
    windows, cut = (c["languages"]["en"] for c in contents.values())
    assert windows["truncated_words"] == 0
    assert contents["window"]["train"]["windowed_examples"] == 40
    assert "windows" in contents["window"]["truncation"]
    # Tags follow from the words: in windows all are found, cut off a third of them is lost.
    assert windows["mean"] > 0.7
    assert cut["mean"] < 0.9 * windows["mean"]


def test_words_that_are_cut_off_are_wrong_and_counted(bert: Path, long_sentence: Path, work: Path):
    run = finetune(
        "--model", str(bert), "--data", str(long_sentence), "--train-lang", "en",
        "--eval-langs", "en", "--too-long", "wrong", name="long", work=work,
    )  # fmt: skip
    entry = results(run)["languages"]["en"]
    assert (entry["truncated_examples"], entry["truncated_words"]) == (1, 71 - 62)
    predicted = column_labels(run / "predictions" / "en.conll")
    assert len(predicted[0]) == 71
    assert predicted[0][62:] == ["O"] * 9
    assert entry["metrics"]["recall"] == [0.0]


def test_pairs_that_are_cut_are_wrong_unless_asked_for(
    bert: Path, xnli_data: Path, tmp_path: Path, work: Path, capsys: pytest.CaptureFixture[str]
):
    data = Path(shutil.copytree(xnli_data, tmp_path / "xnli"))
    lines = (data / "xnli.test.tsv").read_text().splitlines()
    long = lines[1].split("\t")
    long[2] = "Anna " * 90
    (data / "xnli.test.tsv").write_text("\n".join([lines[0], "\t".join(long), *lines[2:]]) + "\n")
    typed = ["--model", str(bert), "--task", "xnli", "--data", str(data), "--train-lang", "en",
             "--eval-langs", "en"]  # fmt: skip
    labels = {}
    for too_long in ("wrong", "cut"):
        run = finetune(*typed, "--too-long", too_long, name=too_long, work=work)
        warned = "which count as wrong: en 1 of 20 (5.0%)" in capsys.readouterr().err
        assert warned == (too_long == "wrong")
        content = results(run)
        assert content["languages"]["en"]["truncated_examples"] == 1
        assert content["too_long"] == too_long
        rows = (run / "predictions" / "en.tsv").read_text().splitlines()[1:]
        labels[too_long] = [row.split("\t")[-1] for row in rows]
        gold = [row.split("\t")[-2] for row in rows]
        assert content["languages"]["en"]["values"] == [accuracy_score(gold, labels[too_long])]
    assert labels["wrong"][0] == "_"
    assert labels["cut"][0] in ("contradiction", "entailment", "neutral")
    assert labels["wrong"][1:] == labels["cut"][1:]
