"""The model as a `transformers` folder, and back.

`AutoModelForMaskedLM`, `BertForPreTraining` and `AutoModel` load the folder with the same logits to
1e-4. With next-sentence prediction it is a BertForPreTraining. Without, nothing has trained a
pooler, so the folder has none and names BertForMaskedLM: a later stage that needs a pooler starts
it at N(0, 0.02), which is also where the pooler of K et al. 2020 stood after such a pretraining.

`config.json` carries what is not in a BERT under the key `bbert` (languages, separators, ...).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bbert.errors import InputError
from bbert.json_files import read_json
from bbert.pretrain.architecture import NUM_SEGMENTS, Architecture
from bbert.pretrain.model import INITIAL_DEVIATION, LAYER_NORM_EPSILON, BertForPretraining

WEIGHTS_FILE = "model.safetensors"
CONFIG_FILE = "config.json"

_ENDS = {
    "embeddings.word": "bert.embeddings.word_embeddings",
    "embeddings.position": "bert.embeddings.position_embeddings",
    "embeddings.segment": "bert.embeddings.token_type_embeddings",
    "embeddings.norm": "bert.embeddings.LayerNorm",
    "mlm_head.transform": "cls.predictions.transform.dense",
    "mlm_head.norm": "cls.predictions.transform.LayerNorm",
    "mlm_head": "cls.predictions",
    "nsp_head.pooler": "bert.pooler.dense",
    "nsp_head.classifier": "cls.seq_relationship",
}
_IN_LAYER = {
    "attention.output": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "widen": "intermediate.dense",
    "narrow": "output.dense",
    "output_norm": "output.LayerNorm",
}
_FUSED = "attention.query_key_value"
_PARTS = ("query", "key", "value")


def to_hugging_face(
    model: BertForPretraining,
    tokenizer_dir: Path,
    directory: Path,
    extra: Mapping[str, Any],
    padding_id: int = 0,
) -> None:
    """Write weights (safetensors, float32), `config.json` and the tokenizer's files.

    Args:
        model: on any device.
        tokenizer_dir: a `save_pretrained` folder of the tokenizer; its files are copied.
        directory: made if need be.
        extra: the value of the key `bbert` in `config.json`.
        padding_id: id of [PAD].
    """
    from safetensors.torch import save_file

    directory.mkdir(parents=True, exist_ok=True)
    for file in sorted(tokenizer_dir.iterdir()):
        if file.is_file() and file.name not in (CONFIG_FILE, WEIGHTS_FILE):
            shutil.copyfile(file, directory / file.name)
    config = hugging_face_config(model.architecture, padding_id) | {"bbert": dict(extra)}
    text = json.dumps(config, ensure_ascii=False, indent=2) + "\n"
    (directory / CONFIG_FILE).write_text(text, encoding="utf-8")
    save_file(
        {
            name: tensor.detach().to("cpu", torch.float32).contiguous()
            for name, tensor in hugging_face_weights(model).items()
        },
        directory / WEIGHTS_FILE,
        metadata={"format": "pt"},
    )


def from_hugging_face(directory: Path, num_languages: int = 1) -> BertForPretraining:
    """The model in a folder that `to_hugging_face` or BERT's own `save_pretrained` wrote.

    Raises:
        InputError: the folder is none, is another kind of model, or lacks weights.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = directory / WEIGHTS_FILE
    if not path.is_file():
        raise InputError(f"{directory} is no model folder: it has no {WEIGHTS_FILE}")
    try:
        stored = load_file(path)
    except SafetensorError as error:
        raise InputError(f"{path} is damaged ({error}); export the model again") from None
    nsp = "cls.seq_relationship.weight" in stored and "bert.pooler.dense.weight" in stored
    architecture = _architecture(directory / CONFIG_FILE, nsp)
    model = BertForPretraining(architecture, num_languages)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            sources = _sources(name)
            missing = [source for source in sources if source not in stored]
            if missing:
                raise InputError(f"{path} lacks {missing[0]}; is it a BERT for pretraining?")
            weight = torch.cat([stored[source] for source in sources])
            if weight.shape != parameter.shape:
                raise InputError(
                    f"{path}: {sources[0]} has shape {list(weight.shape)}, but {CONFIG_FILE} "
                    f"says {list(parameter.shape)}; export the model again"
                )
            parameter.copy_(weight)
    return model


def hugging_face_weights(model: BertForPretraining) -> dict[str, Tensor]:
    """The weights under the names that `transformers` gives them; views where possible."""
    weights: dict[str, Tensor] = {}
    for name, parameter in model.named_parameters():
        sources = _sources(name)
        stored = model.trimmed(name, parameter)
        weights |= zip(sources, stored.chunk(len(sources)), strict=True)
    return weights


def hugging_face_config(architecture: Architecture, padding_id: int = 0) -> dict[str, Any]:
    """The content of `config.json` that says which BERT it is."""
    return {
        "architectures": ["BertForPreTraining" if architecture.nsp else "BertForMaskedLM"],
        "model_type": "bert",
        "attention_probs_dropout_prob": architecture.dropout,
        "dtype": "float32",
        "hidden_act": "gelu",
        "hidden_dropout_prob": architecture.dropout,
        "hidden_size": architecture.hidden,
        "initializer_range": INITIAL_DEVIATION,
        "intermediate_size": architecture.intermediate,
        "layer_norm_eps": LAYER_NORM_EPSILON,
        "max_position_embeddings": architecture.max_positions,
        "num_attention_heads": architecture.heads,
        "num_hidden_layers": architecture.depth,
        "pad_token_id": padding_id,
        "tie_word_embeddings": True,
        "type_vocab_size": NUM_SEGMENTS,
        "vocab_size": architecture.vocab_size,
    }


def _architecture(path: Path, nsp: bool) -> Architecture:
    config = read_json(path)
    if config.get("model_type") != "bert":
        raise InputError(f"{path}: model type {config.get('model_type')!r}; only 'bert' is known")
    try:
        return Architecture(
            depth=config["num_hidden_layers"],
            heads=config["num_attention_heads"],
            hidden=config["hidden_size"],
            intermediate=config["intermediate_size"],
            vocab_size=config["vocab_size"],
            max_positions=config["max_position_embeddings"],
            dropout=config.get("hidden_dropout_prob", 0.1),
            nsp=nsp,
        )
    except KeyError as error:
        raise InputError(f"{path}: lacks {error}; is it the configuration of a BERT?") from None


def _sources(name: str) -> list[str]:
    """The names in `transformers` of one of our parameters: three for the fused q/k/v."""
    stem, kind = name.rsplit(".", 1)
    if not stem.startswith("layers."):
        return [f"{_ENDS[stem]}.{kind}"]
    _, number, inner = stem.split(".", 2)
    prefix = f"bert.encoder.layer.{number}"
    if inner == _FUSED:
        return [f"{prefix}.attention.self.{part}.{kind}" for part in _PARTS]
    return [f"{prefix}.{_IN_LAYER[inner]}.{kind}"]
