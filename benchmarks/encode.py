"""Text → word-piece ids: bbert's token store beside `tokenizers` on the same lines.

    python benchmarks/encode.py TEXT [--language en] [--vocab-size 8000] [--repeats 3]

TEXT is raw text, plain or as `.xz`. A vocabulary is learned on it first (not timed). Both sides get
the final text (one sentence a line, words separated by one space) and give the same ids, which is
checked; bbert reads and writes files, `tokenizers` has its lines in memory and keeps its result
there. Prints the median and the range over the repeats. bbert uses one thread; `tokenizers` is
timed with one and with all.
"""

from __future__ import annotations

import argparse
import json
import lzma
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bbert.corpus.encode import encode_text
from bbert.corpus.token_store import TokenStore
from bbert.corpus.tokenizer import build_tokenizer
from bbert.corpus.vocabulary import Vocabulary, train_pieces
from bbert.languages import Language

BATCH_LINES = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("text", type=Path)
    parser.add_argument("--language", default="en")
    parser.add_argument("--vocab-size", type=int, default=8000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peer", type=Path, help=argparse.SUPPRESS)  # the process that is timed
    options = parser.parse_args()
    if options.peer is not None:
        json.dump(time_tokenizers(options.peer, options.text, options.repeats), sys.stdout)
        return
    with tempfile.TemporaryDirectory() as folder:
        compare(Path(folder), options)


def compare(folder: Path, options: argparse.Namespace) -> None:
    language = Language.parse(options.language)
    opener = lzma.open if options.text.suffix == ".xz" else open
    with opener(options.text, "rt", encoding="utf-8") as file:
        final = folder / "text.txt"
        final.write_text(language.apply(file.read()), encoding="utf-8")
    megabytes = final.stat().st_size / 1e6
    vocabulary = train_pieces(
        {language.name: final}, [language], options.vocab_size, "joint",
        seed=0, work_directory=folder / "pieces",
    )  # fmt: skip
    vocabulary.save(folder / "vocabulary.tsv")
    seconds = {"bbert, 1 thread": []}
    for _ in range(options.repeats):
        began = time.perf_counter()
        counts = encode_text(final, vocabulary, "greedy", folder / "tokens" / language.name)
        seconds["bbert, 1 thread"].append(time.perf_counter() - began)
    ids = TokenStore.open(folder, language.name).ids
    for threads in (1, os.cpu_count() or 1):
        command = [
            sys.executable, __file__, str(final), "--repeats", str(options.repeats),
            "--peer", str(folder / "vocabulary.tsv"),
        ]  # fmt: skip
        environment = {**os.environ, "RAYON_NUM_THREADS": str(threads)}
        result = subprocess.run(command, env=environment, check=True, capture_output=True)
        peer = json.loads(result.stdout)
        assert (peer["ids"], peer["sum"]) == (len(ids), int(ids.sum(dtype="u8")))
        seconds[f"tokenizers, {threads} thread{'s' * (threads > 1)}"] = peer["seconds"]
    print(
        f"{megabytes:.1f} MB, {counts['sentences']:,} lines, {counts['word_pieces']:,} word-pieces"
    )
    own = statistics.median(seconds["bbert, 1 thread"])
    for name, times in seconds.items():
        middle = statistics.median(times)
        print(
            f"{name:24s} {megabytes / middle:6.1f} MB/s "
            f"({megabytes / max(times):.1f}-{megabytes / min(times):.1f})  "
            f"bbert is {middle / own:.1f} times as fast"
        )


def time_tokenizers(vocabulary: Path, text: Path, repeats: int) -> dict:
    """Seconds of each repeat, and the number and the sum of the ids."""
    tokenizer = build_tokenizer(Vocabulary.load(vocabulary), "greedy")
    lines = [line for line in text.read_text(encoding="utf-8").split("\n") if line]
    seconds = []
    for _ in range(repeats):
        total = count = 0
        began = time.perf_counter()
        for start in range(0, len(lines), BATCH_LINES):
            batch = lines[start : start + BATCH_LINES]
            for encoding in tokenizer.encode_batch_fast(batch, add_special_tokens=False):
                count += len(ids := encoding.ids)
                total += sum(ids)
        seconds.append(time.perf_counter() - began)
    return {"seconds": seconds, "ids": count, "sum": total}


if __name__ == "__main__":
    main()
