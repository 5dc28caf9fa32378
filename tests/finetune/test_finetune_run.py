"""`bbert finetune` from the command line: results, predictions, and what they depend on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from quick_finetune import column_labels, finetune, results
from safetensors.torch import load_file
from seqeval.metrics import f1_score
from seqeval.scheme import IOB2
from sklearn.metrics import accuracy_score
from tiny_models import save_run

from bbert import processor_precision
from bbert.cli import main
from bbert.finetune.tasks import load_task


@pytest.mark.parametrize("fusion", [["last"], ["dlfa"], ["dlfa", "--fusion-gate", "paper"]])
def test_ner_results_and_predictions(bert: Path, ner_data: Path, work: Path, fusion, capsys):
    run = finetune(
        "--model", str(bert), "--data", str(ner_data), "--eval-langs", "enfake", "en", "es",
        "--seeds", "2", "--seed", "7", "--fusion", *fusion, name="ner", work=work,
    )  # fmt: skip
    content = results(run)
    assert content["task"] == "ner"
    assert content["metric"] == "entity_f1"
    assert content["train_language"] == "enfake"
    assert content["fusion"] == fusion[0]
    assert content["fusion_layer"] == (None if fusion[0] == "last" else 1)
    assert content["head"] == "linear"
    assert content["random_init"] is None
    assert content["seeds"] == [7, 8]
    assert list(content["languages"]) == ["enfake", "en", "es"]
    assert set(content["cross_lingual_gap"]) == {"en", "es"}
    for name, entry in content["languages"].items():
        assert entry["n"] == (20 if name == "es" else 30)
        assert entry["split"] == ("dev" if name == "es" else "test")
        gold = column_labels(run / "predictions" / "gold" / f"{name}.conll")
        constant = (
            f1_score(gold, [[tag] * len(tags) for tags in gold], mode="strict", scheme=IOB2,
                     zero_division=0)
            for tag in content["labels"]
        )  # fmt: skip
        assert entry["chance"] == pytest.approx(max(constant))
        assert entry["chance"] > 0.2
        for value, folder in zip(entry["values"], ("", "seed-8"), strict=True):
            predicted = column_labels(run / "predictions" / folder / f"{name}.conll")
            assert value == pytest.approx(f1_score(gold, predicted, mode="strict", scheme=IOB2))
        assert entry["mean"] == pytest.approx(sum(entry["values"]) / 2)
        if name != "enfake":
            gap = content["languages"]["enfake"]["mean"] - entry["mean"]
            assert content["cross_lingual_gap"][name] == pytest.approx(gap)
    assert content["languages"]["enfake"]["mean"] > 0.5  # tags follow from the words
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["stage"] == "finetune"
    assert manifest["model"] == str(bert)
    assert manifest["config"]["fusion_gate"] == (
        None if fusion == ["last"] else fusion[2] if fusion[2:] else "sigmoid"
    )
    shown = capsys.readouterr().out
    assert "enfake (source)" in shown
    assert "±" in shown


def test_gold_of_enfake_is_the_english_file(bert: Path, ner_data: Path, work: Path):
    run = finetune(
        "--model", str(bert), "--data", str(ner_data), "--epochs", "1", name="a", work=work
    )
    gold = (run / "predictions" / "gold" / "enfake.conll").read_text()
    assert gold.strip() == (ner_data / "test-en.tsv").read_text().strip()


def test_xnli_results_and_predictions(bert: Path, xnli_data: Path, work: Path):
    run = finetune(
        "--model", str(bert), "--task", "xnli", "--data", str(xnli_data), "--eval-langs", "enfake",
        "en", "es", "--fusion", "dlfa", name="xnli", work=work,
    )  # fmt: skip
    content = results(run)
    assert content["metric"] == "accuracy"
    assert content["head"] == "classifier"
    for name, entry in content["languages"].items():
        rows = (run / "predictions" / f"{name}.tsv").read_text().splitlines()[1:]
        gold, predicted = zip(*(row.split("\t")[-2:] for row in rows), strict=True)
        assert entry["n"] == len(rows) == 20
        assert entry["values"] == [accuracy_score(gold, predicted)]
        assert entry["chance"] == max(gold.count(label) for label in set(gold)) / 20
        assert entry["std"] is None


def test_pos_results_and_predictions(bert: Path, tmp_path: Path, ner_data: Path, work: Path):
    tags = {"B-PER": "PROPN", "I-PER": "PROPN", "B-LOC": "PROPN", "O": "VERB"}
    for split in ("train", "test"):
        text = (ner_data / f"{split}-en.tsv").read_text()
        for tag, universal in tags.items():
            text = text.replace(f"\t{tag}\n", f"\t{universal}\n")
        (tmp_path / f"{split}-en.tsv").write_text(text)
    run = finetune(
        "--model", str(bert), "--task", "pos", "--data", str(tmp_path), name="pos", work=work
    )
    entry = results(run)["languages"]["en"]
    task = load_task("pos")
    gold = [s.labels for s in task.read([run / "predictions" / "gold" / "en.conllu"], "en")]
    found = [s.labels for s in task.read([run / "predictions" / "en.conllu"], "en")]
    flat = [[label for sentence in labels for label in sentence] for labels in (gold, found)]
    assert entry["values"] == [accuracy_score(*flat)]
    assert entry["chance"] == max(flat[0].count(tag) for tag in set(flat[0])) / len(flat[0])
    assert set(entry["metrics"]) == {"accuracy", "chunk_f1"}
    assert results(run)["languages"]["enfake"]["mean"] > 0.7


def test_what_was_noticed_in_the_files_is_in_the_results(
    bert: Path, ner_data: Path, tmp_path: Path, work: Path
):
    data = Path(shutil.copytree(ner_data, tmp_path / "panx"))
    iob1 = (data / "test-en.tsv").read_text().replace("\tB-", "\tI-") + "\nM\u00e9xico\tI-LOC\n"
    (data / "test-en.tsv").write_bytes(iob1.encode("latin-1"))
    stray = (data / "dev-es.tsv").read_text() + "\nRome\tO\nParis\tI-LOC\n"
    (data / "dev-es.tsv").write_text(stray)
    run = finetune(
        "--model", str(bert), "--data", str(data), "--train-lang", "en", "--eval-langs", "en", "es",
        "--encoding", "latin-1", "--illegal-tags", "repair", name="noticed", work=work,
    )  # fmt: skip
    content = results(run)
    english, spanish = content["languages"]["en"]["reading"], content["languages"]["es"]["reading"]
    assert (english["encoding"], english["tagging_scheme"]) == ("latin-1", "IOB1")
    assert (spanish["encoding"], spanish["illegal_tags_repaired"]) == ("utf-8", 1)
    assert content["train"]["reading"] == {"encoding": "utf-8", "tagging_scheme": "IOB2"}
    gold = column_labels(run / "predictions" / "gold" / "en.conll")
    assert gold[-1] == ["B-LOC"]
    assert "I-LOC" not in {tag for tags in gold for tag in tags}


def test_target_languages_choose_nothing(bert: Path, ner_data: Path, tmp_path: Path, work: Path):
    """The kept epoch and the exported weights do not depend on any target language's data."""
    typed = ["--model", str(bert), "--selection", "best-dev", "--train-lang", "en"]
    data = Path(shutil.copytree(ner_data, tmp_path / "panx"))
    both = finetune(*typed, "--data", str(data), "--eval-langs", "en", "es", name="both", work=work)
    alone = finetune(*typed, "--data", str(data), "--eval-langs", "en", name="alone", work=work)
    text = (data / "dev-es.tsv").read_text().replace("B-PER", "B-LOC").replace("I-PER", "I-LOC")
    (data / "dev-es.tsv").write_text(text)
    changed = finetune(
        *typed, "--data", str(data), "--eval-langs", "en", "es", name="changed", work=work
    )
    weights = [load_file(run / "model" / "model.safetensors") for run in (both, alone, changed)]
    for other in weights[1:]:
        assert all(tensor.equal(other[name]) for name, tensor in weights[0].items())
    logs = [(run / "metrics.jsonl").read_text() for run in (both, alone, changed)]
    assert logs[0] == logs[1] == logs[2]
    assert results(both)["dev"]["split"] == "dev"
    assert results(both)["languages"]["es"] != results(changed)["languages"]["es"]


