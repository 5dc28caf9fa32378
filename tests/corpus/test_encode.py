"""Text → token store → the same text."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import zstandard
from invented_text import write_texts

from bbert.corpus import encode, word_blocks
from bbert.corpus.encode import encode_text, same_segmentation_rate
from bbert.corpus.segmentation import Segmentation, Segmenter
from bbert.corpus.token_store import TokenStore
from bbert.corpus.vocabulary import (
    RESERVED_SCORE,
    SPECIAL_TOKENS,
    UNKNOWN_ID,
    Kind,
    Vocabulary,
    train_pieces,
)
from bbert.languages import Language, fake

NAMES = ("enfake", "en", "hi")


def learn(folder: Path, kind: Kind, names: tuple[str, ...] = NAMES) -> Vocabulary:
    files = write_texts(folder, names, odd=True)
    languages = [Language.parse(name) for name in names]
    return train_pieces(
        files, languages, 500 * len(names), kind, seed=0, work_directory=folder / "pieces"
    )


@pytest.mark.parametrize("segmentation", ["greedy", "unigram"])
def test_the_store_holds_the_text(tmp_path: Path, segmentation: Segmentation) -> None:
    vocabulary = learn(tmp_path, "joint")
    segmenter = Segmenter(vocabulary, segmentation)
    for name in NAMES:
        path = tmp_path / f"{name}.txt"
        with path.open("a") as file:  # words of letters that the vocabulary has not got
            file.write("\nกข . ขก\n")
        counts = encode_text(path, vocabulary, segmentation, tmp_path / "tokens" / name)
        store = TokenStore.open(tmp_path, name)
        store.verify()
        documents = [
            [line.split(" ") for line in document.split("\n") if line]
            for document in path.read_text().split("\n\n")
        ]
        sentences = [words for document in documents for words in document]
        cut = [segmenter.cut(words) for words in sentences]
        assert [ids.tolist() for ids in store] == [[i for w in s for i in w] for s in cut]
        starts = [int(k == 0) for s in cut for w in s for k in range(len(w))]
        assert store.word_starts.tolist() == starts
        assert [len(store.document(i)) for i in range(store.num_documents)] == [
            len(document) for document in documents
        ]
        assert counts == {
            "documents": len(documents),
            "sentences": len(sentences),
            "words": sum(map(len, sentences)),
            "word_pieces": len(store.ids),
            "unknown": int(np.count_nonzero(store.ids == UNKNOWN_ID)),
        }
        assert counts["unknown"] >= 2


def test_blocks_caches_and_compression_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vocabulary = learn(tmp_path, "joint")
    text = tmp_path / "hi.txt"
    encode_text(text, vocabulary, "greedy", tmp_path / "tokens" / "whole")
    monkeypatch.setattr(word_blocks, "BLOCK_BYTES", 700)
    monkeypatch.setattr(encode, "MAX_KNOWN_WORDS", 50)
    compressed = tmp_path / "hi.txt.zst"
    compressed.write_bytes(zstandard.compress(text.read_bytes()))
    encode_text(compressed, vocabulary, "greedy", tmp_path / "tokens" / "parts")
    whole, parts = (TokenStore.open(tmp_path, name) for name in ("whole", "parts"))
    assert whole.description == parts.description


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_a_text_without_sentences_gives_an_empty_store(tmp_path: Path, content: str) -> None:
    vocabulary = learn(tmp_path, "joint", ("en",))
    (tmp_path / "es.txt").write_text(content)
    counts = encode_text(tmp_path / "es.txt", vocabulary, "greedy", tmp_path / "tokens" / "es")
    assert set(counts.values()) == {0}
    store = TokenStore.open(tmp_path, "es")
    assert (len(store), store.num_documents) == (0, 0)
    assert same_segmentation_rate(tmp_path / "es.txt", vocabulary, "greedy") == 1


@pytest.mark.parametrize("segmentation", ["greedy", "unigram"])
def test_mirror_cuts_every_line_like_its_fake(tmp_path: Path, segmentation: Segmentation) -> None:
    mirror = learn(tmp_path / "mirror", "mirror")
    english = tmp_path / "mirror" / "en.txt"
    assert same_segmentation_rate(english, mirror, segmentation) == 1
    joint = learn(tmp_path / "joint", "joint")
    assert same_segmentation_rate(english, joint, segmentation) < 1
    # Text that the vocabulary has not seen, and in other languages, is cut alike too.
    other = write_texts(tmp_path, ("enfake", "es", "ru", "hi"), seed=9, odd=True)
    for name in ("es", "ru", "hi"):
        assert same_segmentation_rate(other[name], mirror, segmentation) == 1


def test_same_segmentation_counts_lines(tmp_path: Path) -> None:
    """Of three lines one is cut differently, since only English has the piece "dog"."""
    shifted = Language.parse("enfake").apply("d o g c").split()
    reserved = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    both = ("d", "##o", "##g", "c", shifted[0], "##" + shifted[1], "##" + shifted[2], shifted[3])
    vocabulary = Vocabulary((*reserved, *both, "dog"), (-1e4,) * 5 + (-9.0,) * 8 + (-1.0,))
    path = tmp_path / "en.txt"
    path.write_text("c do\ndo dog\n\nc zz c\n")
    for segmentation in ("greedy", "unigram"):
        assert same_segmentation_rate(path, vocabulary, segmentation) == pytest.approx(2 / 3)


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="reads /proc")
def test_memory_does_not_grow_with_the_text(tmp_path: Path) -> None:
    """Encoding 24 MB takes hardly more memory than 3 MB."""
    learn(tmp_path, "joint", ("en",)).save(tmp_path / "vocabulary.tsv")
    text = (tmp_path / "en.txt").read_text()
    program = (
        "import re, sys; from pathlib import Path\n"
        "from bbert.corpus.vocabulary import Vocabulary\n"
        "from bbert.corpus import word_blocks\n"
        "from bbert.corpus.encode import encode_text\n"
        "word_blocks.BLOCK_BYTES = 1 << 19\n"
        "folder = Path(sys.argv[1])\n"
        "vocabulary = Vocabulary.load(folder / 'vocabulary.tsv')\n"
        "encode_text(folder / sys.argv[2], vocabulary, 'greedy', folder / 'tokens' / sys.argv[2])\n"
        "status = Path('/proc/self/status').read_text()\n"
        "print(re.search(r'VmHWM:\\s+(\\d+)', status).group(1))\n"
    )
    peaks = []
    for megabytes in (3, 24):
        path = tmp_path / f"{megabytes}.txt"
        path.write_text(text * (megabytes * 1_000_000 // len(text)))
        command = [sys.executable, "-c", program, str(tmp_path), path.name]
        peaks.append(int(subprocess.run(command, check=True, capture_output=True).stdout))
    assert peaks[1] - peaks[0] < 12_000  # kilobytes


@pytest.mark.parametrize(("shifted", "rate"), [(("ab", "cd"), 1.0), (("a", "bcd"), 0.5)])
def test_as_many_pieces_are_not_yet_the_same_cut(
    tmp_path: Path, shifted: tuple[str, str], rate: float
) -> None:
    """`ab ##cd` beside `a ##bcd`: two pieces each, at other places."""
    pieces = ["ab", "##cd", "x", fake("x"), fake(shifted[0]), "##" + fake(shifted[1])]
    tokens = (*SPECIAL_TOKENS, *pieces)
    scores = (RESERVED_SCORE,) * len(SPECIAL_TOKENS) + (-1.0,) * len(pieces)
    path = tmp_path / "en.txt"
    path.write_text("abcd x\nx\n")
    assert same_segmentation_rate(path, Vocabulary(tokens, scores), "greedy") == rate
