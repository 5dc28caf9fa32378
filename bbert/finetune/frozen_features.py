"""Examples with the features of a frozen encoder, computed once and kept on disk in halves.

A head whose encoder does not learn needs the encoder once per text, not once per epoch, seed and
cell of a grid. What is kept depends on the fusion: where it works on every position alone, only the
words' first word-pieces are kept; where it looks at the whole sentence (dlfa), all word-pieces.

Training and testing both read these features, rounded to half precision (11 significant bits); an
exported model computes them anew in float32.

B = sequences, T = word-pieces, S = sentences, W = words, E = hidden size, N = positions.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from bbert.errors import InputError
from bbert.finetune.batches import IGNORED, Batch, collate, evaluation_batches, padded
from bbert.finetune.config import FinetuneConfig, resolved
from bbert.finetune.encoding import EncodedExamples
from bbert.finetune.examples import ExampleSet, RunData
from bbert.finetune.feature_files import (
    FOLDER,
    FeatureFolder,
    Halves,
    check_room,
    features_key,
    only_writer,
    size_text,
)
from bbert.finetune.fusion import WITH_GATE
from bbert.finetune.model_folder import ModelFolder
from bbert.finetune.network import FinetunedNetwork
from bbert.finetune.training import autocast
from bbert.progress import progress
from bbert.provenance import package_versions, sha256

logger = logging.getLogger(__name__)

FORMAT = 1
"""Part of every key: raised when the same inputs give other features."""

_BATCH_SIZE = 32


@dataclass
class FeaturedExamples(EncodedExamples):
    """Encoded examples whose encoder has run already.

    Attributes:
        layers: of every layer that the fusion reads, its features (N, E), mapped from disk.
        starts: first position of every example in them, and N after the last.
        of_words: a position is a word's first word-piece; else all word-pieces are there.
    """

    layers: tuple[Halves, ...] = ()
    starts: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))
    of_words: bool = True

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Words of every example: what a batch is as long as."""
        return np.diff(self.starts) if self.of_words else super().lengths

    @property
    def num_windows(self) -> npt.NDArray[np.int64]:
        return np.ones(len(self), np.int64) if self.of_words else super().num_windows

    def batch(self, rows: npt.NDArray[np.int64]) -> Batch:
        """The batch of the examples `rows`, with features in place of word-pieces."""
        if self.of_words:
            return self._batch_of_words(rows)
        batch = collate(self, rows)
        mask_BT = batch.attention_mask_BT.numpy().astype(bool)
        index_BT = np.zeros(mask_BT.shape, np.int64)
        index_BT[mask_BT] = np.concatenate([np.arange(*self.starts[r : r + 2]) for r in rows])
        return replace(batch, layers_BTE=self._gathered(index_BT))

    def _batch_of_words(self, rows: npt.NDArray[np.int64]) -> Batch:
        first_S1 = self.starts[rows][:, None]
        length_S1 = self.starts[rows + 1][:, None] - first_S1
        positions_W = np.arange(int(length_S1.max()))
        index_SW = first_S1 + np.minimum(positions_W, length_S1 - 1)  # padding repeats a word
        return Batch(
            input_ids_BT=torch.empty(0, 0, dtype=torch.int64),
            attention_mask_BT=torch.from_numpy((positions_W < length_S1).astype(np.int64)),
            segment_ids_BT=None,
            word_index_SW=torch.arange(index_SW.size).view(index_SW.shape),
            num_words=length_S1[:, 0].tolist(),
            labels=torch.from_numpy(padded([self.labels[row] for row in rows], IGNORED)),
            layers_BTE=self._gathered(index_SW),
        )

    def _gathered(self, index_BT: npt.NDArray[np.int64]) -> tuple[Tensor, ...]:
        flat = index_BT.reshape(-1)
        taken = (torch.from_numpy(layer.take(flat, axis=0)) for layer in self.layers)
        return tuple(layer_NE.unflatten(0, index_BT.shape) for layer_NE in taken)


@contextmanager
def frozen_features(
    network: FinetunedNetwork, data: RunData, model: ModelFolder, config: FinetuneConfig, seed: int
) -> Iterator[Callable[[ExampleSet], FeaturedExamples]]:
    """A function from examples of the run to the features that the network's fusion reads.

    What an earlier process has computed is taken from the disk. Features of an encoder that was
    drawn at random belong to one seed of one run: they are removed at the end.

    Args:
        network: with the encoder, on its device, as it stays.
        data: the examples.
        model: where the encoder is from.
        config: of the run.
        seed: of a randomly drawn encoder.

    Raises:
        InputError: no room on the disk; features that half precision cannot hold.
    """
    encoder = describe_encoder(network, model, config, seed)
    of_words = config.fusion not in WITH_GATE
    sets = [data.train, *([data.dev] if data.dev else []), *data.evaluation.values()]
    folders: dict[int, FeatureFolder] = {}
    for examples in sets:
        folder = feature_folder(examples.encoded, encoder, of_words, network.hidden_size,
                                config.work)  # fmt: skip
        folders[id(examples)] = folder
    layers = network.fusion_layers
    distinct = {folder.path: folder for folder in folders.values()}
    missing = sum(f.bytes_per_layer * len(f.missing(layers)) for f in distinct.values())
    if missing:
        check_room(missing, config.work / FOLDER)
        logger.info(
            "features of layers %s: %s to compute, kept in %s",
            ", ".join(map(str, layers)), size_text(missing), config.work / FOLDER,
        )  # fmt: skip

    def featured(examples: ExampleSet) -> FeaturedExamples:
        folder = folders[id(examples)]
        title = f"features of {examples.language} {examples.files.split}"
        _compute(network, examples.encoded, folder, of_words, resolved(config.precision), title,
                 {"model": model.name, "language": examples.language,
                  "split": examples.files.split})  # fmt: skip
        encoded = examples.encoded
        plain = {f.name: getattr(encoded, f.name) for f in fields(EncodedExamples)}
        mapped = tuple(folder.read(layer) for layer in layers)
        return FeaturedExamples(**plain, layers=mapped, starts=folder.starts, of_words=of_words)

    try:
        yield featured
    finally:
        if config.random_init is not None:
            for path in distinct:
                shutil.rmtree(path, ignore_errors=True)


