"""What `corpus.py` measures: each of its steps beside its peer, as rows of tables.

In a module of its own because worker processes import the main module again: what is measured with
their start must not start with the libraries of the peers, as `bbert corpus build` does not.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import released_scripts
import sentencepiece
from corpus_measured import Table, Text, Work, megabytes_of, memory_of_tree, seconds_of

from bbert.basic_tokenization import decode, encode, tokenized_blocks
from bbert.corpus.encode import encode_text
from bbert.corpus.order_measure import slow_order
from bbert.corpus.permute import VARIANTS, Permutation
from bbert.corpus.plain_text import read_pieces
from bbert.corpus.sentence_splitting import split_sentences
from bbert.corpus.shared_documents import DocumentRecord
from bbert.corpus.text import write_text
from bbert.corpus.tokenization import cut_of
from bbert.corpus.tokenizer import build_tokenizer
from bbert.corpus.unigram import draw_unigram
from bbert.corpus.vocabulary import Vocabulary
from bbert.corpus.workers import ALONE, Workers
from bbert.fake import FAKE, fake, give_way
from bbert.words_of_lines import fake_but_shared

BATCH_LINES = 10_000
BATCH_BYTES = 1 << 20
MEMORY_MEGABYTES = (50, 500)
POLL_SECONDS = 0.05


def measure_text(text: Text) -> None:
    """Sentence splitting, basic tokenisation and `fake`."""
    from sentencex import segment  # pyright: ignore[reportAttributeAccessIssue]

    options, code = text.options, text.language.source
    table = Table("Text", options.repeats)
    megabytes, part = megabytes_of(text.raw), text.paragraphs[: len(text.paragraphs) // 20]
    part_megabytes = megabytes_of("\n".join(part))
    batches = list(_batches(text.paragraphs))
    split = partial(_split, code)
    table.row(
        "sentences, 1 process", lambda: [split(batch) for batch in batches], megabytes,
        "`sentencex` alone", lambda: [segment(code, line) for line in text.paragraphs], megabytes,
    )  # fmt: skip
    with Workers(options.processes) as workers:
        list(workers.map(split, batches[: options.processes], "warming up"))
        table.row(
            f"sentences, {options.processes} processes",
            lambda: list(workers.map(split, batches, "splitting")), megabytes,
            "`sentencex` alone, 1 process",
            lambda: [segment(code, line) for line in text.paragraphs], megabytes,
        )  # fmt: skip
    tokenizers_words = _tokenizers_words()
    table.row("basic tokenisation", lambda: text.language.apply(text.raw), megabytes,
              "`tokenizers`", lambda: [tokenizers_words(line) for line in part],
              part_megabytes)  # fmt: skip
    table.row("basic tokenisation", lambda: text.language.apply(text.raw), megabytes,
              "line by line", lambda: [released_scripts.basic_tokens(line) for line in part],
              part_megabytes)  # fmt: skip
    final_megabytes, final_part = megabytes_of(text.final), text.lines[: len(text.lines) // 20]
    codes = _blocks_of_codes(text)
    texts = [decode(block) for block in codes]
    table.row("`fake`, text to text", lambda: [fake(block) for block in texts], final_megabytes,
              "line by line", lambda: [released_scripts.fake(line) for line in final_part],
              megabytes_of("\n".join(final_part)))  # fmt: skip
    table.row("`fake`, arrays to arrays", lambda: [FAKE.apply(block) for block in codes],
              final_megabytes)  # fmt: skip


def measure_interventions(text: Text) -> None:
    """`fakeshare30`, `unigram` and `permute`."""
    options = text.options
    table = Table("Interventions", options.repeats)
    megabytes, part = megabytes_of(text.final), text.lines[: len(text.lines) // 40]
    part_megabytes = megabytes_of("\n".join(part))
    codes = _blocks_of_codes(text)
    texts = [decode(block) for block in codes]
    table.row("`fakeshare30`, text to text",
              lambda: [decode(fake_but_shared(encode(block), 0.3)) for block in texts], megabytes,
              "line by line", lambda: [released_scripts.fake_but_shared(line) for line in part],
              part_megabytes)  # fmt: skip
    table.row("`fakeshare30`, arrays to arrays",
              lambda: [fake_but_shared(block, 0.3) for block in codes], megabytes)  # fmt: skip
    table.row(f"`unigram`, file to file, {options.processes} threads",
              lambda: draw_unigram(text.final_file, text.folder / "drawn.txt.zst", 0,
                                   text.language.name, options.processes), megabytes,
              "line by line", lambda: released_scripts.unigram(part), part_megabytes)  # fmt: skip
    lengths_S = np.array([max(1, round(1.3 * (1 + line.count(" ")))) for line in text.lines])
    pieces, lengths_of_part = float(lengths_S.sum()) / 1e6, lengths_S[: len(part)].tolist()
    blocks = np.array_split(lengths_S, max(1, round(pieces)))
    generator = np.random.default_rng(0)
    for variant in VARIANTS:
        for p in (0.1, 0.25, 0.5, 1.0):
            order = Permutation(p, variant, 0, text.language.name).order  # type: ignore[arg-type]
            table.row(
                f"`permute`, {variant}, p = {p}, 1 thread",
                lambda order=order: [order(0, block) for block in blocks], pieces,
                "line by line",
                lambda p=p, variant=variant: [
                    slow_order(length, p, variant, generator) for length in lengths_of_part
                ],
                sum(lengths_of_part) / 1e6, "M word-pieces/s", min(3, options.repeats),
            )  # fmt: skip


def measure_pieces(text: Text) -> None:
    """Vocabularies and encoding."""
    options = text.options
    megabytes, part = megabytes_of(text.final), text.lines[: len(text.lines) // 4]
    part_megabytes = megabytes_of("\n".join(part))
    table = Table("Word-pieces (final text → token store, file to file)", options.repeats)
    model = str(text.folder / "peer")
    table.row(
        f"vocabulary of {options.vocab_size:,}, 1 process", text.vocabulary, megabytes,
        "`sentencepiece` trainer", lambda: _train_sentencepiece(text, model), megabytes, repeats=1,
    )  # fmt: skip
    processor = sentencepiece.SentencePieceProcessor(model_file=f"{model}.model")  # type: ignore[call-arg]
    with Workers(options.processes) as workers:
        for tokenization, segmentation in (
            ("wordpiece", "greedy"), ("wordpiece", "unigram"), ("char", None), ("word", None),
        ):  # fmt: skip
            cut = cut_of(tokenization, segmentation)  # type: ignore[arg-type]
            vocabulary = text.vocabulary(tokenization)
            tokenizer = build_tokenizer(vocabulary, cut)
            store = text.folder / "tokens"
            name = f"{tokenization}{f', {segmentation}' if segmentation else ''}"
            encode = partial(encode_text, text.final_file, vocabulary, cut, store)
            peers: list[tuple[str, Work]] = [
                (
                    "`tokenizers` encode_batch_fast",
                    partial(_encode, tokenizer.encode_batch_fast, part),
                )
            ]
            if segmentation:
                peers.insert(
                    0, ("`tokenizers` encode_batch", partial(_encode, tokenizer.encode_batch, part))
                )
            if segmentation == "unigram":
                peers.append(
                    ("`sentencepiece` encode", lambda: processor.encode(part, num_threads=-1))  # type: ignore[call-arg]
                )
            if segmentation == "greedy":
                few, ids = part[: len(part) // 20], vocabulary.ids
                table.row(
                    f"{name}, 1 process", encode, megabytes, "line by line, 1 process",
                    lambda few=few, ids=ids: [
                        released_scripts.word_pieces(word, ids)
                        for line in few for word in line.split()
                    ],
                    megabytes_of("\n".join(few)),
                )  # fmt: skip
            for peer, work in peers:
                table.row(f"{name}, {options.processes} processes",
                          partial(encode, workers=workers), megabytes, peer, work,
                          part_megabytes)  # fmt: skip


def measure_whole(text: Text) -> None:
    """Text → token store; the vocabulary is made before."""
    options = text.options
    vocabulary = text.vocabulary()
    megabytes = megabytes_of(text.raw)
    # Peers get every 40th part of the text, one each, all at once.
    blocks = text.raw[: len(text.raw) // 40 * options.processes]
    step = -(-len(blocks) // options.processes)
    parts = [blocks[i : i + step] for i in range(0, len(blocks), step)]
    table = Table(f"Text → token store, {options.processes} processes", options.repeats)
    with ProcessPoolExecutor(options.processes) as pool:

        def loops(passes: int) -> None:
            work = partial(released_scripts.corpus, vocabulary=vocabulary.ids, passes=passes)
            list(pool.map(work, parts))

        list(pool.map(time.sleep, [0.2] * options.processes))  # started
        with Workers(options.processes) as running:
            _build(text, text.presplit_file, True, vocabulary, running)
            table.row(
                "sentences split already, workers running",
                partial(_build, text, text.presplit_file, True, vocabulary, running), megabytes,
                "line by line, no instances", partial(loops, 0), megabytes_of(blocks),
            )  # fmt: skip
        for name, path, presplit, dupes in (
            ("sentences split already", text.presplit_file, True, 0),
            ("sentences split already", text.presplit_file, True, released_scripts.DUPE_FACTOR),
            ("with sentence splitting", text.raw_file, False, 0),
        ):
            peer = f"line by line{f', instances × {dupes}' if dupes else ', no instances'}"
            table.row(name, partial(_build, text, path, presplit, vocabulary), megabytes,
                      peer, partial(loops, dupes), megabytes_of(blocks))  # fmt: skip
        table.row("sentences split already, 1 process",
                  partial(_build, text, text.presplit_file, True, vocabulary, ALONE),
                  megabytes)  # fmt: skip


def measure_memory(text: Text) -> None:
    """`bbert corpus build` on the text repeated to two sizes."""
    print("\n## Memory of `bbert corpus build`, parent and workers together\n")
    print("| text | documents | most memory | of it anonymous | seconds |\n|---|---|---|---|---|")
    raw = text.raw_file.read_bytes()
    for megabytes in MEMORY_MEGABYTES:
        source = text.folder / f"repeated-{megabytes}.txt"
        with source.open("wb") as file:
            left = int(megabytes * 1e6)
            while left > 0:
                part = raw[: raw.rfind(b"\n", 0, left) + 1] or raw[:left]
                file.write(part + b"\n")
                left -= len(part) + 1
        command = [
            sys.executable, "-m", "bbert", "corpus", "build",
            "--text", f"{text.language.source}={source}", "--languages", text.language.name,
            "--vocab-size", str(text.options.vocab_size),
            "--processes", str(text.options.processes),
            "--work", str(text.folder / f"work-{megabytes}"),
        ]  # fmt: skip
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        most, most_anonymous = 0, 0
        while process.poll() is None:
            resident, anonymous = memory_of_tree(process.pid)
            most, most_anonymous = max(most, resident), max(most_anonymous, anonymous)
            time.sleep(POLL_SECONDS)
        seconds = time.perf_counter() - began
        assert process.returncode == 0, "the build failed"
        documents = raw.count(b"\n\n") * megabytes * 1_000_000 // max(1, len(raw))
        print(f"| {megabytes} MB | about {documents:,} | {most / 1e6:.0f} MB | "
              f"{most_anonymous / 1e6:.0f} MB | {seconds:.0f} |", flush=True)  # fmt: skip


def _build(
    text: Text, path: Path, presplit: bool, vocabulary: Vocabulary, running: Workers | None = None
) -> float:
    """The steps `text` and `tokens` of a build; the seconds.

    The start of worker processes is counted where none are `running`. A second between the two
    steps, in which workers import what the second one needs, stands for the learning of the
    vocabulary, which takes longer, and is not counted.
    """
    target, language = text.folder / "built.txt.zst", text.language

    def encode() -> None:
        encode_text(target, vocabulary, "greedy", text.folder / "built", workers=workers)

    def write() -> None:
        pieces = DocumentRecord().digested(read_pieces([path]))
        write_text(target, pieces, language, presplit, [give_way], workers)

    with nullcontext(running) if running else Workers(text.options.processes) as workers:
        seconds = seconds_of(write)
        workers.prepare(encode_text)
        time.sleep(1)
        return seconds + seconds_of(encode)


def _split(language: str, lines: Sequence[str]) -> int:
    return sum(len(split_sentences(language, line)) for line in lines)


def _batches(lines: Sequence[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for line in lines:
        batch.append(line)
        size += len(line)
        if size > BATCH_BYTES:
            yield batch
            batch, size = [], 0
    yield batch


def _blocks_of_codes(text: Text) -> list[Any]:
    return tokenized_blocks(text.final)


def _tokenizers_words() -> Callable[[str], str]:
    """Basic tokenisation by the `tokenizers` library."""
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer

    normalizer = BertNormalizer(clean_text=False, strip_accents=False, lowercase=False)
    words = BertPreTokenizer().pre_tokenize_str
    return lambda line: " ".join([word for word, _ in words(normalizer.normalize_str(line))])


def _encode(encode_batch: Callable[..., Any], lines: Sequence[str]) -> int:
    number = 0
    for start in range(0, len(lines), BATCH_LINES):
        batch = lines[start : start + BATCH_LINES]
        for encoding in encode_batch(batch, add_special_tokens=False):
            number += len(encoding.ids)
    return number


def _train_sentencepiece(text: Text, prefix: str) -> None:
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(text.lines), model_prefix=prefix,
        vocab_size=text.options.vocab_size, hard_vocab_limit=False,
        normalization_rule_name="identity",
        max_sentence_length=1 << 20, num_threads=text.options.processes, minloglevel=2,
    )  # fmt: skip


MEASURES: dict[str, Callable[[Text], None]] = {
    "text": measure_text,
    "interventions": measure_interventions,
    "pieces": measure_pieces,
    "whole": measure_whole,
    "memory": measure_memory,
}
