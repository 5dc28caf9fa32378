"""`bbert report --compare`: predictions read back, aligned, scored and tested."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bbert.cli import main
from bbert.errors import InputError
from bbert.finetune.tasks.scores import accuracy, entity_scores
from bbert.report.compare import compare
from bbert.report.records import read_run

TAGS = ("O", "B-PER", "I-PER", "B-LOC")
NUM_SENTENCES = 120


def some_tags(rng: np.random.Generator) -> list[list[str]]:
    sentences = []
    for length in rng.integers(2, 9, NUM_SENTENCES):
        tags = ["O"] * int(length)
        start = int(rng.integers(0, length - 1))
        tags[start : start + 2] = ["B-PER", "I-PER"]
        sentences.append(tags)
    return sentences


def write_columns(file: Path, sentences: list[list[str]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    blocks = ["".join(f"#{i}\t{tag}\n" for i, tag in enumerate(tags)) for tags in sentences]
    file.write_text("\n".join(blocks) + "\n")


def spoiled(gold: list[list[str]], share: float, rng: np.random.Generator) -> list[list[str]]:
    return [["O"] * len(tags) if rng.random() < share else tags for tags in gold]


def ner_run(made, work: Path, name: str, share: float, seeds=(0, 1, 2), **results) -> Path:
    """A transfer run on en whose predictions miss a share of the entities."""
    gold = some_tags(np.random.default_rng(7))
    rng = np.random.default_rng(sum(map(ord, name)))
    predicted = {seed: spoiled(gold, share, rng) for seed in seeds}
    values = [entity_scores(gold, found)["entity_f1"] for found in predicted.values()]
    folders = {s: "predictions" if s == seeds[0] else f"predictions/seed-{s}" for s in seeds}
    run = made.transfer(
        work, work / "models" / "m", name, {"en": values}, metric="entity_f1", seeds=list(seeds),
        predictions={str(s): folder for s, folder in folders.items()}, **results,
    )  # fmt: skip
    for seed, found in predicted.items():
        write_columns(run / folders[seed] / "en.conll", found)
    write_columns(run / "predictions" / "gold" / "en.conll", gold)
    return run


def row_of(work: Path, first: str, second: str) -> dict[str, object]:
    records = [read_run(work / "transfer" / name) for name in (first, second)]
    table = compare(records, first, second)
    headers = [column.header for column in table.columns]
    return {h: cell.exact for h, cell in zip(headers, table.rows[0], strict=True)}


def test_scores_and_the_difference_are_those_of_the_runs(made, work: Path):
    ner_run(made, work, "worse", 0.5)
    ner_run(made, work, "better", 0.1)
    row = row_of(work, "worse", "better")
    means = [
        json.loads((work / "transfer" / n / "results.json").read_text())["languages"]["en"]["mean"]
        for n in ("worse", "better")
    ]
    assert (row["A"], row["B"]) == pytest.approx(means)
    assert row["B − A"] == pytest.approx(means[1] - means[0])
    assert row["p bootstrap"] < 0.001
    assert row["Seeds"] == 3
    assert row["n"] == NUM_SENTENCES
    assert "p McNemar" not in row


def test_runs_that_are_alike_get_no_asterisk(made, work: Path):
    ner_run(made, work, "one", 0.3)
    ner_run(made, work, "other", 0.3)
    records = [read_run(work / "transfer" / name) for name in ("one", "other")]
    table = compare(records, "one", "other")
    assert "*" not in "".join(cell.text for cell in table.rows[0])


def test_only_seeds_of_both_runs_are_compared(made, work: Path):
    ner_run(made, work, "one", 0.3, seeds=(0, 1, 2))
    ner_run(made, work, "other", 0.2, seeds=(2, 3))
    ner_run(made, work, "apart", 0.2, seeds=(5,))
    assert row_of(work, "one", "other")["Seeds"] == 1
    with pytest.raises(InputError, match="no common seed on en"):
        row_of(work, "one", "apart")


def test_what_cannot_be_compared_is_refused(made, work: Path):
    ner_run(made, work, "one", 0.3)
    ner_run(made, work, "pos", 0.3, task="pos")
    with pytest.raises(InputError, match="task is ner in one and pos in pos"):
        row_of(work, "one", "pos")
    with pytest.raises(InputError, match="no transfer run"):
        compare([read_run(work / "transfer" / "one")], "one", "missing")
    other = ner_run(made, work, "other", 0.3)
    gold = other / "predictions" / "gold" / "en.conll"
    gold.write_text(gold.read_text().replace("B-PER", "B-LOC", 1))
    with pytest.raises(InputError, match=r"results\.json says"):
        row_of(work, "one", "other")
    (other / "predictions" / "en.conll").unlink()
    with pytest.raises(InputError, match="no predictions for 'en'"):
        row_of(work, "one", "other")


def test_runs_that_kept_no_predictions_are_refused(made, work: Path):
    for name in ("one", "other"):
        made.transfer(work, work / "models" / "m", name, {"en": [0.5]})
    with pytest.raises(InputError, match=r"no predictions of seed 0.*--force"):
        row_of(work, "one", "other")


def test_other_test_sentences_are_refused(made, work: Path):
    ner_run(made, work, "one", 0.0)
    other = ner_run(made, work, "other", 0.0)
    for file in (other / "predictions").rglob("en.conll"):
        file.write_text(file.read_text().replace("PER", "LOC"))
    with pytest.raises(InputError, match="other examples of en"):
        row_of(work, "one", "other")


def test_equal_labels_of_other_words_are_other_sentences(made, work: Path):
    ner_run(made, work, "one", 0.0)
    other = ner_run(made, work, "other", 0.0)
    assert row_of(work, "one", "other")["n"] == NUM_SENTENCES
    for file in (other / "predictions").rglob("en.conll"):
        file.write_text(file.read_text().replace("#1\t", "word\t"))
    with pytest.raises(InputError, match="other examples of en"):
        row_of(work, "one", "other")
    file.write_text(file.read_text().replace("word\t", "#1\t"))
    with pytest.raises(InputError, match="other sentences than in predictions/gold"):
        row_of(work, "one", "other")


@pytest.mark.parametrize("task", ["xnli", "pos"])
def test_equal_labels_of_other_texts_are_other_sentences(made, work: Path, task: str):
    """The labels of the sample's pairs take turns, whatever its seed."""
    for name, text in (("one", "It rains"), ("other", "It snows")):
        run = made.transfer(
            work, work / "models" / "m", name, {"en": [1.0]}, task=task, metric="accuracy",
            predictions={"0": "predictions"},
        )  # fmt: skip
        gold = run / "predictions" / "gold"
        gold.mkdir(parents=True)
        if task == "xnli":
            head = "language\tsentence1\tsentence2\tgold_label\tpredicted_label\n"
            row = f"en\tHear!\t{text}\tneutral\tneutral\n"
            (run / "predictions" / "en.tsv").write_text(head + row)
            continue
        words = zip(text.split(), ("PRON", "VERB"), strict=True)
        lines = [f"{i}\t{word}\t_\t{tag}\t_" for i, (word, tag) in enumerate(words, start=1)]
        for folder in (gold, gold.parent):
            (folder / "en.conllu").write_text(f"# text = {text}\n" + "\n".join(lines) + "\n\n")
    with pytest.raises(InputError, match="other examples of en"):
        row_of(work, "one", "other")


