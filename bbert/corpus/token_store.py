"""The token store: a language's word-pieces as flat memory-mapped arrays.

Binary files, little-endian, and `store.json` below `tokens/<language>/`:

    ids.bin               uint16 or uint32   word-piece ids of all sentences, without [CLS] or [SEP]
    word_starts.bin       uint8              1 where a word-piece begins a word
    sentence_offsets.bin  int64              where each sentence begins in ids, and the end
    document_offsets.bin  int64              first sentence of each document, and the end
    word_ids.bin          uint32             number of the word a piece belongs to, modulo 2³²; only
                                             where permutation has torn words apart

Any sentence is found in O(1) and nothing is read before it is asked for, so that a corpus may be
far larger than memory.

Shape suffixes: `P` word-pieces, `S` sentences.
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from bbert.errors import InputError
from bbert.json_files import read_json, write_json_atomically

TOKENS = "tokens"
STORE_FILE = "store.json"

Ids = npt.NDArray[np.uint16] | npt.NDArray[np.uint32]


def id_dtype(vocab_size: int) -> np.dtype[Any]:
    """The smallest type that holds every id."""
    return np.dtype("<u2" if vocab_size <= 1 << 16 else "<u4")


class TokenStore:
    """The sentences of one language, read-only.

    `ids` and `word_starts` are flat and memory-mapped, `sentence_offsets` counts word-pieces,
    `document_offsets` counts sentences; both have one entry more than there are things. `word_ids`
    is None where the pieces of a word stand together, so that `word_starts` says all.
    """

    def __init__(self, directory: Path) -> None:
        """Open the store in `directory`; see `open`."""
        self.directory = directory
        self._mapped: list[mmap.mmap] = []
        if not (directory / STORE_FILE).is_file():
            raise InputError(f"{directory} holds no token store; run `bbert corpus build` again")
        self.description = read_json(directory / STORE_FILE)
        sizes = {
            name: int(self.description[name]) for name in ("word_pieces", "sentences", "documents")
        }
        dtype = np.dtype(str(self.description["dtype"])).newbyteorder("<")
        self.ids: npt.NDArray[Any] = self._map("ids", dtype, sizes["word_pieces"])
        self.word_starts: npt.NDArray[np.uint8] = self._map(
            "word_starts", np.dtype("u1"), sizes["word_pieces"]
        )
        self.word_ids: npt.NDArray[np.uint32] | None = None
        if self.description.get("word_ids"):
            self.word_ids = self._map("word_ids", np.dtype("<u4"), sizes["word_pieces"])
        int64 = np.dtype("<i8")
        self.sentence_offsets: npt.NDArray[np.int64] = self._map(
            "sentence_offsets", int64, sizes["sentences"] + 1
        )
        self.document_offsets: npt.NDArray[np.int64] = self._map(
            "document_offsets", int64, sizes["documents"] + 1
        )
        if (
            self.sentence_offsets[-1] != sizes["word_pieces"]
            or self.document_offsets[-1] != sizes["sentences"]
        ):
            raise self._damaged("the offsets do not end where the sentences do")

    @classmethod
    def open(cls, corpus_dir: Path, language: str) -> TokenStore:
        """The store of `language` in a corpus.

        Raises:
            InputError: the corpus has no such language, or a file is truncated.
        """
        directory = Path(corpus_dir) / TOKENS / language
        if not directory.is_dir():
            parent = directory.parent
            there = sorted(p.name for p in parent.iterdir()) if parent.is_dir() else []
            raise InputError(
                f"{corpus_dir} has no word-pieces of {language!r} (there: "
                f"{', '.join(there) or 'none'}); build a corpus with that language"
            )
        return cls(directory)

    def __len__(self) -> int:
        """Number of sentences."""
        return len(self.sentence_offsets) - 1

    def __getitem__(self, index: int) -> npt.NDArray[Any]:
        """Ids of one sentence, 1-D, without special tokens; a read-only view of the file."""
        start, end = self._bounds(self.sentence_offsets, index)
        return self.ids[start:end]

    def __iter__(self) -> Iterator[npt.NDArray[Any]]:
        return (self[index] for index in range(len(self)))

    @property
    def num_documents(self) -> int:
        return len(self.document_offsets) - 1

    def document(self, index: int) -> list[npt.NDArray[Any]]:
        """The sentences of one document."""
        first, end = self._bounds(self.document_offsets, index)
        return [self[sentence] for sentence in range(first, end)]

    def release(self) -> None:
        """Give back the memory of the pages that were read: for who reads a whole store once.

        Nothing is lost but time: what is asked for again is read again.
        """
        if hasattr(mmap, "MADV_DONTNEED"):
            for mapped in self._mapped:
                mapped.madvise(mmap.MADV_DONTNEED)

    def verify(self) -> None:
        """Read every file and compare its checksum; raises InputError where one differs."""
        for name, expected in self.description["sha256"].items():
            with (self.directory / name).open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != expected:
                    raise self._damaged(f"{name} has another checksum")

    def _bounds(self, offsets: npt.NDArray[np.int64], index: int) -> tuple[int, int]:
        count = len(offsets) - 1
        if not -count <= index < count:
            raise IndexError(f"{index} is not among the {count} entries of {self.directory}")
        index %= count
        return int(offsets[index]), int(offsets[index + 1])

    def _map(self, name: str, dtype: np.dtype[Any], length: int) -> npt.NDArray[Any]:
        path = self.directory / f"{name}.bin"
        size, expected = path.stat().st_size if path.is_file() else 0, length * dtype.itemsize
        if size != expected:
            raise self._damaged(f"{path.name} has {size:,} bytes, not {expected:,}")
        if length == 0:
            return np.zeros(0, dtype)
        with path.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._mapped.append(mapped)
        # A plain array on the mapped memory: slices of np.memmap itself are several times slower.
        return np.frombuffer(mapped, dtype)

    def _damaged(self, what: str) -> InputError:
        return InputError(f"{self.directory} is damaged: {what}; build the corpus again")


class TokenStoreWriter:
    """Writes a token store batch by batch, with flat memory.

    The store is complete once `close` has returned; before, it has no `store.json` and does not
    open. As a context manager it closes itself, unless an exception passes through.
    """

    def __init__(self, directory: Path, vocab_size: int, with_word_ids: bool = False) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / STORE_FILE).unlink(missing_ok=True)
        self._directory = directory
        self._vocab_size = vocab_size
        self._dtype = id_dtype(vocab_size)
        names = ["ids", "word_starts", "sentence_offsets", "document_offsets"]
        names += ["word_ids"] * with_word_ids
        self._files = {name: _HashedFile(directory / f"{name}.bin") for name in names}
        self._num_pieces = self._num_sentences = self._num_documents = 0

    def append(
        self,
        ids_P: npt.NDArray[np.integer[Any]],
        word_starts_P: npt.NDArray[Any],
        sentence_lengths_S: npt.NDArray[np.integer[Any]],
        starts_document_S: npt.NDArray[np.bool_],
        word_ids_P: npt.NDArray[np.integer[Any]] | None = None,
    ) -> None:
        """Add sentences.

        Args:
            ids_P: word-piece ids of all the sentences, one after the other.
            word_starts_P: 1 (or True) where a word-piece begins a word.
            sentence_lengths_S: number of word-pieces of each sentence.
            starts_document_S: True where a sentence is the first of its document; the very first
                sentence of the store always is.
            word_ids_P: number of each piece's word; given if the store has word ids.
        """
        lengths = np.asarray(sentence_lengths_S, np.int64)
        assert len(ids_P) == len(word_starts_P) == int(lengths.sum())
        assert len(lengths) == len(starts_document_S)
        if not len(lengths):
            return
        if len(ids_P):
            assert int(ids_P.min()) >= 0
            assert int(ids_P.max()) < self._vocab_size
        assert (word_ids_P is not None) == ("word_ids" in self._files)
        starts = np.array(starts_document_S, np.bool_)
        starts[0] |= self._num_sentences == 0
        self._files["ids"].write(np.ascontiguousarray(ids_P, self._dtype))
        self._files["word_starts"].write(np.ascontiguousarray(word_starts_P, np.uint8))
        if word_ids_P is not None:
            self._files["word_ids"].write(np.ascontiguousarray(word_ids_P, "<u4"))
        offsets = self._num_pieces + np.cumsum(lengths) - lengths
        self._files["sentence_offsets"].write(offsets.astype("<i8"))
        documents = np.flatnonzero(starts) + self._num_sentences
        self._files["document_offsets"].write(documents.astype("<i8"))
        self._num_pieces += len(ids_P)
        self._num_sentences += len(lengths)
        self._num_documents += len(documents)

    def close(self) -> None:
        """Finish the files and write `store.json`."""
        self._files["sentence_offsets"].write(np.array([self._num_pieces], "<i8"))
        self._files["document_offsets"].write(np.array([self._num_sentences], "<i8"))
        description = {
            "dtype": self._dtype.name,
            "word_ids": "word_ids" in self._files,
            "vocab_size": self._vocab_size,
            "word_pieces": self._num_pieces,
            "sentences": self._num_sentences,
            "documents": self._num_documents,
            "sha256": {f"{name}.bin": file.close() for name, file in self._files.items()},
        }
        write_json_atomically(self._directory / STORE_FILE, description)

    def __enter__(self) -> TokenStoreWriter:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            self.close()
        else:
            for file in self._files.values():
                file.close()


class _HashedFile:
    """A binary file whose SHA-256 is taken while it is written."""

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("wb")
        self._hash = hashlib.sha256()

    def write(self, array: npt.NDArray[Any]) -> None:
        content = array.data.cast("B") if array.size else b""
        self._file.write(content)
        self._hash.update(content)

    def close(self) -> str:
        self._file.close()
        return self._hash.hexdigest()
