"""Characters, word-pieces and words: time and memory of the vocabulary, and speed of encoding.

    python benchmarks/tokenization.py TEXT [--language en] [--megabytes 20] [--vocab-size 30000]

TEXT is raw text, plain or as `.xz`, of which the first `--megabytes` are brought to their final
form (not timed). Every row is a process of its own, so that its peak memory is its own: that of the
whole process, Python and its libraries included. `--vocab-size` is that of the word-pieces;
characters are all there are, words the 100,000 most frequent. Encoding goes from the text file to
the token store on one thread; its rate is the median (and the range) over the repeats.
"""

from __future__ import annotations

import argparse
import json
import lzma
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bbert.corpus.encode import encode_text
from bbert.corpus.tokenization import cut_of, make_vocabulary
from bbert.languages import Language

ROWS = (("wordpiece", "greedy"), ("wordpiece", "unigram"), ("char", None), ("word", None))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("text", type=Path)
    parser.add_argument("--language", default="en")
    parser.add_argument("--megabytes", type=float, default=20)
    parser.add_argument("--vocab-size", type=int, default=30_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--row", type=int, help=argparse.SUPPRESS)  # the process that is measured
    options = parser.parse_args()
    if options.row is not None:
        json.dump(measure(options), sys.stdout)
        return
    opener = lzma.open if options.text.suffix == ".xz" else open
    with opener(options.text, "rb") as file:
        raw = file.read(int(options.megabytes * 1e6)).decode(errors="ignore")
    with tempfile.TemporaryDirectory() as folder:
        final = Path(folder) / f"{options.language}.txt"
        final.write_text(Language.parse(options.language).apply(raw), encoding="utf-8")
        megabytes = final.stat().st_size / 1e6
        print(f"{megabytes:.1f} MB of final text, a paragraph a line")
        print("| pieces | vocabulary | entries | peak | encoding | pieces a word | [UNK] |")
        print("|---|---|---|---|---|---|---|")
        for number, (tokenization, segmentation) in enumerate(ROWS):
            command = [
                sys.executable, __file__, str(final), "--language", options.language,
                "--repeats", str(options.repeats), "--row", str(number),
                "--vocab-size", str(options.vocab_size),
            ]  # fmt: skip
            found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
            rates = sorted(megabytes / seconds for seconds in found["encoding"])
            print(
                f"| {tokenization}{f', {segmentation}' if segmentation else ''} "
                f"| {found['vocabulary']:.1f} s | {found['entries']:,} "
                f"| {found['vocabulary_megabytes']:.0f} MB "
                f"| {statistics.median(rates):.0f} MB/s ({rates[0]:.0f}–{rates[-1]:.0f}) "
                f"| {found['word_pieces'] / found['words']:.2f} "
                f"| {found['unknown'] / found['word_pieces']:.3%} |",
                flush=True,
            )


def measure(options: argparse.Namespace) -> dict:
    """Seconds, megabytes and counts of one row; `options.text` is the final text."""
    tokenization, segmentation = ROWS[options.row]
    language = Language.parse(options.language)
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        vocabulary = make_vocabulary(
            tokenization, {language.name: options.text}, [language],
            options.vocab_size if tokenization == "wordpiece" else None, "joint",
            2_000_000, smoothing=0.7, seed=0, work_directory=Path(folder) / "pieces",
        )  # fmt: skip
        found = {
            "vocabulary": time.perf_counter() - began,
            "vocabulary_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "entries": len(vocabulary),
            "encoding": [],
        }
        for _ in range(options.repeats):
            began = time.perf_counter()
            counts = encode_text(
                options.text, vocabulary, cut_of(tokenization, segmentation), Path(folder) / "store"
            )
            found["encoding"].append(time.perf_counter() - began)
    return found | counts


if __name__ == "__main__":
    main()