def test_parts_of_the_data(bert: Path, ner_data: Path, work: Path):
    typed = ["--model", str(bert), "--data", str(ner_data), "--eval-langs", "en", "es"]
    part = ["--max-train-examples", "20", "--max-eval-examples", "10"]
    run = finetune(*typed, *part, name="part", work=work)
    content = results(run)
    assert content["train"]["n"] == 20
    assert [entry["n"] for entry in content["languages"].values()] == [10, 10]
    other = finetune(*typed, *part, "--seed", "3", name="other", work=work)
    gold = [(r / "predictions" / "gold" / "en.conll").read_text() for r in (run, other)]
    assert gold[0] == gold[1]


def test_random_encoder_is_a_floor_with_its_own_row(bert: Path, ner_data: Path, work: Path):
    typed = ["--model", str(bert), "--data", str(ner_data), "--eval-langs", "en"]
    run = finetune(*typed, "--random-init", "all", name="floor", work=work)
    content = results(run)
    assert content["random_init"] == "all"
    assert content["init"] == "bert"
    encoder = [t for n, t in load_file(bert / "model.safetensors").items() if n.startswith("bert.")]
    assert content["network"]["random_init_parameters"] == sum(t.numel() for t in encoder)
    assert content["network"]["pooler"] == "fresh"  # it is drawn like the rest


