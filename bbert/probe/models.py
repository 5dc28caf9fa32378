"""Which models are probed: pretrained ones, and those that fine-tuning left in a transfer run."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bbert.errors import InputError
from bbert.finetune.model_folder import ModelFolder, find_model
from bbert.json_files import read_json
from bbert.run_directory import STAGE_FOLDERS, RunDirectory

if TYPE_CHECKING:
    from torch import nn

logger = logging.getLogger(__name__)

FUSED = "bbert-finetuned"
"""`model_type` of a fused network, which `finetune.export` saves in a form of its own."""


@dataclass(frozen=True)
class Probed:
    """A model to measure.

    Attributes:
        folder: its folder; `config` is that of the encoder.
        title: what tables and figures call it.
        transfer: the name of the transfer run that fine-tuned it, or None.
        fused: whether the folder holds a fused network.
        random_init: layers that are drawn afresh before measuring, or None.
    """

    folder: ModelFolder
    title: str
    transfer: str | None = None
    fused: bool = False
    random_init: str | None = None


def find_probed(
    work: Path, name: str | None, allow_pickle: bool = False, trust_remote_code: bool = False
) -> Probed:
    """The model that `--model` or `--beside` means: as in `bbert finetune`, or a transfer run.

    Raises:
        InputError: there is no such model; a transfer run without one.
    """
    if name is not None and not RunDirectory.is_run(work / STAGE_FOLDERS["pretrain"] / name):
        for path in (work / STAGE_FOLDERS["finetune"] / name, Path(name).expanduser()):
            if RunDirectory.is_run(path) and _stage(path) == "finetune":
                return _of_transfer(path, allow_pickle, trust_remote_code)
    folder = find_model(work, name, allow_pickle, trust_remote_code)
    return Probed(folder, folder.name)


def with_random_layers(probed: Probed, layers: str) -> Probed:
    """The same model with `layers` drawn afresh ("all": every weight)."""
    words = "random encoder" if layers == "all" else f"layers {layers} random"
    return replace(probed, random_init=layers, title=f"{probed.title}, {words}")


def load_probed(probed: Probed, seed: int) -> tuple[nn.Module, nn.Module | None]:
    """The encoder in evaluation mode, and the network around it where it is a fused one.

    Raises:
        InputError: weights that cannot be loaded; layers that the encoder does not have.
    """
    from bbert.finetune.encoder import load_encoder
    from bbert.finetune.random_init import randomize

    network: Any = None
    if probed.fused:
        from bbert.finetune.export import load_network

        network, _ = load_network(probed.folder.path)
        encoder = network.encoder
    else:
        encoder = load_encoder(probed.folder, seed).module
    if probed.random_init is not None:
        randomize(encoder, probed.random_init, "bert", seed)
    return encoder.eval(), network


def _stage(path: Path) -> str | None:
    return RunDirectory(path).manifest.get("stage")


def _of_transfer(path: Path, allow_pickle: bool, trust_remote_code: bool) -> Probed:
    model = path / "model"
    if not (model / "config.json").is_file():
        raise InputError(
            f"{path}: this transfer run holds no model; run its command again (weights of a model "
            "that runs code of its own are not kept)"
        )
    config = read_json(model / "config.json")
    fused = config.get("model_type") == FUSED
    if fused:
        sample = RunDirectory(path).manifest.get("sample")
        folder = ModelFolder(
            model, path.name, str(path.resolve()), config["encoder"],
            Path(sample) if sample else None,
        )  # fmt: skip
    else:
        found = find_model(path, str(model), allow_pickle, trust_remote_code)
        folder = replace(found, name=path.name, reference=str(path.resolve()))
    return Probed(folder, path.name, transfer=path.name, fused=fused)
