"""Which model `--model` means, and what its folder says about it; read from JSON, without torch.

A model is a run of the pretraining stage, a local `save_pretrained` folder, or a hub id where there
is a network. Nothing in a model folder is executed unless `--trust-remote-code` is given, and
pickled weights are refused unless `--allow-pickle` is; where there are safetensors, those are read.
A local folder, and every model with HF_HUB_OFFLINE set, is read without the network.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from bbert.errors import InputError
from bbert.finetune.tasks.hub_data import is_offline
from bbert.json_files import read_json
from bbert.run_directory import STAGE_FOLDERS, RunDirectory, find_run

logger = logging.getLogger(__name__)

SUPPORTED = ("bert", "roberta", "xlm-roberta")
"""Values of `model_type` in config.json."""

_ROBERTA = ("roberta", "xlm-roberta")
_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
_TOKENIZERS = ("tokenizer.json", "vocab.txt", "sentencepiece.bpe.model", "vocab.json")
_PICKLED = ("pytorch_model.bin", "pytorch_model.bin.index.json")


@dataclass(frozen=True)
class ModelFolder:
    """A `save_pretrained` folder.

    Attributes:
        path: the folder.
        name: what runs and tables call the model.
        reference: what `--model` must say to mean it again.
        config: its config.json.
        sample: folder of the embedded sample that it was pretrained on, or None.
        pickled: its weights are those of pytorch_model.bin.
        trusted: code that the folder brings along may run.
    """

    path: Path
    name: str
    reference: str
    config: dict[str, Any] = field(repr=False)
    sample: Path | None = None
    pickled: bool = False
    trusted: bool = False

    @property
    def own(self) -> dict[str, Any]:
        """What bbert's pretraining noted in config.json; empty for a foreign model."""
        return self.config.get("bbert") or {}

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages that it was pretrained on, the source language first; empty if unknown."""
        return tuple(self.own.get("languages", ()))

    @property
    def runs_own_code(self) -> bool:
        """Whether its encoder or configuration is of a class that the folder brings along."""
        brought = self.config.get("auto_map") or {}
        return self.trusted and ("AutoConfig" in brought or "AutoModel" in brought)

    @property
    def depth(self) -> int:
        return int(self.config["num_hidden_layers"])

    @property
    def max_length(self) -> int:
        """Word-pieces that its position embeddings allow."""
        positions = int(self.config["max_position_embeddings"])
        if self.config["model_type"] not in _ROBERTA:
            return positions
        return positions - int(self.config.get("pad_token_id", 1)) - 1

    @property
    def input_files(self) -> list[Path]:
        """The files that decide what the model computes."""
        suffixes = [".json", ".safetensors", ".txt", ".model"]
        suffixes += [".bin"] * self.pickled + [".py"] * self.trusted
        return sorted(
            path for path in self.path.iterdir() if path.is_file() and path.suffix in suffixes
        )


def find_model(
    work: Path, name: str | None, allow_pickle: bool = False, trust_remote_code: bool = False
) -> ModelFolder:
    """The model that `--model` means.

    Args:
        work: the folder of all runs.
        name: a pretraining run's name or folder, a model folder, a hub id, or None for the newest
            pretraining run.
        allow_pickle: accept pytorch_model.bin where there are no safetensors.
        trust_remote_code: let code that the folder brings along run.

    Raises:
        InputError: there is no such model, or the folder is none that can be used.
    """
    allowed = _Allowed(allow_pickle, trust_remote_code)
    if name is None:
        run = find_run(work, "pretrain", None)
        logger.info("no --model: using the newest run, %s", run.name)
        return _from_run(run, run.name, allowed)
    in_work = work / STAGE_FOLDERS["pretrain"] / name
    if RunDirectory.is_run(in_work):
        return _from_run(find_run(work, "pretrain", name), name, allowed)
    path = Path(name).expanduser()
    if RunDirectory.is_run(path):
        return _from_run(find_run(work, "pretrain", str(path)), str(path.resolve()), allowed)
    if path.exists():
        parent = path.resolve().parent
        sample = _sample_of(RunDirectory(parent)) if RunDirectory.is_run(parent) else None
        title = parent.name if path.resolve().name == "model" else path.resolve().name
        return _checked(path.resolve(), title, str(path.resolve()), sample, allowed)
    if in_work.with_name(in_work.name + ".partial").is_dir():
        find_run(work, "pretrain", name)  # explains that the run is not complete
    return _from_hub(work, name, allowed)


class _Allowed(NamedTuple):
    """What `--allow-pickle` and `--trust-remote-code` permit."""

    pickle: bool
    code: bool


def _from_run(run: RunDirectory, reference: str, allowed: _Allowed) -> ModelFolder:
    return _checked(run.path / "model", run.name, reference, _sample_of(run), allowed)


def _sample_of(run: RunDirectory) -> Path | None:
    sample = run.manifest.get("sample")
    return Path(sample) if sample else None


def _from_hub(work: Path, name: str, allowed: _Allowed) -> ModelFolder:
    offline = is_offline()
    nowhere = f"--model {name}: no such folder, and no run of that name in {work / 'models'}"
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name):
        raise InputError(nowhere)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    wanted = ["*.safetensors", "*.json", "*.txt", "*.model", *["*.py"] * allowed.code]
    below = ["*/*"]  # weights in other formats

    def fetched(patterns: list[str]) -> Path:
        return Path(
            snapshot_download(
                name, allow_patterns=patterns, ignore_patterns=below, local_files_only=offline
            )
        )

    try:
        folder = fetched(wanted)
        if allowed.pickle and not _has(folder, _WEIGHTS):
            folder = fetched([*wanted, "*.bin"])
    except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError) as error:
        if offline:
            raise InputError(
                f"{nowhere}; as a hub id it is not in the local cache and HF_HUB_OFFLINE is set"
            ) from None
        reason = str(error).strip().splitlines()[0][:120]
        raise InputError(f"{nowhere}; the hub did not give it either: {reason}") from None
    return _checked(folder, name.split("/")[-1], name, None, allowed)


def _checked(
    path: Path, name: str, reference: str, sample: Path | None, allowed: _Allowed
) -> ModelFolder:
    if not path.is_dir() or not (path / "config.json").is_file():
        raise InputError(
            f"{path} is no model folder: it has no config.json; give a models run, "
            "a save_pretrained folder or a hub id"
        )
    config = read_json(path / "config.json")
    kind = config.get("model_type")
    brings_code = bool(config.get("auto_map"))
    if kind not in SUPPORTED and not (brings_code and allowed.code):
        code = "; it brings Python code of its own: give --trust-remote-code if you trust it"
        raise InputError(
            f"{path / 'config.json'}: model_type {kind!r} is none of {', '.join(SUPPORTED)}"
            f"{code if brings_code else ''}"
        )
    if brings_code and not allowed.code:
        logger.info("%s brings Python code along; it is not run", name)
    for key in ("num_hidden_layers", "hidden_size", "vocab_size", "max_position_embeddings"):
        if not isinstance(config.get(key), int):
            raise InputError(f"{path / 'config.json'}: no whole number {key!r}; is it complete?")
    pickled = not _has(path, _WEIGHTS)
    if pickled and not _has(path, _PICKLED):
        raise InputError(f"{path}: no weights; expected {_WEIGHTS[0]}")
    if pickled and not allowed.pickle:
        raise InputError(
            f"{path}: pickled weights are refused, for loading them can run code; "
            "save the model with safetensors, or give --allow-pickle"
        )
    if not _has(path, _TOKENIZERS):
        raise InputError(f"{path}: no tokenizer; expected {_TOKENIZERS[0]}")
    return ModelFolder(path, name, reference, config, sample, pickled, allowed.code)


def _has(path: Path, names: Sequence[str]) -> bool:
    return any((path / name).is_file() for name in names)
