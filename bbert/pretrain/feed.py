"""What a process computes in each step, ready on its device when the step comes.

On a CPU a batch is made when its step comes. For a GPU a thread works ahead: it makes the rows,
copies them from pinned memory in one piece, and draws the masks on the GPU, all in a stream of its
own, so that the host neither waits for the GPU nor keeps it waiting. The arguments of a step are
the same either way, to the bit.

Legend of suffixes: B rows, T positions, K slots for predictions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bbert.pretrain.batches import BatchSource
from bbert.pretrain.masking import IGNORED
from bbert.pretrain.masks_on_device import DeviceMasking

Parts = list[dict[str, Any]]
"""The model's arguments for each micro-batch of one step."""

_STEPS_AHEAD = 2
_ALIGNMENT_BYTES = 16


def parts_of_steps(
    source: BatchSource, steps: range, rows: Sequence[tuple[int, int]], device: str
) -> Iterator[Parts]:
    """The micro-batches of this process, step by step.

    Args:
        steps: numbers of the steps, counted from 0.
        rows: first and end row of each micro-batch within the global batch.
    """
    if device != "cpu":
        return parts_made_ahead(source, steps, rows, device)
    return ([batch.slice(*part).tensors() for part in rows] for batch in map(source.batch, steps))


def parts_made_ahead(
    source: BatchSource, steps: range, rows: Sequence[tuple[int, int]], device: str
) -> Iterator[Parts]:
    """The same from a thread that works ahead, copied in one piece and masked on the device."""
    on_gpu = device == "cuda"
    number = torch.cuda.current_device() if on_gpu else None  # a thread begins with GPU 0
    stream = torch.cuda.Stream() if on_gpu else None
    masking = DeviceMasking.on(device, source.masking)
    if on_gpu:
        torch.cuda.synchronize()  # the tables are there before the other stream reads them

    def make(step: int) -> tuple[Parts, Any]:
        with torch.no_grad(), _in_stream(number, stream):
            parts = _masked_parts(source, step, rows, device, masking)
            return parts, stream.record_event() if stream else None

    with ThreadPoolExecutor(1, "batches") as maker:
        coming = [maker.submit(make, step) for step in steps[:_STEPS_AHEAD]]
        try:
            for step in steps:
                parts, ready = coming.pop(0).result()
                if step + _STEPS_AHEAD < steps.stop:
                    coming.append(maker.submit(make, step + _STEPS_AHEAD))
                if ready is not None:
                    _hand_over(parts, ready)
                yield parts
        finally:
            for future in coming:
                future.cancel()


def copied(arrays: Mapping[str, NDArray[Any]], device: str) -> dict[str, Tensor]:
    """The arrays as tensors on `device`, sent there as one block; the host does not wait."""
    places, size = {}, 0
    for name, array in arrays.items():
        places[name] = size
        size += -(-array.nbytes // _ALIGNMENT_BYTES) * _ALIGNMENT_BYTES
    block = torch.empty(size, dtype=torch.uint8, pin_memory=device == "cuda")
    host = block.numpy()
    for name, array in arrays.items():
        here = host[places[name] : places[name] + array.nbytes]
        here[:] = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    block = block.to(device, non_blocking=True)
    return {
        name: block[places[name] : places[name] + array.nbytes]
        .view(torch.from_numpy(array[:0]).dtype)
        .view(array.shape)
        for name, array in arrays.items()
    }


def _masked_parts(
    source: BatchSource,
    step: int,
    rows: Sequence[tuple[int, int]],
    device: str,
    masking: DeviceMasking,
) -> Parts:
    unmasked = source.unmasked(step)
    labels_B = unmasked.next_sentence_labels_B
    num_pairs = 1 if labels_B is None else max(1, int((labels_B != IGNORED).sum()))
    arrays = {
        "input_ids_BT": unmasked.input_ids_BT.astype(np.int32),
        "segment_ids_BT": unmasked.segment_ids_BT.astype(np.uint8),
        "text_BT": unmasked.text_BT,
        "words_BT": unmasked.words_BT,
        "languages_BT": unmasked.languages_BT.astype(np.uint8),
        "mask_keys_B": unmasked.mask_keys_B.view(np.int64),
        "row_keys_B": unmasked.row_keys_B,
        "num_pairs": np.array([num_pairs], dtype=np.float32),
    }
    if unmasked.attention_mask_BT is not None:
        arrays["attention_mask_BT"] = unmasked.attention_mask_BT
    if labels_B is not None:
        arrays["next_sentence_labels_B"] = labels_B
    sent = copied(arrays, device)
    masked_BT, positions_BK, masked_labels_BK, masked_languages_BK = masking.mask_rows(
        sent["input_ids_BT"].long(),
        sent["text_BT"],
        sent["words_BT"],
        sent["languages_BT"].long(),
        sent["mask_keys_B"],
    )
    whole = {
        "input_ids_BT": masked_BT,
        "segment_ids_BT": sent["segment_ids_BT"].long(),
        "attention_mask_BT": sent.get("attention_mask_BT"),
        "masked_positions_BK": positions_BK,
        "masked_labels_BK": masked_labels_BK,
        "masked_languages_BK": masked_languages_BK,
        "next_sentence_labels_B": sent.get("next_sentence_labels_B"),
        "row_keys_B": sent["row_keys_B"],
    }
    counts = {
        "num_masked": (masked_labels_BK != IGNORED).sum().clamp(min=1).float(),
        "num_pairs": sent["num_pairs"][0],
    }
    return [_slice(whole, *part) | counts for part in rows]


def _slice(whole: Mapping[str, Tensor | None], start: int, stop: int) -> dict[str, Tensor | None]:
    return {name: None if rows is None else rows[start:stop] for name, rows in whole.items()}


def _in_stream(number: int | None, stream: Any) -> Any:
    """Within it, this thread works on GPU `number` in `stream`; without a GPU, as always."""
    if stream is None:
        return nullcontext()
    torch.cuda.set_device(number)
    return torch.cuda.stream(stream)


def _hand_over(parts: Parts, ready: Any) -> None:
    """Let the training's stream wait for the tensors, and keep their memory until it is done."""
    training = torch.cuda.current_stream()
    training.wait_event(ready)
    for tensors in parts:
        for tensor in tensors.values():
            if tensor is not None:
                tensor.record_stream(training)
