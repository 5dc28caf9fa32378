"""Vectors of sentences at every layer, computed batch by batch and kept in files.

A sentence is the mean of its word-pieces, [CLS] and separator left out (Pires et al. 2019, Muller
et al. 2021), or its [CLS] vector. Layer 0 is the embeddings. Vectors go to disk as they are
computed, one layer after the other within a file, and are read one layer at a time: memory does not
grow with the number of sentences times the number of layers.

Legend of suffixes: N sentences, B sentences of a batch, T word-pieces, E hidden size, Y layers.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bbert.errors import InputError
from bbert.finetune.encoder import PieceIds
from bbert.languages import Language
from bbert.probe.models import Probed, load_probed
from bbert.processor_threads import set_threads
from bbert.progress import progress

POSITIONS_AT_ONCE = 4096


@dataclass(frozen=True)
class VectorFile:
    """float32 vectors (layers, sentences, hidden size) in a file."""

    path: Path
    num_layers: int
    num_sentences: int
    hidden_size: int

    def write(self, descriptor: int, layer: int, rows: NDArray[np.int64], vectors_BE: Any) -> None:
        """Write the vectors of some sentences of one layer."""
        size = self.hidden_size * 4
        for row, vector in zip(rows.tolist(), vectors_BE, strict=True):
            os.pwrite(descriptor, vector.tobytes(), (layer * self.num_sentences + row) * size)

    def layer(self, number: int) -> NDArray[np.float32]:
        """The vectors of one layer, (N, E)."""
        count = self.num_sentences * self.hidden_size
        found = np.fromfile(self.path, np.float32, count, offset=4 * number * count)
        return found.reshape(self.num_sentences, self.hidden_size)


@dataclass
class Extractor:
    """A loaded model that turns sentences into vectors."""

    probed: Probed
    pool: str
    max_length: int
    seed: int
    pieces: PieceIds = field(init=False)
    encoder: nn.Module = field(init=False)
    network: Any = field(init=False)
    device: torch.device = field(init=False)

    def __post_init__(self) -> None:
        folder = self.probed.folder
        if self.max_length > folder.max_length:
            raise InputError(
                f"--max-length {self.max_length}: {folder.name} has {folder.max_length} positions"
            )
        self.pieces = PieceIds(folder)
        self.encoder, self.network = load_probed(self.probed, self.seed)
        set_threads(int(folder.config["hidden_size"]))
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        (self.network or self.encoder).to(self.device)

    @property
    def num_layers(self) -> int:
        """Layers with the embeddings, and the fused representation where there is one."""
        return self.probed.folder.depth + 1 + (self.network is not None)

    def write(self, sentences: Sequence[str], language: Language, path: Path) -> dict[str, int]:
        """Write the vectors of all sentences to `path`; returns what was cut off or unknown."""
        ids, counts = self.cut(sentences, language)
        file = self.file(path, len(sentences))
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            with progress(f"{self.probed.title}: {language.name}", len(ids), "sentences") as done:
                for rows, layers in self.states(ids):
                    for number, (states_BTE, text_BT) in enumerate(layers):
                        pooled_BE = _pooled(states_BTE, text_BT, self.pool)
                        file.write(descriptor, number, rows, pooled_BE.cpu().numpy())
                    done(len(rows))
        finally:
            os.close(descriptor)
        return counts

    def file(self, path: Path, num_sentences: int) -> VectorFile:
        """The file that `write` leaves at `path`."""
        size = int(self.probed.folder.config["hidden_size"])
        return VectorFile(path, self.num_layers, num_sentences, size)

    def cut(
        self, sentences: Sequence[str], language: Language
    ) -> tuple[list[NDArray[np.int32]], dict[str, int]]:
        """Word-piece ids with specials, cut off at the model's length; and how many were."""
        bodies = self.pieces.cut(sentences, language)
        room = self.max_length - 2
        counts = {
            "truncated": sum(len(body) > room for body in bodies),
            "without_pieces": sum(not len(body) for body in bodies),
        }
        return [self.framed(body[:room], language) for body in bodies], counts

    def framed(self, body: NDArray[np.int32], language: Language) -> NDArray[np.int32]:
        """A sentence between [CLS] and its separator; [UNK] where it has no word-piece."""
        body = body if len(body) else np.array([self.pieces.unk_id], np.int32)
        end = self.pieces.separator(language.name)
        return np.concatenate([[self.pieces.cls_id], body, [end]]).astype(np.int32)

    def states(
        self, ids: Sequence[NDArray[np.int32]]
    ) -> Iterator[tuple[NDArray[np.int64], Iterator[tuple[Tensor, Tensor]]]]:
        """Batches: sentence numbers, and for every layer the states and where there is text."""
        for rows in _batches([len(row) for row in ids]):
            length = max(len(ids[row]) for row in rows)
            input_ids_BT = np.full((len(rows), length), self.pieces.pad_id, np.int64)
            lengths_B = np.array([len(ids[row]) for row in rows])
            for place, row in enumerate(rows):
                input_ids_BT[place, : lengths_B[place]] = ids[row]
            position_T = np.arange(length)
            mask_BT = position_T < lengths_B[:, None]
            text_BT = mask_BT & (position_T > 0) & (position_T < lengths_B[:, None] - 1)
            yield rows, self._layers(input_ids_BT, mask_BT, text_BT)

    def _layers(
        self, ids_BT: NDArray[np.int64], mask_BT: NDArray[np.bool_], text_BT: NDArray[np.bool_]
    ) -> Iterator[tuple[Tensor, Tensor]]:
        mask = torch.from_numpy(mask_BT.astype(np.int64)).to(self.device)
        text = torch.from_numpy(text_BT).to(self.device)
        with torch.inference_mode():
            found: Any = self.encoder(
                input_ids=torch.from_numpy(ids_BT).to(self.device),
                attention_mask=mask,
                output_hidden_states=True,
            )
            states = list(found.hidden_states)
            if self.network is not None:
                chosen = (states[layer] for layer in self.network.fusion_layers)
                states.append(self.network.fusion(*chosen, mask))
            for states_BTE in states:
                yield states_BTE.float(), text


def _pooled(states_BTE: Tensor, text_BT: Tensor, pool: str) -> Tensor:
    if pool == "cls":
        return states_BTE[:, 0]
    weights_BT1 = (text_BT / text_BT.sum(dim=1, keepdim=True))[:, :, None]
    return (states_BTE * weights_BT1).sum(dim=1)


def _batches(lengths: Sequence[int]) -> Iterator[NDArray[np.int64]]:
    """Sentences of similar length, the longest first, at most `POSITIONS_AT_ONCE` positions."""
    order = np.argsort(-np.array(lengths), kind="stable")
    start = 0
    while start < len(order):
        number = max(1, POSITIONS_AT_ONCE // lengths[order[start]])
        yield order[start : start + number]
        start += number
