"""Which model `--model` means, and what its folder says about it; read from JSON, without torch.

A model is a run of the pretraining stage, a local `save_pretrained` folder, or a hub id where there
is a network. Nothing in a model folder is ever executed, and pickled weights are refused.
"""

from __future__ import annotations

import logging
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bbert.errors import InputError
from bbert.run_directory import STAGE_FOLDERS, RunDirectory, find_run, read_json

logger = logging.getLogger(__name__)

SUPPORTED = ("bert", "roberta", "xlm-roberta")
"""Values of `model_type` in config.json."""

_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
_TOKENIZERS = ("tokenizer.json", "vocab.txt", "sentencepiece.bpe.model", "vocab.json")
_PICKLED = ("pytorch_model.bin", "pytorch_model.bin.index.json")
_TRUE = ("1", "ON", "YES", "TRUE")


@dataclass(frozen=True)
class ModelFolder:
    """A `save_pretrained` folder.

    Attributes:
        path: the folder.
        name: what runs and tables call the model.
        reference: what `--model` must say to mean it again.
        config: its config.json.
        sample: folder of the embedded sample that it was pretrained on, or None.
    """

    path: Path
    name: str
    reference: str
    config: dict[str, Any] = field(repr=False)
    sample: Path | None = None

    @property
    def own(self) -> dict[str, Any]:
        """What bbert's pretraining noted in config.json; empty for a foreign model."""
        return self.config.get("bbert") or {}

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages that it was pretrained on, the source language first; empty if unknown."""
        return tuple(self.own.get("languages", ()))

    @property
    def depth(self) -> int:
        return int(self.config["num_hidden_layers"])

    @property
    def max_length(self) -> int:
        """Word-pieces that its position embeddings allow."""
        positions = int(self.config["max_position_embeddings"])
        if self.config["model_type"] == "bert":
            return positions
        return positions - int(self.config.get("pad_token_id", 1)) - 1

    @property
    def input_files(self) -> list[Path]:
        """The files that decide what the model computes."""
        return sorted(
            path
            for path in self.path.iterdir()
            if path.is_file() and path.suffix in (".json", ".safetensors", ".txt", ".model")
        )


def find_model(work: Path, name: str | None) -> ModelFolder:
    """The model that `--model` means.

    Args:
        work: the folder of all runs.
        name: a pretraining run's name or folder, a model folder, a hub id, or None for the newest
            pretraining run.

    Raises:
        InputError: there is no such model, or the folder is none that can be used.
    """
    if name is None:
        run = find_run(work, "pretrain", None)
        logger.info("no --model: using the newest run, %s", run.name)
        return _from_run(run, run.name)
    in_work = work / STAGE_FOLDERS["pretrain"] / name
    if RunDirectory.is_run(in_work):
        return _from_run(find_run(work, "pretrain", name), name)
    path = Path(name).expanduser()
    if RunDirectory.is_run(path):
        return _from_run(find_run(work, "pretrain", str(path)), str(path.resolve()))
    if path.exists():
        parent = path.resolve().parent
        sample = _sample_of(RunDirectory(parent)) if RunDirectory.is_run(parent) else None
        title = parent.name if path.resolve().name == "model" else path.resolve().name
        return _checked(path.resolve(), title, str(path.resolve()), sample)
    if in_work.with_name(in_work.name + ".partial").is_dir():
        find_run(work, "pretrain", name)  # explains that the run is not complete
    return _from_hub(work, name)


def _from_run(run: RunDirectory, reference: str) -> ModelFolder:
    return _checked(run.path / "model", run.name, reference, _sample_of(run))


def _sample_of(run: RunDirectory) -> Path | None:
    sample = run.manifest.get("sample")
    return Path(sample) if sample else None


def _from_hub(work: Path, name: str) -> ModelFolder:
    offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in _TRUE
    nowhere = f"--model {name}: no such folder, and no run of that name in {work / 'models'}"
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name):
        raise InputError(nowhere)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    wanted = ["*.safetensors", "*.json", "*.txt", "*.model"]
    try:
        folder = snapshot_download(name, allow_patterns=wanted, local_files_only=offline)
    except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError) as error:
        if offline:
            raise InputError(
                f"{nowhere}; as a hub id it is not in the local cache and HF_HUB_OFFLINE is set"
            ) from None
        reason = str(error).strip().splitlines()[0][:120]
        raise InputError(f"{nowhere}; the hub did not give it either: {reason}") from None
    return _checked(Path(folder), name.split("/")[-1], name, None)


def _checked(path: Path, name: str, reference: str, sample: Path | None) -> ModelFolder:
    if not path.is_dir() or not (path / "config.json").is_file():
        raise InputError(
            f"{path} is no model folder: it has no config.json; give a models run, "
            "a save_pretrained folder or a hub id"
        )
    config = read_json(path / "config.json")
    kind = config.get("model_type")
    if kind not in SUPPORTED:
        raise InputError(
            f"{path / 'config.json'}: model_type {kind!r} is none of {', '.join(SUPPORTED)}"
        )
    for key in ("num_hidden_layers", "hidden_size", "vocab_size", "max_position_embeddings"):
        if not isinstance(config.get(key), int):
            raise InputError(f"{path / 'config.json'}: no whole number {key!r}; is it complete?")
    if not any((path / file).is_file() for file in _WEIGHTS):
        if any((path / file).is_file() for file in _PICKLED):
            raise InputError(
                f"{path}: pickled weights are refused, for loading them can run code; "
                "save the model with safetensors"
            )
        raise InputError(f"{path}: no weights; expected {_WEIGHTS[0]}")
    if not any((path / file).is_file() for file in _TOKENIZERS):
        raise InputError(f"{path}: no tokenizer; expected {_TOKENIZERS[0]}")
    return ModelFolder(path, name, reference, config, sample)
