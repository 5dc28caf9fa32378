"""Save a fine-tuned network, and load one again.

With fusion `last` the folder is a plain Hugging Face one (`…ForTokenClassification` or
`…ForSequenceClassification`) that the Auto classes load. For a fused network, and for a parser,
transformers has no such class: its folder brings one along (`exported_code/`), which the Auto
classes run with `trust_remote_code=True` and refuse without; `load_network` reads it without
running that code.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bbert.errors import InputError
from bbert.finetune.encoder import quiet_transformers
from bbert.finetune.fusion import FUSIONS
from bbert.finetune.network import FinetunedNetwork, NetworkSettings, assemble
from bbert.json_files import read_json

MODEL_TYPE = "bbert-finetuned"
_HUGGING_FACE_HEADS = {"linear": "token", "classifier": "sequence"}
_CODE = Path(__file__).parent / "exported_code"
_CONFIGURATION, _MODELING = "configuration_bbert_finetuned", "modeling_bbert_finetuned"
_PARSING = "parsing_bbert_finetuned"
_TAGGING = "tagging_bbert_finetuned"
_OF_HEADS = {
    "biaffine": (
        _PARSING, "ForDependencyParsing",
        ("bbert.finetune.heads.biaffine_scores", "bbert.finetune.spanning_trees"),
    ),
    "bilstm-crf": (
        _TAGGING, "ForTagging",
        tuple(f"bbert.finetune.heads.{name}" for name in ("bilstm", "bioul", "crf")),
    ),
}  # fmt: skip
"""Head that no class of transformers has → file of its class, its name, what goes along."""


def export(
    network: FinetunedNetwork,
    settings: NetworkSettings,
    labels: Sequence[str],
    tokenizer: Any,
    directory: Path,
    notes: dict[str, Any],
) -> None:
    """Write the folder of a fine-tuned network.

    Args:
        network: the network, on any device.
        settings: what it was built from.
        labels: in the order of their ids.
        tokenizer: saved beside the weights.
        directory: created; must not exist.
        notes: kept in config.json (task, language, model).
    """
    directory.mkdir(parents=True)
    network = network.cpu().eval()
    if settings.fusion == "last" and settings.head in _HUGGING_FACE_HEADS:
        model = as_hugging_face(network, settings.head, labels)
        model.config.bbert_finetuned = {**notes, **asdict(settings)}
        # save_pretrained imports DeepSpeed, which tells the terminal which device it has guessed
        os.environ.setdefault("DS_ACCELERATOR", "cuda" if torch.cuda.is_available() else "cpu")
        with quiet_transformers(), _full_disk_as_os_error(directory):
            model.save_pretrained(directory)
    else:
        with _full_disk_as_os_error(directory):
            _save_fused(network, settings, labels, directory, notes)
    tokenizer.save_pretrained(directory)


def as_hugging_face(network: FinetunedNetwork, head: str, labels: Sequence[str]) -> Any:
    """The network as a Hugging Face model with the same weights and the same logits."""
    from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification

    config = _with_labels(network.encoder.config, labels)
    of_words = _HUGGING_FACE_HEADS[head] == "token"
    auto = AutoModelForTokenClassification if of_words else AutoModelForSequenceClassification
    with torch.random.fork_rng(devices=[]):
        model = auto.from_config(config)
    weights = {
        f"{model.base_model_prefix}.{name}": tensor
        for name, tensor in network.encoder.state_dict().items()
    }
    linear, pooler = network.head.linear, getattr(network.head, "pooler", None)
    assert isinstance(linear, nn.Linear)
    if of_words or isinstance(model.classifier, nn.Linear):
        weights |= {"classifier.weight": linear.weight, "classifier.bias": linear.bias}
        if isinstance(pooler, nn.Module):
            prefix = f"{model.base_model_prefix}.pooler"
            weights |= {f"{prefix}.{name}": t for name, t in pooler.state_dict().items()}
    else:  # the head of XLM-R has the pooler's dense layer inside
        assert isinstance(pooler, nn.Module)
        weights |= {f"classifier.{name}": t for name, t in pooler.state_dict().items()}
        weights |= {
            "classifier.out_proj.weight": linear.weight,
            "classifier.out_proj.bias": linear.bias,
        }
    model.load_state_dict(weights)
    return model.eval()


def load_network(directory: Path) -> tuple[FinetunedNetwork, tuple[str, ...]]:
    """A fused network that `export` wrote, in evaluation mode, and its labels.

    Raises:
        InputError: the folder is none of `export` with a fusion.
    """
    from safetensors.torch import load_file
    from transformers import AutoConfig, AutoModel

    content = read_json(directory / "config.json")
    if content.get("model_type") != MODEL_TYPE:
        raise InputError(
            f"{directory}: no fused network of bbert (model_type {content.get('model_type')!r}); "
            "load it with the Auto classes of transformers"
        )
    settings = NetworkSettings(**content["network"])
    config = AutoConfig.for_model(**content["encoder"])
    with torch.random.fork_rng(devices=[]):
        network = assemble(AutoModel.from_config(config), settings, seed=0)
    network.load_state_dict(load_file(directory / "model.safetensors"))
    return network.eval(), tuple(content["labels"])


def _save_fused(
    network: FinetunedNetwork,
    settings: NetworkSettings,
    labels: Sequence[str],
    directory: Path,
    notes: dict[str, Any],
) -> None:
    from safetensors.torch import save_file

    content = {
        "model_type": MODEL_TYPE,
        "network": asdict(settings),
        "labels": list(labels),
        "id2label": dict(enumerate(labels)),
        "label2id": {label: number for number, label in enumerate(labels)},
        "encoder": _with_labels(network.encoder.config, labels).to_dict(),
        "bbert_finetuned": notes,
        **_bring_code(settings, directory),
    }
    text = json.dumps(content, ensure_ascii=False, indent=2) + "\n"
    (directory / "config.json").write_text(text, encoding="utf-8")
    weights = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})


def _bring_code(settings: NetworkSettings, directory: Path) -> dict[str, Any]:
    """Copy what the Auto classes need into the folder; the lines of config.json that name it."""
    modules = [_CONFIGURATION, _MODELING]
    if settings.head in _OF_HEADS:
        module, name, copies = _OF_HEADS[settings.head]
        auto = "AutoModel"
        modules.append(module)
        for copied in copies:
            _copy_module(copied, directory / f"{copied.rpartition('.')[2]}.py")
    elif settings.head in _HUGGING_FACE_HEADS:
        name = f"For{_HUGGING_FACE_HEADS[settings.head].capitalize()}Classification"
        module, auto = _MODELING, f"AutoModel{name}"
    else:
        return {}
    for code in modules:
        shutil.copyfile(_CODE / f"{code}.py", directory / f"{code}.py")
    _copy_module(FUSIONS[settings.fusion], directory / "fusion.py")
    return {
        "architectures": [f"BbertFinetuned{name}"],
        "auto_map": {
            # By way of the network's module: classes of one source are one class to transformers,
            # and it would build a second kind of network in a process as it built the first.
            "AutoConfig": f"{module}.BbertFinetunedConfig",
            auto: f"{module}.BbertFinetuned{name}",
        },
    }


def _copy_module(name: str, file: Path) -> None:
    """Copy the source of a module."""
    found = importlib.util.find_spec(name)
    assert found is not None
    assert found.origin is not None
    shutil.copyfile(found.origin, file)


@contextmanager
def _full_disk_as_os_error(directory: Path) -> Iterator[None]:
    """safetensors has an exception of its own for what the operating system refuses."""
    from safetensors import SafetensorError

    try:
        yield
    except SafetensorError as error:
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise
        code = int(number[1])
        raise OSError(code, os.strerror(code), str(directory)) from None


def _with_labels(config: Any, labels: Sequence[str]) -> Any:
    config = type(config).from_dict(config.to_dict())
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: number for number, label in enumerate(labels)}
    return config
