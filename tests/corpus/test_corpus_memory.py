"""Memory does not grow with the text: six times as much of it takes no more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

_PROGRAM = """
import sys
from pathlib import Path
from bbert.corpus import plain_text, statistics, text, unigram, word_blocks, word_counts
from bbert.corpus.encode import encode_text
from bbert.corpus.permute import Permutation
from bbert.corpus.plain_text import read_pieces
from bbert.corpus.shared_documents import DocumentRecord
from bbert.corpus.statistics import language_statistics
from bbert.corpus.unigram import draw_unigram
from bbert.corpus.vocabulary import RESERVED_SCORE, SPECIAL_TOKENS, Vocabulary
from bbert.languages import Language

folder, number = Path(sys.argv[1]), int(sys.argv[2])
text.BATCH_CHARACTERS, word_blocks.BLOCK_BYTES, plain_text._BLOCK_BYTES = 1 << 17, 1 << 18, 1 << 17
statistics._CHUNK_PIECES, statistics._CHUNK_SENTENCES = 1 << 16, 1 << 12
unigram._SENTENCES_AT_A_TIME, word_counts.MAX_WORDS_IN_MEMORY = 1000, 20_000
content = (folder / "part.txt").read_bytes()
source = folder / "source.txt"
with source.open("wb") as file:
    for _ in range(number):
        file.write(content)
tokens = (*SPECIAL_TOKENS, *(f"w{i}" for i in range(2000)))
scores = (RESERVED_SCORE,) * len(SPECIAL_TOKENS) + (-5.0,) * 2000
final, drawn = folder / "en.txt.zst", folder / "drawn.txt.zst"
documents = DocumentRecord()
pieces = documents.digested(read_pieces([source]))
counts = text.write_text(final, pieces, Language.parse("en"), True)
documents.save(folder / "documents.npz")
draw_unigram(final, drawn, 0, "en", 1)
encode_text(drawn, Vocabulary(tokens, scores), "greedy", folder / "tokens" / "en",
            Permutation(0.5, "released", 0, "en"))
language_statistics(folder, "en", drawn, counts.bytes, tokens)
status = Path("/proc/self/status").read_text().splitlines()
print(counts.bytes, next(line.split()[1] for line in status if line.startswith("VmHWM")))
"""


def measure(folder: Path, number: int) -> tuple[float, float]:
    """Megabytes of final text, and of memory at its largest."""
    command = [sys.executable, "-c", _PROGRAM, str(folder), str(number)]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    size, memory = map(int, result.stdout.split())
    return size / 1e6, memory / 1e3


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_six_times_the_text_takes_no_more_memory(tmp_path: Path):
    numbers = np.random.default_rng(0).zipf(1.3, (40, 400, 12)) % 2000
    part = "\n\n".join(
        "\n".join(" ".join(f"w{i}" for i in line) for line in document) for document in numbers
    )
    (tmp_path / "part.txt").write_text(part + "\n\n")
    small, memory_of_small = measure(tmp_path, 5)
    large, memory_of_large = measure(tmp_path, 30)
    assert large - small > 16
    assert memory_of_large < memory_of_small + 6
