"""How fast a corpus is made, step by step beside its peers, and how much memory that takes.

    python benchmarks/corpus.py TEXT [--language en] [--steps text interventions pieces …]

TEXT is raw text, plain or compressed, one paragraph a line. Prints tables in Markdown: median and
range of the repeats, and the median of the ratios to the peer, which is timed right after each of
them on a part of the same text. MB are those of the UTF-8 text that goes into a step (`permute`:
millions of word-pieces), compressed text counted as what it unpacks to.

    text            sentence splitting, basic tokenisation, `fake`
    interventions   `fakeshare30`, `unigram`, `permute` in all variants
    pieces          vocabulary (of a size that the text can fill), encoding with every tokenisation
    whole           text → token store as `bbert corpus build` does it, with the start of its worker
                    processes and without, beside the loops of K et al. 2020 on as many processes
    memory          of `bbert corpus build` on the text repeated to 50 and to 500 MB: the most that
                    the process and its workers had at one time

Peers: `tokenizers` (batches, all threads), `sentencepiece` (all threads), and plain Python written
from the description of the released scripts (`released_scripts.py`, one process unless it says
otherwise).
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import random
import sys
import tempfile
import time
from pathlib import Path

from machine import processor_name

STEPS = ("text", "interventions", "pieces", "whole", "memory")
VERSIONS = ("numpy", "pyarrow", "sentencex", "tokenizers", "sentencepiece")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("text", type=Path)
    parser.add_argument("--language", default="en")
    parser.add_argument("--megabytes", type=float, default=1e6, help="only the first so many")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--vocab-size", type=int, default=30_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=list(STEPS))
    options = parser.parse_args()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    random.seed(0)
    import corpus_steps
    from corpus_measured import Text

    versions = " ".join(f"{name} {importlib.metadata.version(name)}" for name in VERSIONS)
    with tempfile.TemporaryDirectory() as folder:
        text = Text(options, Path(folder))
        print(f"`python benchmarks/corpus.py {' '.join(sys.argv[1:])}`: {text.megabytes:.1f} "
              f"MB of {options.text.name}, {len(text.lines):,} sentences; {processor_name()}, "
              f"{os.cpu_count()} cores; Python {platform.python_version()}, {versions}; "
              f"{time.strftime('%Y-%m-%d')}")  # fmt: skip
        for step in options.steps:
            corpus_steps.MEASURES[step](text)


if __name__ == "__main__":
    main()