def test_language_ids_and_xlm_roberta_run(
    bert_with_language_ids: Path, xlm_roberta: Path, ner_data: Path, xnli_data: Path, work: Path
):
    run = finetune(
        "--model", str(bert_with_language_ids), "--data", str(ner_data), name="ids", work=work
    )
    assert results(run)["languages"]["enfake"]["mean"] > 0.5
    for task, data in (("ner", ner_data), ("xnli", xnli_data)):
        run = finetune(
            "--model", str(xlm_roberta), "--task", task, "--data", str(data), "--train-lang", "en",
            "--eval-langs", "en", "enfake", "es", "--fusion", "dlfa", name=task, work=work,
        )  # fmt: skip
        assert set(results(run)["cross_lingual_gap"]) == {"enfake", "es"}
    assert results(run)["network"]["pooler"] == "fresh"


def test_dry_run_writes_nothing(bert: Path, ner_data: Path, work: Path, capsys):
    typed = ["finetune", "--work", str(work), "--model", str(bert), "--data", str(ner_data)]
    assert main([*typed, "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "learning_rate: 3.0e-05" in shown
    assert "memory: about" in shown
    assert not work.exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU computes in bf16")
@pytest.mark.parametrize(("flag", "warned"), [("avx2", True), ("avx512_bf16", False)])
def test_emulated_bf16_is_warned_of(
    bert: Path, ner_data: Path, work: Path, capsys, monkeypatch, flag: str, warned: bool
):
    monkeypatch.setattr(processor_precision, "_flags", lambda _: {flag})
    typed = ["finetune", "--model", str(bert), "--data", str(ner_data), "--precision", "bf16"]
    assert main([*typed, "--work", str(work), "--dry-run"]) == 0
    assert ("emulates it" in capsys.readouterr().err) == warned


def test_the_sample_is_used_and_named(bert: Path, ner_data: Path, tmp_path: Path, work, capsys):
    sample = tmp_path / "sample"
    shutil.copytree(ner_data, sample / "panx")
    model = Path(shutil.copytree(bert, tmp_path / "copy"))
    save_run(work / "models" / "tiny", model, ["enfake", "en"], sample)
    assert main(["finetune", "--fusion", "dlfa", "--seeds", "2"]) == 0
    first_lines = capsys.readouterr().err.splitlines()[:2]
    assert "using the newest run, tiny" in first_lines[0]
    assert "embedded sample" in first_lines[1]
    assert "for real data give --data DIR" in first_lines[1]
    run = work / "transfer" / "tiny-ner-dlfa-seeds2"
    assert json.loads((run / "manifest.json").read_text())["sample"] == str(sample)


@pytest.mark.realdata
def test_real_ner_and_inference_files(bert: Path, real_data: Path, work: Path):
    part = ["--max-train-examples", "200", "--max-eval-examples", "100", "--epochs", "1"]
    run = finetune(
        "--model", str(bert), "--data", str(real_data), *part, "--eval-langs", "enfake", "en", "hi",
        "ru", name="ner", work=work,
    )  # fmt: skip
    content = results(run)
    assert content["train"]["files"] == ["train-en.tsv"]
    assert {entry["split"] for entry in content["languages"].values()} == {"dev"}
    run = finetune(
        "--model", str(bert), "--data", str(real_data), "--task", "xnli", *part, "--eval-langs",
        "enfake", "en", "es", name="xnli", work=work,
    )  # fmt: skip
    assert {entry["split"] for entry in results(run)["languages"].values()} == {"test"}
    run = finetune(
        "--model", str(bert), "--data", str(real_data / "ud"), "--task", "pos", *part,
        "--eval-langs", "enfake", "es", "hi", name="pos", work=work,
    )  # fmt: skip
    assert results(run)["languages"]["hi"]["files"][1] == "hi_pud-ud-test.conllu"
