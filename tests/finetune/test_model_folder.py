"""Which folders are models, and what is said of those that are none."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tiny_models import save_run

from bbert.errors import InputError
from bbert.finetune.encoder import PieceIds, load_encoder
from bbert.finetune.model_folder import find_model


@pytest.fixture
def copy(bert: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bert, tmp_path / "copy"))


def edit_config(folder: Path, **changes: object) -> None:
    config = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps(config))


def test_runs_folders_and_the_newest(tmp_path: Path, copy: Path):
    work = tmp_path / "work"
    plain = find_model(work, str(copy))
    assert (plain.name, plain.sample, plain.languages) == ("copy", None, ("enfake", "en"))
    run = save_run(work / "models" / "first", copy, ["enfake", "en"], sample=tmp_path / "sample")
    for name in (None, "first", str(run), str(run / "model")):
        model = find_model(work, name)
        assert model.path == run / "model"
        assert model.name == "first"
        assert model.sample == tmp_path / "sample"
    assert plain.depth == 2
    assert plain.max_length == 64


def test_positions_of_xlm_roberta(xlm_roberta: Path):
    assert find_model(Path("none"), str(xlm_roberta)).max_length == 64


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (lambda f: (f / "config.json").unlink(), "is no model folder: it has no config.json"),
        (lambda f: (f / "config.json").write_text("{"), "damaged JSON"),
        (lambda f: edit_config(f, model_type="gpt2"), "model_type 'gpt2' is none of bert"),
        (lambda f: edit_config(f, hidden_size=None), "no whole number 'hidden_size'"),
        (lambda f: (f / "model.safetensors").unlink(), "no weights; expected model.safetensors"),
        (
            lambda f: (f / "model.safetensors").rename(f / "pytorch_model.bin"),
            "pickled weights are refused",
        ),
        (lambda f: (f / "tokenizer.json").unlink(), "no tokenizer"),
    ],
)
def test_folders_that_are_no_models(copy: Path, break_it, words: str):
    break_it(copy)
    with pytest.raises(InputError, match=words) as error:
        find_model(Path("none"), str(copy))
    assert str(copy) in str(error.value)


def test_names_that_are_nothing(tmp_path: Path):
    with pytest.raises(InputError, match="no such folder, and no run of that name") as error:
        find_model(tmp_path, "no-such/model")
    assert "HF_HUB_OFFLINE" in str(error.value)
    with pytest.raises(InputError, match="no such folder"):
        find_model(tmp_path, str(tmp_path / "a" / "b" / "c"))
    with pytest.raises(InputError, match="no complete pretrain run"):
        find_model(tmp_path, None)


def test_damaged_and_foreign_weights(copy: Path):
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(InputError, match="the weights cannot be loaded"):
        load_encoder(find_model(Path("none"), str(copy)), 0)


@pytest.mark.parametrize(
    "change", [{"num_hidden_layers": 3}, {"num_hidden_layers": 1}, {"hidden_size": 48}]
)
def test_weights_of_another_configuration(copy: Path, change: dict):
    edit_config(copy, **change)
    with pytest.raises(InputError, match=r"do not belong to config.json|cannot be loaded"):
        load_encoder(find_model(Path("none"), str(copy)), 0)


def test_a_tokenizer_of_another_vocabulary(copy: Path):
    entries = len(PieceIds(find_model(Path("none"), str(copy))).tokenizer)
    for size in (entries - 1, entries + 1000):
        edit_config(copy, vocab_size=size)
        with pytest.raises(InputError, match="do not belong together"):
            PieceIds(find_model(Path("none"), str(copy)))
    edit_config(copy, vocab_size=entries + 128 - entries % 128)  # padded for speed: they do
    PieceIds(find_model(Path("none"), str(copy)))


def test_a_missing_pooler_is_drawn_from_the_seed(xlm_roberta: Path, bert: Path):
    # XLMRobertaForMaskedLM has no pooler, BertForPreTraining has one.
    folder = find_model(Path("none"), str(xlm_roberta))
    first, again, other = (load_encoder(folder, seed) for seed in (1, 1, 2))
    assert first.fresh_pooler
    poolers = [encoder.module.pooler.dense.weight for encoder in (first, again, other)]
    assert poolers[0].equal(poolers[1])
    assert not poolers[0].equal(poolers[2])
    assert not load_encoder(find_model(Path("none"), str(bert)), 0).fresh_pooler
