"""How fast a corpus is looked into: `statistics.json`, and the search for test sentences.

    python benchmarks/corpus_inside.py work/corpora/NAME

Rates are MB of final text a second, median and range of the runs, one process. Beside the search
stands a line-by-line loop that looks every line up in the same set.
"""

from __future__ import annotations

import argparse
import io
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import zstandard

from bbert.corpus.statistics import language_statistics
from bbert.finetune.contamination import lines_that_occur
from bbert.json_files import read_json

NUM_TEST_LINES = 20_000


def line_by_line(text_file: Path, lines: set[bytes]) -> set[bytes]:
    """What one would write first."""
    found = set()
    with text_file.open("rb") as file:
        reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
        for line in io.BufferedReader(reader, 1 << 20):  # type: ignore[arg-type]
            line = line.rstrip(b"\n")
            if line in lines:
                found.add(line)
    return found - {b""}


def rates(action: Callable[[], object], megabytes: float, runs: int) -> str:
    """Median and range in MB/s."""
    found = []
    for _ in range(runs):
        began = time.perf_counter()
        action()
        found.append(megabytes / (time.perf_counter() - began))
    return f"{statistics.median(found):.0f} ({min(found):.0f}–{max(found):.0f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    certificate = read_json(arguments.corpus / "certificate.json")
    tokens = [f"t{i}" for i in range(certificate["vocabulary"]["entries"])]
    print("| language | MB | statistics | search | line by line |\n|---|---|---|---|---|")
    for name, entry in certificate["languages"].items():
        file = arguments.corpus / "text" / f"{name}.txt.zst"
        size = next(step["bytes"] for step in entry["steps"] if step["step"] == "text")
        with zstandard.open(file, "rb") as stream:
            text = stream.read().split(b"\n")
        wanted = set(text[:: max(1, len(text) // NUM_TEST_LINES)]) - {b""}
        del text
        assert lines_that_occur(file, wanted) == line_by_line(file, wanted) == wanted
        corpus = arguments.corpus
        measured = (
            lambda: language_statistics(corpus, name, file, size, tokens),  # noqa: B023
            lambda: lines_that_occur(file, wanted),  # noqa: B023
            lambda: line_by_line(file, wanted),  # noqa: B023
        )
        cells = [rates(action, size / 1e6, arguments.runs) for action in measured]
        print(f"| {name} | {size / 1e6:.0f} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
