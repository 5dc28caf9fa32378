"""The exported folder is a BERT that `transformers` loads with the same logits, and comes back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from bbert.errors import InputError
from bbert.pretrain.architecture import Architecture
from bbert.pretrain.export import from_hugging_face, hugging_face_config, to_hugging_face
from bbert.pretrain.model import BertForPretraining

EXTRA = {"languages": ["enfake", "it"], "lang_id": True, "language_separators": {"enfake": 5}}


def model_of(nsp: bool) -> BertForPretraining:
    model = BertForPretraining(Architecture(3, 4, 32, 80, 97, 40, 0.2, nsp), 2, seed=0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


@pytest.fixture(scope="module")
def tokenizer_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer")
    (folder / "tokenizer.json").write_text('{"made": "up"}')
    (folder / "tokenizer_config.json").write_text("{}")
    return folder


@pytest.fixture(params=[True, False], ids=["nsp", "no-nsp"])
def exported(request, tmp_path, tokenizer_dir) -> tuple[BertForPretraining, Path]:
    model = model_of(request.param)
    to_hugging_face(model, tokenizer_dir, tmp_path / "model", EXTRA)
    return model, tmp_path / "model"


def logits_of(model: BertForPretraining) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    ids = torch.randint(97, (4, 30), generator=generator)
    mask = torch.arange(30) < torch.tensor([30, 12, 3, 29])[:, None]
    segment_ids = (torch.arange(30) > 9).long().expand(4, 30)
    with torch.no_grad():
        hidden = model.encode(ids, segment_ids, mask)[-1]
        logits = model.mlm_head(hidden, model.embeddings.word.weight)
    arguments = {"input_ids": ids, "token_type_ids": segment_ids, "attention_mask": mask.long()}
    return arguments, logits


def test_auto_classes_give_the_same_logits(exported):
    from transformers import AutoModel, AutoModelForMaskedLM

    model, folder = exported
    arguments, expected = logits_of(model)
    mask = arguments["attention_mask"].bool()
    masked_lm, report = AutoModelForMaskedLM.from_pretrained(folder, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["mismatched_keys"]
    if not model.architecture.nsp:
        assert not report["unexpected_keys"]
    with torch.no_grad():
        logits = masked_lm.eval()(**arguments).logits
    assert (logits - expected)[mask].abs().max() < 1e-4
    encoder = AutoModel.from_pretrained(folder).eval()
    with torch.no_grad():
        hidden = encoder(**arguments).last_hidden_state
        ours = model.encode(*(arguments[n] for n in ("input_ids", "token_type_ids")), mask)[-1]
    assert (hidden - ours)[mask].abs().max() < 1e-4


def test_without_nsp_bert_for_pretraining_gives_the_same_logits_too(tmp_path, tokenizer_dir):
    from transformers import BertForPreTraining

    model = model_of(nsp=False)
    to_hugging_face(model, tokenizer_dir, tmp_path, EXTRA)
    arguments, expected = logits_of(model)
    with torch.no_grad():
        logits = BertForPreTraining.from_pretrained(tmp_path).eval()(**arguments).prediction_logits
    assert (logits - expected)[arguments["attention_mask"].bool()].abs().max() < 1e-4


def test_bert_for_pretraining_finds_every_weight(tmp_path, tokenizer_dir):
    from transformers import BertForPreTraining

    model = model_of(nsp=True)
    to_hugging_face(model, tokenizer_dir, tmp_path, EXTRA)
    bert, report = BertForPreTraining.from_pretrained(tmp_path, output_loading_info=True)
    for problem in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        assert not report[problem], problem
    arguments, expected = logits_of(model)
    with torch.no_grad():
        outputs = bert.eval()(**arguments)
        hidden = model.encode(
            arguments["input_ids"], arguments["token_type_ids"], arguments["attention_mask"]
        )[-1]
        pairs = model.nsp_head(hidden[:, 0])
    mask = arguments["attention_mask"].bool()
    assert (outputs.prediction_logits - expected)[mask].abs().max() < 1e-4
    assert (outputs.seq_relationship_logits - pairs).abs().max() < 1e-4


def test_the_way_back_is_exact(exported):
    model, folder = exported
    back = from_hugging_face(folder)
    assert back.architecture == model.architecture
    expected = dict(model.named_parameters())
    for name, parameter in back.named_parameters():
        assert torch.equal(parameter, expected[name]), name


def test_a_folder_saved_by_transformers_comes_back(tmp_path, tokenizer_dir):
    from transformers import BertForPreTraining

    model = model_of(nsp=True)
    to_hugging_face(model, tokenizer_dir, tmp_path / "ours", EXTRA)
    BertForPreTraining.from_pretrained(tmp_path / "ours").save_pretrained(tmp_path / "theirs")
    back = from_hugging_face(tmp_path / "theirs")
    for one, other in zip(model.parameters(), back.parameters(), strict=True):
        assert torch.equal(one, other)


def test_the_configuration_says_what_is_not_in_a_bert(exported):
    from transformers import AutoConfig

    model, folder = exported
    config = AutoConfig.from_pretrained(folder)
    assert config.bbert == EXTRA
    assert config.num_hidden_layers == model.architecture.depth
    assert config.attention_probs_dropout_prob == model.architecture.dropout
    expected = "BertForPreTraining" if model.architecture.nsp else "BertForMaskedLM"
    assert config.architectures == [expected]


def test_what_no_option_says_is_as_in_bert():
    """Google's BERT: exact GELU, LayerNorm with 1e-12, two segments, N(0, 0.02)."""
    from transformers import BertConfig

    ours, berts = hugging_face_config(model_of(True).architecture), BertConfig()
    for key in ("hidden_act", "initializer_range", "layer_norm_eps", "type_vocab_size"):
        assert ours[key] == getattr(berts, key), key


def test_the_tokenizer_travels_with_the_model(exported):
    _, folder = exported
    assert json.loads((folder / "tokenizer.json").read_text()) == {"made": "up"}
    assert (folder / "tokenizer_config.json").is_file()


def test_an_export_is_the_same_to_the_byte(tmp_path, tokenizer_dir):
    for name in ("a", "b"):
        to_hugging_face(model_of(nsp=True), tokenizer_dir, tmp_path / name, EXTRA)
    for file in ("model.safetensors", "config.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def damage_nothing(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()


def damage_weights(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def damage_config(folder: Path) -> None:
    (folder / "config.json").write_text("{")


def other_kind(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "gpt2"}')


def lacking_config(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "bert"}')


def other_size(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text()) | {"vocab_size": 98}
    (folder / "config.json").write_text(json.dumps(config))


def more_layers(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text()) | {"num_hidden_layers": 4}
    (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_nothing, "no model folder"),
        (damage_weights, "model.safetensors is damaged"),
        (damage_config, "config.json: damaged"),
        (other_kind, "'gpt2'"),
        (lacking_config, "lacks 'num_hidden_layers'"),
        (other_size, "has shape"),
        (more_layers, "lacks bert.encoder.layer.3"),
    ],
)
def test_a_folder_that_is_no_such_model_is_refused(tmp_path, tokenizer_dir, damage, message):
    to_hugging_face(model_of(nsp=True), tokenizer_dir, tmp_path, EXTRA)
    damage(tmp_path)
    with pytest.raises(InputError, match=message) as refusal:
        from_hugging_face(tmp_path)
    assert len(str(refusal.value).splitlines()) <= 2
