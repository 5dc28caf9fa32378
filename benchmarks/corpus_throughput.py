"""How fast a corpus is built, step by step, and how much memory that takes.

    python benchmarks/corpus_throughput.py TEXT [--language en] [--megabytes 20] [--processes 2]

TEXT is plain or compressed text, one paragraph a line. Rates are MB of UTF-8 source text a second.
The peer of basic tokenisation is the `tokenizers` library with the same rules, on one thread.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text", type=Path)
    parser.add_argument("--language", default="en")
    parser.add_argument("--megabytes", type=float, default=20)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--vocab-size", type=int, default=20_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(options, Path(folder))


def measure(options: argparse.Namespace, folder: Path) -> None:
    """Run every step on the beginning of the text and print one row for each."""
    from bbert.corpus.compressed import read_chunks
    from bbert.corpus.encode import encode_text
    from bbert.corpus.plain_text import read_pieces
    from bbert.corpus.sentences import split_sentences
    from bbert.corpus.text import write_text
    from bbert.corpus.vocabulary import train_pieces
    from bbert.fake import give_way
    from bbert.languages import Language, fake, unfake

    plain, shifted = Language.parse(options.language), Language.parse(options.language + "fake")
    raw, size = bytearray(), int(options.megabytes * 1e6)
    for chunk in read_chunks(options.text):
        raw += chunk
        if len(raw) >= size:
            break
    source = folder / "source.txt"
    source.write_bytes(bytes(raw[: raw.rfind(b"\n", 0, size) + 1]))
    text = source.read_text()
    megabytes = source.stat().st_size / 1e6
    print(f"{megabytes:.1f} MB of {options.text.name}, {os.cpu_count()} processors")

    def row(name: str, work: Callable[[], object], times: int = 3) -> None:
        seconds = []
        for _ in range(times):
            started = time.perf_counter()
            work()
            seconds.append(time.perf_counter() - started)
        rates = [megabytes / s for s in seconds]
        print(f"{name:<44} {max(rates):8.1f} MB/s  (slowest of {times}: {min(rates):.1f})")

    row("reading documents", lambda: list(read_pieces([source])))
    paragraphs = text.split("\n")
    row("sentences (sentencex)", lambda: [split_sentences(plain, p) for p in paragraphs])
    row("basic tokenisation", lambda: plain.apply(text))
    row("basic tokenisation: tokenizers", lambda: peer(paragraphs), times=1)
    row("basic tokenisation and fake", lambda: shifted.apply(text))
    row("fake", lambda: fake(text))
    faked = fake(text)
    row("unfake", lambda: unfake(faked))
    for language, steps in ((plain, [give_way]), (shifted, [])):
        for processes in sorted({1, options.processes}):
            target = folder / f"{language.name}.txt.zst"
            row(
                f"text → final text, {language.name}, {processes} process(es)",
                lambda t=target, lang=language, s=steps, p=processes: write_text(
                    t, read_pieces([source]), lang, False, s, p
                ),
                times=2,
            )
    files = {plain.name: folder / f"{plain.name}.txt.zst"}
    learned = []
    row(
        f"vocabulary of {options.vocab_size:,}",
        lambda: learned.append(
            train_pieces(files, [plain], options.vocab_size, "joint", seed=0, work_directory=folder)
        ),
        times=1,
    )
    row(
        "final text → token store",
        lambda: encode_text(files[plain.name], learned[0], "greedy", folder / "tokens"),
        times=2,
    )
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(f"most memory of this process (with the whole text in it): {memory:.0f} MB")


def peer(paragraphs: list[str]) -> None:
    """Basic tokenisation by the `tokenizers` library."""
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer

    normalizer = BertNormalizer(clean_text=False, strip_accents=False, lowercase=False)
    pre_tokenizer = BertPreTokenizer()
    for paragraph in paragraphs:
        words = pre_tokenizer.pre_tokenize_str(normalizer.normalize_str(paragraph))
        " ".join([word for word, _ in words])


if __name__ == "__main__":
    main()
