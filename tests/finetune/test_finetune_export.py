"""Exported fused models: the Auto classes load them where bbert is not installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from bbert.finetune.batches import collate
from bbert.finetune.encoder import PieceIds
from bbert.finetune.encoding import encode_examples
from bbert.finetune.export import export, load_network
from bbert.finetune.fusion import FUSIONS, WITH_LAYER
from bbert.finetune.model_folder import find_model
from bbert.finetune.network import FinetunedNetwork, NetworkSettings, build_network
from bbert.finetune.tasks.task import Sentence, TextPair
from bbert.languages import Language

FUSED = [name for name in FUSIONS if name != "last"]

LOAD_WITHOUT_BBERT = """
import json, sys
sys.modules["bbert"] = None
import torch, transformers
folder, auto, inputs = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
model = getattr(transformers, auto).from_pretrained(folder, trust_remote_code=True)
tensors = {name: torch.tensor(value) for name, value in inputs.items()}
with torch.inference_mode():
    print(json.dumps(model.eval()(**tensors).logits.tolist()))
"""


def saved(
    folder: Path, head: str, fusion: str, directory: Path, labels: tuple[str, ...] = ("A", "B", "C")
) -> FinetunedNetwork:
    settings = NetworkSettings(
        head=head, num_labels=3, fusion=fusion, fusion_layer=1 if fusion in WITH_LAYER else None,
        arc_size=8, relation_size=4, lstm_size=8,
    )  # fmt: skip
    model = find_model(Path("."), str(folder))
    network, _ = build_network(model, settings, seed=3)
    with torch.no_grad():
        for parameter in network.fusion.parameters():  # away from where fine-tuning starts
            parameter.add_(0.1 * torch.randn_like(parameter))
    export(network, settings, labels, PieceIds(model).tokenizer, directory, {})
    return network.eval()


def a_batch(folder: Path, head: str):
    words = Sentence(("Anna", "visited", "Rome"), ("A", "B", "C"), Path("x"), 1)
    pair = TextPair("Anna visited Rome .", "the old .", ("A",), Path("x"), 1)
    short = Sentence(("Anna",), ("A",), Path("x"), 5)
    examples = [words, short] if head == "linear" else [pair]
    pieces = PieceIds(find_model(Path("."), str(folder)))
    encoded = encode_examples(examples, Language.parse("en"), pieces, ("A", "B", "C"), 32)
    return collate(encoded, list(range(len(examples))))


@pytest.mark.parametrize("head", ["linear", "classifier"])
@pytest.mark.parametrize("fusion", FUSED)
def test_a_fused_network_comes_back_from_its_folder(bert: Path, tmp_path: Path, fusion, head):
    network = saved(bert, head, fusion, tmp_path / "model")
    again, labels = load_network(tmp_path / "model")
    batch = a_batch(bert, head)
    with torch.inference_mode():
        torch.testing.assert_close(again(batch), network(batch), rtol=0, atol=0)
    assert labels == ("A", "B", "C")


@pytest.mark.parametrize(
    ("head", "auto", "fusion", "encoder"),
    [
        ("linear", "AutoModelForTokenClassification", "dlfa", "bert"),
        ("linear", "AutoModelForTokenClassification", "scalar-mix", "xlm_roberta"),
        ("classifier", "AutoModelForSequenceClassification", "dlfa-local", "bert"),
    ],
)
def test_auto_classes_load_it_where_bbert_is_not_installed(
    request: pytest.FixtureRequest, tmp_path: Path, head, auto, fusion, encoder
):
    folder = request.getfixturevalue(encoder)
    network = saved(folder, head, fusion, tmp_path / "model")
    batch = a_batch(folder, head)
    inputs = {
        "input_ids": batch.input_ids_BT.tolist(), "attention_mask": batch.attention_mask_BT.tolist()
    }  # fmt: skip
    if batch.segment_ids_BT is not None:
        inputs["token_type_ids"] = batch.segment_ids_BT.tolist()
    environment = {**os.environ, "HF_HOME": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", LOAD_WITHOUT_BBERT, tmp_path / "model", auto, json.dumps(inputs)],
        capture_output=True, text=True, env=environment, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    logits = torch.tensor(json.loads(done.stdout.splitlines()[-1]))
    with torch.inference_mode():
        expected = (
            network.head.linear(network.represent(batch)) if head == "linear" else network(batch)
        )
    kept = batch.attention_mask_BT.bool() if head == "linear" else slice(None)
    torch.testing.assert_close(logits[kept], expected[kept], rtol=1e-5, atol=1e-5)


LOAD_SEVERAL = """
import sys
sys.modules["bbert"] = None
import torch, transformers
for auto, folder in zip(sys.argv[1::2], sys.argv[2::2]):
    model = getattr(transformers, auto).from_pretrained(folder, trust_remote_code=True).eval()
    starts = {} if "Classification" in auto else {"word_starts": torch.tensor([[1, 2]])}
    with torch.inference_mode():
        scores = model(torch.tensor([[2, 5, 6, 3]]), **starts).logits
    print(type(model).__name__, f"{scores.double().sum().item():.6f}")
"""


def test_models_of_different_kinds_load_in_one_process(bert: Path, tmp_path: Path):
    """Each brings its own code: the second is not built by that of the first."""
    folders = []
    for head, fusion, auto in (
        ("linear", "dlfa", "AutoModelForTokenClassification"),
        ("linear", "scalar-mix", "AutoModelForTokenClassification"),
        ("bilstm-crf", "dlfa", "AutoModel"),
        ("biaffine", "dlfa", "AutoModel"),
    ):
        folders += [auto, str(tmp_path / f"{head}-{fusion}" / "model")]
        labels = ("B-A", "I-A", "O") if head == "bilstm-crf" else ("A", "B", "C")
        saved(bert, head, fusion, Path(folders[-1]), labels)
    environment = {**os.environ, "HF_HOME": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "1"}

    def load(*arguments: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", LOAD_SEVERAL, *arguments],
            capture_output=True, text=True, env=environment, cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    together = load(*folders)
    alone = [line for i in range(0, len(folders), 2) for line in load(*folders[i : i + 2])]
    assert together == alone


def test_without_trust_the_auto_classes_refuse(bert: Path, tmp_path: Path):
    from transformers import AutoModelForTokenClassification

    saved(bert, "linear", "dlfa", tmp_path / "model")
    with pytest.raises(ValueError, match="trust_remote_code"):
        AutoModelForTokenClassification.from_pretrained(tmp_path / "model", trust_remote_code=False)