def describe_encoder(
    network: FinetunedNetwork, model: ModelFolder, config: FinetuneConfig, seed: int
) -> dict[str, Any]:
    """Everything about an encoder that its features depend on."""
    versions = package_versions()
    description: dict[str, Any] = {
        "format": FORMAT,
        "weights": _hash_of_weights(model),
        "config": model.config,
        "device": next(network.parameters()).device.type,
        "precision": config.precision,
        "versions": [versions["torch"], versions["transformers"]],
    }
    if config.random_init is not None:
        drawn = [config.random_init, config.init, seed, config.name]
        description["random_init"] = drawn
    return description


def feature_folder(
    encoded: EncodedExamples,
    encoder: Mapping[str, Any],
    of_words: bool,
    hidden_size: int,
    work: Path,
) -> FeatureFolder:
    """Where the features of some examples are or will be.

    Args:
        encoded: the examples.
        encoder: from `describe_encoder`.
        of_words: keep the words' first word-pieces only.
        hidden_size: of the encoder.
        work: folder of all runs.
    """
    assert encoded.word_positions is not None
    pieces = [len(row) for row in encoded.ids]
    words = [len(row) for row in encoded.word_positions]
    windows = [number for row, parts in sorted(encoded.windows.items()) for number in (row, *parts)]
    arrays = [np.concatenate(encoded.ids), np.array(pieces), np.array(windows, np.int64)]
    if of_words:
        arrays += [np.concatenate(encoded.word_positions), np.array(words)]
    key = features_key({**encoder, "of_words": of_words}, arrays)
    starts = np.cumsum([0, *(words if of_words else pieces)])
    return FeatureFolder(work / FOLDER / key, starts.astype(np.int64), hidden_size)


def _compute(
    network: FinetunedNetwork,
    encoded: EncodedExamples,
    folder: FeatureFolder,
    of_words: bool,
    precision: str,
    title: str,
    about: Mapping[str, Any],
) -> None:
    """Write the layers that are missing; waits for another process that writes them."""
    layers = network.fusion_layers
    if not folder.missing(layers):
        return
    with only_writer(folder.path.parent.parent, folder.path.name):
        missing = folder.missing(layers)
        if not missing:
            return
        done = folder.rows_done(missing)
        if done:
            logger.info("%s: %d of %d sentences are there already", title, done, len(encoded))
        with progress(title, len(encoded), "sentences", start=done) as advance:

            def block(first: int, end: int) -> list[Halves]:
                found = _features(network, encoded, folder, missing, of_words, precision,
                                  first, end)  # fmt: skip
                advance(end - first)
                return found

            folder.write(missing, block, about)


@torch.inference_mode()
def _features(
    network: FinetunedNetwork,
    encoded: EncodedExamples,
    folder: FeatureFolder,
    layers: list[int],
    of_words: bool,
    precision: str,
    first: int,
    end: int,
) -> list[Halves]:
    """The features of the rows from `first` to before `end`, an array (N, E) for every layer."""
    device = next(network.parameters()).device
    network.eval()
    offset = folder.starts[first]
    found = [np.empty((int(folder.starts[end] - offset), network.hidden_size), np.float16)
             for _ in layers]  # fmt: skip
    lengths, num_windows = encoded.lengths[first:end], encoded.num_windows[first:end]
    for in_block in evaluation_batches(lengths, _BATCH_SIZE, num_windows):
        rows = in_block + first
        batch = collate(encoded, rows).to(device)
        with autocast(device, precision):
            states = network.hidden_states(batch)
        here_N = np.concatenate([np.arange(*folder.starts[row : row + 2]) for row in rows]) - offset
        for number, layer in enumerate(layers):
            values_NE = _kept(states[layer], batch, of_words).half()
            if not bool(torch.isfinite(values_NE).all()):
                raise InputError(
                    f"layer {layer} of the encoder has values beyond 65,504, which half precision "
                    "cannot hold; its features cannot be kept: use --head linear --freeze all"
                )
            found[number][here_N] = values_NE.cpu().numpy()
    return found


def _kept(state_BTE: Tensor, batch: Batch, of_words: bool) -> Tensor:
    """The positions (N, E) that are kept, sentence after sentence."""
    if not of_words:
        return state_BTE[batch.attention_mask_BT != 0]
    words_SWE = batch.words(state_BTE)
    num_words_S1 = torch.tensor(batch.num_words, device=words_SWE.device).unsqueeze(1)
    return words_SWE[torch.arange(words_SWE.shape[1], device=words_SWE.device) < num_words_S1]


def _hash_of_weights(model: ModelFolder) -> list[str]:
    suffixes = [".safetensors", *[".bin"] * model.pickled, *[".py"] * model.trusted]
    files = [file for file in model.input_files if file.suffix in suffixes]
    return [_hash(file, file.stat().st_size, file.stat().st_mtime_ns) for file in files]


@lru_cache(maxsize=64)
def _hash(file: Path, size: int, modified_ns: int) -> str:
    return sha256(file)
