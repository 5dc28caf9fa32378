"""`bbert finetune --task parsing`: fusions, scores, seeds, resuming, grids, export, comparison."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from official_scorer import official_scores
from safetensors.torch import load_file
from tiny_treebank import write_treebank

from bbert.cli import main
from bbert.finetune.batches import collate
from bbert.finetune.encoder import PieceIds
from bbert.finetune.encoding import encode_examples
from bbert.finetune.evaluation import predict
from bbert.finetune.export import load_network
from bbert.finetune.fusion import FUSIONS
from bbert.finetune.model_folder import find_model
from bbert.finetune.tasks import load_task
from bbert.finetune.tasks.parsing import TASK as PARSING
from bbert.finetune.tasks.trees import arc_of, chain_floors
from bbert.languages import Language

QUICK = ["--epochs", "2", "--learning-rate", "3e-3", "--batch-size", "16", "--quiet"]


@pytest.fixture(scope="session")
def treebanks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """en with train, dev and test; es with a test set and a relation that en does not have."""
    folder = tmp_path_factory.mktemp("data") / "ud"
    for seed, (split, number) in enumerate({"train": 60, "dev": 20, "test": 25}.items()):
        write_treebank(folder / "UD_English-Tiny" / f"en_tiny-ud-{split}.conllu", number, seed)
    write_treebank(folder / "UD_Spanish-Tiny" / "es_tiny-ud-test.conllu", 15, 9, "obl")
    return folder


def command(bert: Path, data: Path, *arguments: str) -> list[str]:
    return ["finetune", "--model", str(bert), "--task", "parsing", "--data", str(data),
            "--train-lang", "en", *QUICK, *arguments]  # fmt: skip


def finetune(bert: Path, data: Path, work: Path, name: str, *arguments: str) -> Path:
    typed = command(bert, data, "--work", str(work), "--name", name, *arguments)
    assert main(typed) == 0
    return work / "transfer" / name


def results(run: Path) -> dict:
    return json.loads((run / "results.json").read_text())


def bytes_of(run: Path) -> dict[str, bytes]:
    files = (p for p in run.rglob("*") if p.is_file() and p.name != "README.md")  # has its name
    names = {str(p.relative_to(run)): p.read_bytes() for p in files}
    return {n: b for n, b in names.items() if not n.startswith(("manifest", "config.yaml"))}


@pytest.mark.parametrize("fusion", list(FUSIONS))
def test_scores_of_every_fusion_are_those_of_the_official_scorer(
    bert: Path, treebanks: Path, work: Path, fusion: str, capsys
):
    languages = ["--eval-langs", "en", "enfake", "es"]
    run = finetune(bert, treebanks, work, "run", "--fusion", fusion, *languages, "--seeds", "2")
    content = results(run)
    assert (content["task"], content["metric"], content["head"]) == ("parsing", "las", "biaffine")
    assert content["labels"] == ["amod", "det", "nsubj", "obj", "punct", "root"]
    for name, entry in content["languages"].items():
        gold = run / "predictions" / "gold" / f"{name}.conllu"
        for seed, folder in enumerate(("", "seed-1")):
            official = official_scores(gold, run / "predictions" / folder / f"{name}.conllu")
            assert entry["metrics"]["las"][seed] == pytest.approx(official["LAS"], abs=1e-12)
            assert entry["metrics"]["uas"][seed] == pytest.approx(official["UAS"], abs=1e-12)
            assert entry["values"][seed] == entry["metrics"]["las"][seed]
        labels = [e.labels for e in PARSING.read([gold], name)]
        assert entry["floors"] == chain_floors(labels)
        assert entry["chance"] == max(floor["las"] for floor in entry["floors"].values())
    assert content["languages"]["es"]["unknown_relations"] > 0  # obl, which en does not have
    assert content["languages"]["es"]["reading"]["ranges"] > 0
    assert content["languages"]["es"]["reading"]["empty_nodes"] > 0
    assert "uas floor %" in re.sub(r"\s+", " ", capsys.readouterr().out)


def test_it_learns_and_transfers_to_words_that_it_knows(bert: Path, treebanks: Path, work: Path):
    run = finetune(bert, treebanks, work, "run", "--eval-langs", "en", "es", "--epochs", "10")
    english, spanish = (results(run)["languages"][name] for name in ("en", "es"))
    assert english["mean"] > 0.9 > english["chance"] + 0.2
    assert spanish["metrics"]["uas"][0] > 0.9
    unknown = spanish["unknown_relations"] / spanish["labels"]
    assert spanish["mean"] <= spanish["metrics"]["uas"][0] - 0.9 * unknown


def test_subtypes_are_learnt_where_they_are_asked_for(bert: Path, treebanks: Path, work: Path):
    options = ["--relations", "subtypes", "--eval-langs", "en", "--epochs", "8"]
    run = finetune(bert, treebanks, work, "run", *options)
    assert "obj:place" in results(run)["labels"]
    predicted = (run / "predictions" / "en.conllu").read_text()
    assert "\tobj:place\t" in predicted
    official = official_scores(
        run / "predictions" / "gold" / "en.conllu", run / "predictions" / "en.conllu"
    )
    metrics = results(run)["languages"]["en"]["metrics"]
    assert metrics["las"][0] == pytest.approx(official["LAS"], abs=1e-12)
    assert 0.5 < metrics["las_with_subtypes"][0] <= metrics["las"][0]


def test_target_languages_choose_nothing(bert: Path, treebanks: Path, tmp_path: Path, work: Path):
    data = Path(shutil.copytree(treebanks, tmp_path / "ud"))
    dev = data / "UD_English-Tiny" / "en_tiny-ud-dev.conllu"
    dev.write_text(dev.read_text().replace("\t2\tpunct", "\t1\tpunct"))  # the late epochs lose
    options = ["--selection", "best-dev", "--epochs", "4"]
    both = finetune(bert, data, work, "both", *options, "--eval-langs", "en", "es")
    shutil.rmtree(data / "UD_Spanish-Tiny")
    alone = finetune(bert, data, work, "alone", *options, "--eval-langs", "en")
    weights = [load_file(run / "model" / "model.safetensors") for run in (both, alone)]
    assert all(tensor.equal(weights[1][name]) for name, tensor in weights[0].items())
    rows = [json.loads(row) for row in (both / "metrics.jsonl").read_text().splitlines()]
    kept = [row["dev"] for row in rows if row.get("kept")]
    assert kept == [max(row["dev"] for row in rows)]


def test_killed_in_its_second_seed_it_goes_on_to_the_same_bytes(
    bert: Path, treebanks: Path, work: Path
):
    options = ["--seeds", "2", "--epochs", "6", "--eval-langs", "en", "--fusion", "dlfa"]
    whole = finetune(bert, treebanks, work, "whole", *options)
    typed = command(bert, treebanks, *options, "--work", str(work), "--name", "killed")
    process = subprocess.Popen([sys.executable, "-m", "bbert", *typed],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    done = work / "transfer" / "killed.partial" / ".steps" / "seed-0.json"
    deadline = time.monotonic() + 120
    while not done.is_file():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (work / "transfer" / "killed").exists()
    killed = finetune(bert, treebanks, work, "killed", *options)
    assert bytes_of(whole) == bytes_of(killed)


def test_sweeps_grids_and_floors(bert: Path, treebanks: Path, work: Path, capsys):
    options = ["--eval-langs", "en", "es", "--epochs", "1", "--work", str(work)]
    sweep = ["--random-init", "none/layers/all", "--name", "sweep"]
    assert main(command(bert, treebanks, *options, *sweep)) == 0
    names = ["sweep-none", "sweep-1", "sweep-2", "sweep-all"]
    contents = [results(work / "transfer" / name) for name in names]
    assert [c["random_init"] for c in contents] == [None, "1", "2", "all"]
    assert "random layers" in re.sub(r"\s+", " ", capsys.readouterr().out)
    grid = ["--fusion", "dlfa", "--fusion-layer", "1-2", "--name", "grid"]
    assert main(command(bert, treebanks, *options, *grid, "--train-lang", "en,enfake")) == 0
    cells = [results(run) for run in sorted((work / "transfer").glob("grid-*"))]
    assert [(c["train_language"], c["fusion_layer"]) for c in cells] == [
        ("en", 1), ("en", 2), ("enfake", 1), ("enfake", 2),
    ]  # fmt: skip
    untuned = finetune(bert, treebanks, work, "untuned", *options, "--epochs", "0")
    assert results(untuned)["languages"]["en"]["mean"] < 0.5
    assert main(["report", "--work", str(work), "--quiet"]) == 0
    page = next((work / "reports").rglob("*.md")).read_text()
    assert "Parsing, fine-tuned on en" in page
    assert "every word on the one before it" in page
    chance = results(untuned)["languages"]["es"]["chance"]
    assert f"{100 * chance:.1f}" in page


def test_two_parsers_are_compared_over_sentences(bert: Path, treebanks: Path, work: Path, capsys):
    options = ["--eval-langs", "en", "es", "--seeds", "2"]
    finetune(bert, treebanks, work, "short", *options, "--epochs", "1")
    finetune(bert, treebanks, work, "long", *options, "--epochs", "8")
    capsys.readouterr()
    assert main(["report", "--work", str(work), "--compare", "short", "long"]) == 0
    page = next((work / "reports").rglob("*.md")).read_text()
    assert re.search(r"\ben\b.*\*", page)  # better beyond chance, after Holm's correction


def test_sizes_come_from_option_recipe_and_model(bert: Path, treebanks: Path, work: Path):
    config = finetune(bert, treebanks, work, "a", "--eval-langs", "en") / "config.yaml"
    assert "arc_size: 32" in config.read_text()  # as wide as the encoder
    options = ["--recipe", "muller2021", "--relation-size", "7", "--dry-run"]
    assert main(command(bert, treebanks, *options, "--work", str(work))) == 0
    run = finetune(bert, treebanks, work, "b", "--arc-size", "9", *options[:4], "--seeds", "1",
                   "--epochs", "1")  # fmt: skip
    weights = load_file(run / "model" / "model.safetensors")
    assert weights["head.scorer.arc_map.weight"].shape == (9, 10)
    assert weights["head.scorer.relation_map.weight"].shape == (6 * 8, 8)


@pytest.mark.parametrize(
    ("line", "mended", "said"),
    [
        ("4\t.\t_\tX\t_\t_\t2\t", "4\t.\t_\tX\t_\t_\t4\t", "the word is its own head"),
        ("4\t.\t_\tX\t_\t_\t2\t", "4\t.\t_\tX\t_\t_\t0\t", "a second root"),
        ("4\t.\t_\tX\t_\t_\t2\t", "4\t.\t_\tX\t_\t_\t_\t", "word 4 has no head"),
        ("4\t.\t_\tX\t_\t_\t2\t", "4\t.\t_\tX\t_\t_\t9\t", "head 9 is no word"),
        ("4\t.\t_\tX\t_\t_\t2\tpunct", "4\t.\t_\tX\t_\t_\t2\t_", "word 4 has no relation"),
    ],
)
def test_gold_that_is_no_tree_stops_the_command(
    bert: Path, treebanks: Path, tmp_path: Path, work: Path, capsys, line, mended, said
):
    data = Path(shutil.copytree(treebanks, tmp_path / "ud"))
    file = data / "UD_Spanish-Tiny" / "es_tiny-ud-test.conllu"
    text = file.read_text()
    assert line in text
    file.write_text(text.replace(line, mended, 1))
    number = text[: text.index(line)].count("\n") + 1
    options = ["--eval-langs", "en", "es", "--work", str(work)]
    assert main(command(bert, data, *options)) == 2
    error = capsys.readouterr().err
    assert f"es_tiny-ud-test.conllu:{number}: " in error
    assert said in error
    assert len(error.splitlines()) <= 2
    assert not list((work / "transfer").glob("*/results.json"))


def test_options_that_do_not_fit_are_refused(bert: Path, treebanks: Path, work: Path, capsys):
    for options, said in (
        (["--head", "linear"], "--head linear does not fit task parsing: use biaffine"),
        (["--arc-size", "0"], "--arc-size 0 must be greater than 0"),
        (["--too-long", "cut"], "--too-long cut does not fit task parsing: use window"),
    ):
        assert main(command(bert, treebanks, *options, "--work", str(work))) == 2
        assert said in capsys.readouterr().err
    assert main(["finetune", "--task", "ner", "--relation-size", "8", "--work", str(work)]) == 2
    assert "--relation-size is an option of task parsing" in capsys.readouterr().err


PARSE_WITHOUT_BBERT = """
import json, sys
sys.modules["bbert"] = None
import torch
from transformers import AutoModel
model = AutoModel.from_pretrained(sys.argv[1], trust_remote_code=True).eval()
inputs = {name: torch.tensor(value) for name, value in json.loads(sys.argv[2]).items()}
print(json.dumps(model.parse(**inputs)))
"""


@pytest.mark.parametrize(("fusion", "encoder"), [("last", "xlm_roberta"), ("dlfa", "bert")])
def test_the_exported_parser_parses_where_bbert_is_not_installed(
    request, treebanks: Path, work: Path, tmp_path: Path, fusion: str, encoder: str
):
    folder = request.getfixturevalue(encoder)
    run = finetune(folder, treebanks, work, "run", "--fusion", fusion, "--eval-langs", "en")
    network, relations = load_network(run / "model")
    examples = load_task("parsing").read([run / "predictions" / "gold" / "en.conllu"], "en")[:6]
    pieces = PieceIds(find_model(work, str(folder)))
    encoded = encode_examples(examples, Language.parse("en"), pieces, relations, 64, arcs=True)
    expected = predict(network, encoded, examples, relations, "0 _", "fp32")
    written = PARSING.read([run / "predictions" / "en.conllu"], "en")[:6]
    assert [tuple(labels) for labels in expected] == [e.labels for e in written]
    batch = collate(encoded, range(6))
    length = batch.input_ids_BT.shape[1]
    starts = batch.word_index_SW - length * torch.arange(6)[:, None]
    for row, number in enumerate(batch.num_words):
        starts[row, number:] = -1
    inputs = {"input_ids": batch.input_ids_BT.tolist(), "word_starts": starts.tolist(),
              "attention_mask": batch.attention_mask_BT.tolist()}  # fmt: skip
    environment = {**os.environ, "HF_HOME": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", PARSE_WITHOUT_BBERT, run / "model", json.dumps(inputs)],
        capture_output=True, text=True, env=environment, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    trees = json.loads(done.stdout.splitlines()[-1])
    assert trees == [[list(arc_of(label)) for label in labels] for labels in expected]


def test_without_trust_the_exported_parser_is_refused(bert: Path, treebanks: Path, work: Path):
    from transformers import AutoModel

    run = finetune(bert, treebanks, work, "run", "--eval-langs", "en", "--epochs", "1")
    with pytest.raises(ValueError, match="trust_remote_code"):
        AutoModel.from_pretrained(run / "model", trust_remote_code=False)


@pytest.mark.realdata
def test_a_real_treebank_trains_and_transfers(real_data: Path, tmp_path: Path, work: Path):
    """English to Hindi, Italian, Russian and Spanish with a random encoder: a floor, not a result;
    the official scorer agrees on real words, contractions and empty nodes."""
    from tiny_models import save_bert

    train = real_data / "ud" / "UD_English-EWT" / "en_ewt-ud-train.conllu"
    lines = train.read_text(encoding="utf-8").splitlines()[:30_000]
    words = {line.split("\t")[1] for line in lines if "\t" in line}
    plain = sorted(word for word in words if word.isalpha() and word.isascii())[:2000]
    model = save_bert(tmp_path / "model", plain, languages=["en"], max_position_embeddings=128)
    run = finetune(
        model, real_data / "ud", work, "run", "--eval-langs", "en", "es", "hi", "it", "ru",
        "--max-train-examples", "300", "--max-eval-examples", "60",
    )  # fmt: skip
    for name, entry in results(run)["languages"].items():
        official = official_scores(
            run / "predictions" / "gold" / f"{name}.conllu", run / "predictions" / f"{name}.conllu"
        )
        assert entry["n"] == 60
        assert entry["values"] == [pytest.approx(official["LAS"], abs=1e-12)]
        assert entry["metrics"]["uas"] == [pytest.approx(official["UAS"], abs=1e-12)]
        assert 0 < entry["chance"] < 0.5
