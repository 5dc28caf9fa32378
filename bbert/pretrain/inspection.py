"""A batch as a person reads it: what was in the step at which a training came to grief.

nan/step-1234/batch.npz   the arrays of `Batch`
nan/step-1234/batch.txt   its rows as word-pieces; a prediction as `seen⟨true⟩`
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bbert.pretrain.batch import Batch
from bbert.pretrain.batches import BatchSource
from bbert.pretrain.masking import IGNORED

BATCH_ARRAYS = "batch.npz"
BATCH_TEXT = "batch.txt"


def save_for_inspection(
    folder: Path, batch: Batch, tokenizer_dir: Path, languages: Sequence[str]
) -> None:
    """Write a batch below `folder`, as arrays and as text.

    Args:
        languages: names, in the order of the batch's language numbers.

    Raises:
        OSError: it could not be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {name: value for name, value in vars(batch).items() if value is not None}
    np.savez_compressed(folder / BATCH_ARRAYS, **arrays)
    lines = "".join(f"{line}\n" for line in batch_lines(batch, tokenizer_dir, languages))
    (folder / BATCH_TEXT).write_text(lines, encoding="utf-8")


def keep_step(folder: Path, source: BatchSource, step: int, tokenizer_dir: Path) -> str:
    """Write the batch of a step, counted from 1; where it is, or why it is not, in words."""
    size = source.settings.batch_size
    batch = source.rows(np.arange((step - 1) * size, step * size))
    try:
        save_for_inspection(folder, batch, tokenizer_dir, source.languages)
    except OSError as failure:
        return f"its batch was not saved ({failure.strerror})"
    return f"its batch is in {folder}"


def batch_lines(batch: Batch, tokenizer_dir: Path, languages: Sequence[str]) -> list[str]:
    """One line per row: its number, the language of its first segment, its word-pieces."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(tokenizer_dir / "tokenizer.json"))

    def shown(number: int) -> str:
        return tokenizer.id_to_token(int(number)) or f"[id {number}]"

    lines = []
    for row, ids_T in enumerate(batch.input_ids_BT):
        mask_BT = batch.attention_mask_BT
        length = len(ids_T) if mask_BT is None else int(mask_BT[row].sum())
        pieces = [shown(number) for number in ids_T[:length]]
        for place, label in zip(
            batch.masked_positions_BK[row], batch.masked_labels_BK[row], strict=True
        ):
            if label != IGNORED:
                pieces[place] = f"{pieces[place]}⟨{shown(label)}⟩"
        language = languages[int(batch.language_ids_B[row])]
        lines.append(f"{row}\t{language}\t{' '.join(pieces)}")
    return lines