def test_pairs_have_mcnemar_and_words_of_trees_are_read(made, work: Path):
    rng = np.random.default_rng(3)
    gold = [["neutral"] if x else ["entailment"] for x in rng.random(200) < 0.5]
    for name, right in (("one", 0.5), ("other", 0.8)):
        found = [g if rng.random() < right else ["contradiction"] for g in gold]
        run = made.transfer(
            work, work / "models" / "m", name, {"es": [accuracy(gold, found)]}, task="xnli",
            metric="accuracy", predictions={"0": "predictions"},
        )  # fmt: skip
        lines = ["language\tsentence1\tsentence2\tgold_label\tpredicted_label"]
        lines += [f'es\tsay "a\tb\t{g}\t{p}' for (g,), (p,) in zip(gold, found, strict=True)]
        (run / "predictions").mkdir()
        (run / "predictions" / "es.tsv").write_text("\n".join(lines) + "\n")
    row = row_of(work, "one", "other")
    assert row["p McNemar"] < 0.001
    assert row["p seeds (t)"] == "–"
    assert row["n"] == 200


def test_the_command_prints_the_comparison_and_puts_it_on_the_page(made, work: Path, capsys):
    ner_run(made, work, "one", 0.5)
    ner_run(made, work, "other", 0.1)
    assert main(["report", "--work", str(work), "--compare", "one", "other"]) == 0
    shown = capsys.readouterr().out
    assert "p Holm" in shown
    folder = work / "reports" / "compare-one-with-other"
    assert "Two runs compared" in (folder / "report.html").read_text()
    assert (folder / "tables" / "comparison.csv").is_file()
    assert main(["report", "--work", str(work), "--compare", "one", "one"]) == 2
    assert main(["report", "--work", str(work), "--compare", "one", "none"]) == 2
