"""What the steps of `corpus.py` share: the text that is measured, tables of times, and memory."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median

import zstandard

from bbert.corpus.compressed import read_chunks
from bbert.corpus.freed_memory import keep_freed_memory
from bbert.corpus.sentence_splitting import split_sentences
from bbert.corpus.tokenization import make_vocabulary
from bbert.corpus.vocabulary import Vocabulary
from bbert.languages import Language

Work = Callable[[], object]


class Text:
    """The text that is measured, in the forms in which the steps take it."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.language = Language.parse(options.language)
        self.folder, self.options = folder, options
        raw = b"".join(_first(options.text, options.megabytes))
        self.raw_file, self.raw = folder / "raw.txt", raw.decode()
        self.raw_file.write_bytes(raw)
        sentences = (
            "\n".join(s.strip() for s in split_sentences(self.language.source, line))
            for line in self.raw.split("\n")
        )
        self.presplit_file = folder / "presplit.txt"
        self.presplit_file.write_text("\n".join(sentences), encoding="utf-8")
        self.final = self.language.apply(self.presplit_file.read_text(encoding="utf-8"))
        self.final_file = folder / f"{self.language.name}.txt.zst"
        self.final_file.write_bytes(zstandard.compress(self.final.encode() + b"\n", 1))
        self.lines = [line for line in self.final.split("\n") if line]
        self.paragraphs = [line for line in self.raw.split("\n") if line]
        self.megabytes = len(raw) / 1e6
        keep_freed_memory()  # as `bbert corpus build` does

    def vocabulary(self, tokenization: str = "wordpiece") -> Vocabulary:
        """A vocabulary of the final text."""
        size = self.options.vocab_size if tokenization == "wordpiece" else None
        return make_vocabulary(
            tokenization, {self.language.name: self.final_file}, [self.language], size,  # type: ignore[arg-type]
            "joint", 2_000_000, smoothing=0.7, seed=0, work_directory=self.folder / "pieces",
        )  # fmt: skip


class Table:
    """Rows of one table; each is timed, with its peer, when it is added."""

    def __init__(self, title: str, repeats: int) -> None:
        self._repeats = repeats
        print(f"\n## {title}\n")
        print("| step | bbert | peer | | bbert is … times as fast |\n|---|---|---|---|---|")

    def row(
        self, name: str, work: Work, amount: float, peer: str = "", peer_work: Work | None = None,
        peer_amount: float = 0.0, unit: str = "MB/s", repeats: int | None = None,
    ) -> float:  # fmt: skip
        """Time `work`, which gets through `amount`, and the peer in turn; returns the median."""
        own: list[float] = []
        others: list[float] = []
        for _ in range(repeats or self._repeats):
            own.append(amount / seconds_of(work))
            if peer_work is not None:
                others.append(peer_amount / seconds_of(peer_work))
        ratio = f"{median(a / b for a, b in zip(own, others, strict=True)):.1f}" if others else ""
        theirs = _rates(others) if others else ""
        print(f"| {name} | {_rates(own)} {unit} | {peer} | {theirs} | {ratio} |", flush=True)
        return median(own)


def _first(path: Path, megabytes: float) -> Iterator[bytes]:
    """Whole lines of a file, up to so many megabytes."""
    left = int(megabytes * 1e6)
    for chunk in read_chunks(path):
        if len(chunk) >= left:
            yield chunk[: chunk.rfind(b"\n", 0, left) + 1]
            return
        left -= len(chunk)
        yield chunk


def megabytes_of(text: str) -> float:
    return len(text.encode()) / 1e6


def seconds_of(work: Work) -> float:
    """How long `work` takes; what it says itself, where it returns seconds."""
    began = time.perf_counter()
    result = work()
    return result if isinstance(result, float) else time.perf_counter() - began


def _rates(values: Sequence[float]) -> str:
    digits = 2 if median(values) < 10 else 1 if median(values) < 100 else 0
    low, middle, high = (f"{v:.{digits}f}" for v in (min(values), median(values), max(values)))
    return middle if len(values) == 1 else f"{middle} ({low}–{high})"


def memory_of_tree(process: int) -> tuple[int, int]:
    """Resident bytes of a process and its descendants now: all, and those that no file backs."""
    resident = anonymous = 0
    try:
        fields = dict(
            line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines()
        )
        resident = int(fields["VmRSS"].split()[0]) * 1024
        anonymous = int(fields["RssAnon"].split()[0]) * 1024
        tasks = Path(f"/proc/{process}/task").iterdir()
        children = [child for task in tasks for child in (task / "children").read_text().split()]
    except (OSError, KeyError):  # it has just ended
        return resident, anonymous
    for child in children:
        more, more_anonymous = memory_of_tree(int(child))
        resident, anonymous = resident + more, anonymous + more_anonymous
    return resident, anonymous
