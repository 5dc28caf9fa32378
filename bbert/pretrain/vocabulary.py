"""Ids that pretraining must know of a tokenizer: specials, separators, ordinary word-pieces."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bbert.errors import InputError

_UNUSED = re.compile(r"\[unused(\d+)\]", re.IGNORECASE)


@dataclass(frozen=True)
class Vocabulary:
    """Ids of a tokenizer.

    Attributes:
        size: number of ids, and so of rows of the embedding.
        ordinary_ids: int64, ids of word-pieces: neither special nor reserved.
    """

    size: int
    padding: int
    classifier: int
    separator: int
    mask: int
    ordinary_ids: NDArray[np.int64]
    unused_ids: dict[int, int]

    @classmethod
    def open(cls, tokenizer_dir: Path) -> Vocabulary:
        """Read `tokenizer.json`; raises InputError where it is missing or lacks a special."""
        from tokenizers import Tokenizer

        path = tokenizer_dir / "tokenizer.json"
        if not path.is_file():
            raise InputError(f"{path}: no such file; give a corpus that `bbert corpus build` made")
        try:
            tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises bare Exception
            raise InputError(f"{path}: no tokenizer ({error}); build the corpus again") from None
        ids = tokenizer.get_vocab(with_added_tokens=True)
        specials = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
        missing = [special for special in specials if special not in ids]
        if missing:
            raise InputError(f"{path}: lacks {', '.join(missing)}; build the corpus again")
        unused = {
            int(match.group(1)): number
            for token, number in ids.items()
            if (match := _UNUSED.fullmatch(token))
        }
        size = max(ids.values()) + 1
        reserved = {*unused.values(), *(ids[special] for special in specials)}
        ordinary = np.array(sorted(set(ids.values()) - reserved), dtype=np.int64)
        if not len(ordinary):
            raise InputError(f"{path}: has no word-pieces; build the corpus again")
        return cls(
            size=size,
            padding=ids["[PAD]"],
            classifier=ids["[CLS]"],
            separator=ids["[SEP]"],
            mask=ids["[MASK]"],
            ordinary_ids=ordinary,
            unused_ids=unused,
        )

    def unused(self, number: int) -> int:
        """Id of `[unused<number>]`; raises InputError where the vocabulary has none."""
        if number not in self.unused_ids:
            raise InputError(
                f"--lang-id: the vocabulary has no [unused{number}] left for a separator; "
                "build the corpus with fewer languages"
            )
        return self.unused_ids[number]
