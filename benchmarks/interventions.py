"""How fast interventions on the corpus are, beside line-by-line Python that does the same.

    python benchmarks/interventions.py TEXT [--language en] [--megabytes 20] [--repeats 3]

TEXT is plain or compressed text, one paragraph a line. Rates are MB of UTF-8 final text a second,
for `permute` millions of word-pieces a second; `unigram` has two threads. The peer is a plain
Python loop over lines, as the scripts of K et al. 2020 are written, on a twentieth of the text.
Both run in this process, in turn.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import median

PEER_SHARE = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text", type=Path)
    parser.add_argument("--language", default="en")
    parser.add_argument("--megabytes", type=float, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(options, Path(folder))


def measure(options: argparse.Namespace, folder: Path) -> None:
    """Time every intervention and its peer in turn, and print one row for each."""
    import numpy as np
    import zstandard

    from bbert.basic_tokenization import tokenized_blocks
    from bbert.corpus.compressed import read_chunks
    from bbert.corpus.order_measure import slow_order
    from bbert.corpus.permute import VARIANTS, Permutation
    from bbert.corpus.unigram import draw_unigram
    from bbert.fake import FAKE
    from bbert.languages import Language
    from bbert.words_of_lines import fake_but_shared

    raw, size = bytearray(), int(options.megabytes * 1e6)
    for chunk in read_chunks(options.text):
        raw += chunk
        if len(raw) >= size:
            break
    text = raw[: raw.rfind(b"\n", 0, size)].decode()
    text = "\n".join(line for line in Language.parse(options.language).apply(text).split("\n"))
    lines = text.split("\n")
    part = lines[: max(1, len(lines) // PEER_SHARE)]
    megabytes, part_megabytes = len(text.encode()) / 1e6, len("\n".join(part).encode()) / 1e6
    code_blocks = [codes for codes, _ in tokenized_blocks(text)]
    source = folder / "source.txt.zst"
    source.write_bytes(zstandard.compress(text.encode() + b"\n", 1))
    print(f"{megabytes:.1f} MB of final text in {len(lines):,} lines")

    def row(
        name: str, ours: Callable[[], object], theirs: Callable[[], object], unit: str,
        amount: float, part_amount: float,
    ) -> None:  # fmt: skip
        rates: list[tuple[float, float]] = []
        for _ in range(options.repeats):
            pair = []
            for work, done in ((ours, amount), (theirs, part_amount)):
                started = time.perf_counter()
                work()
                pair.append(done / (time.perf_counter() - started))
            rates.append((pair[0], pair[1]))
        own, other = (sorted(pair[side] for pair in rates) for side in (0, 1))
        ratio = median(a / b for a, b in rates)
        print(
            f"{name:<28} {median(own):8.1f} ({own[0]:.1f}-{own[-1]:.1f}) {unit:<9} "
            f"line by line {median(other):7.2f}   {ratio:6.1f} times as fast"
        )

    row(
        "fake",
        lambda: [FAKE.apply(block) for block in code_blocks],
        lambda: _fake(part),
        "MB/s",
        megabytes,
        part_megabytes,
    )
    row("fakeshare30", lambda: [fake_but_shared(block, 0.3) for block in code_blocks],
        lambda: _fake_but_shared(part), "MB/s", megabytes, part_megabytes)  # fmt: skip
    row("unigram (file to file)",
        lambda: draw_unigram(source, folder / "drawn.txt.zst", 0, options.language, 2),
        lambda: _unigram(part), "MB/s", megabytes, part_megabytes)  # fmt: skip

    pieces_of_line = np.array([max(1, round(1.3 * len(line.split()))) for line in lines], np.int64)
    pieces_of_part = pieces_of_line[: len(part)].tolist()
    pieces = int(pieces_of_line.sum())
    print(f"{pieces:,} word-pieces, {pieces / len(lines):.0f} a sentence on average")
    blocks = np.array_split(pieces_of_line, max(1, pieces // 1_000_000))
    generator = np.random.default_rng(0)
    for variant in VARIANTS:
        for p in (0.25, 1.0):
            permutation = Permutation(p, variant, 0, options.language)
            row(
                f"permute {variant} p={p}",
                lambda permutation=permutation: [permutation.order(0, block) for block in blocks],
                lambda p=p, variant=variant: [
                    slow_order(length, p, variant, generator) for length in pieces_of_part
                ],
                "M/s", pieces / 1e6, sum(pieces_of_part) / 1e6,
            )  # fmt: skip


def _fake(lines: list[str]) -> list[str]:
    return [
        " ".join("".join(chr(ord(c) + 200_000) for c in word) for word in line.split(" "))
        for line in lines
    ]


def _fake_but_shared(lines: list[str]) -> list[str]:
    return [
        " ".join(
            word if zlib.crc32(word.encode()) % 100 < 30
            else "".join(chr(ord(c) + 200_000) for c in word)
            for word in line.split(" ")
        )
        for line in lines
    ]  # fmt: skip


def _unigram(lines: list[str]) -> list[str]:
    counts = Counter(word for line in lines for word in line.split())
    words, weights = list(counts), list(counts.values())
    rng = random.Random(0)
    total = [0]
    for weight in weights:
        total.append(total[-1] + weight)
    return [
        " ".join(rng.choices(words, cum_weights=total[1:], k=len(line.split()))) for line in lines
    ]


if __name__ == "__main__":
    main()
