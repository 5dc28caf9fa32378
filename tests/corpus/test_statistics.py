"""`statistics.json`: lengths, frequencies and examples are those of text and token store."""

from __future__ import annotations

import io
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from invented_text import invented_text
from rich.console import Console

from bbert.cli import main
from bbert.corpus import statistics
from bbert.corpus.example_sentences import source_sentences
from bbert.corpus.plain_text import Piece
from bbert.corpus.statistics import QUANTILES, Lengths
from bbert.corpus.terminal_table import terminal_table
from bbert.corpus.token_store import TokenStore
from bbert.fake import fake_to_plain
from bbert.languages import Language

NAMES = ("enfake", "en", "esreversed", "hi")
EDGES = (1, 2, 4, 8, 16)


@given(st.lists(st.lists(st.integers(1, 60), max_size=30), min_size=1, max_size=4))
def test_counted_lengths_say_what_numpy_says_of_kept_ones(chunks: list[list[int]]):
    lengths = Lengths()
    for chunk in chunks:
        lengths.add(np.array(chunk, np.int64))
    together = np.array([length for chunk in chunks for length in chunk], np.int64)
    found = lengths.summary(EDGES)
    assert found["num"] == len(together)
    if not len(together):
        assert found["mean"] is None
        return
    assert found["mean"] == pytest.approx(together.mean())
    assert (found["shortest"], found["longest"]) == (together.min(), together.max())
    expected = np.quantile(together, QUANTILES, method="lower").tolist()
    assert list(found["quantiles"].values()) == expected
    bins = [*EDGES, 10**9]
    assert found["counts"] == np.histogram(together, bins)[0].tolist()


def test_a_length_beyond_all_measure_takes_no_memory_of_its_size():
    lengths = Lengths()
    lengths.add(np.array([3, 10**12]))
    found = lengths.summary()
    assert found["longest"] == 10**12
    assert found["quantiles"]["0.5"] == 3


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four languages with every kind of intervention, built by the command."""
    work = tmp_path_factory.mktemp("work")
    arguments = ["corpus", "build", "--work", str(work), "--quiet", "--name", "all"]
    arguments += ["--languages", *NAMES, "--vocab-size", "1200"]
    for source in ("en", "es", "hi"):
        path = work / f"{source}.txt"
        path.write_text("\n\n \n\n" + invented_text(source, 50), encoding="utf-8")
        arguments += ["--text", f"{source}={path}"]
    arguments += ["--unigram", "en", "--permute", "hi=0.6"]
    assert main(arguments) == 0
    return work / "corpora" / "all"


@pytest.fixture(scope="module")
def measured(corpus: Path) -> dict:
    return json.loads((corpus / "statistics.json").read_text(encoding="utf-8"))["languages"]


def text_of(corpus: Path, name: str) -> str:
    with zstandard.open(corpus / "text" / f"{name}.txt.zst", "rt", encoding="utf-8") as stream:
        return stream.read()


@pytest.mark.parametrize("name", NAMES)
def test_lengths_are_those_of_the_text(corpus: Path, measured: dict, name: str):
    documents = [d.split("\n") for d in text_of(corpus, name).strip("\n").split("\n\n")]
    sentences = [sentence for document in documents for sentence in document]
    entry = measured[name]
    words = [len(sentence.split(" ")) for sentence in sentences]
    assert entry["words_per_sentence"]["num"] == len(sentences)
    assert entry["words_per_sentence"]["mean"] == pytest.approx(np.mean(words))
    assert sum(entry["words_per_sentence"]["counts"]) == len(sentences)
    assert entry["sentences_per_document"]["num"] == len(documents)
    assert entry["sentences_per_document"]["longest"] == max(map(len, documents))
    store = TokenStore.open(corpus, name)
    assert entry["word_pieces_per_sentence"]["longest"] == max(len(s) for s in store)


@pytest.mark.parametrize("name", NAMES)
def test_frequencies_are_those_of_the_text(corpus: Path, measured: dict, name: str):
    counts = Counter(text_of(corpus, name).split())
    found = measured[name]["words"]
    ordered = sorted(counts.values(), reverse=True)
    assert found["counted"] == sum(ordered)
    assert found["types"] == len(counts)
    assert found["once"] == ordered.count(1)
    assert found["every_block"] == 1
    assert [rank for rank, _ in found["ranks"] if rank in (1, 10, 100)] == [1, 10, 100]
    assert found["ranks"][-1][0] == len(counts)
    assert all(ordered[rank - 1] == count for rank, count in found["ranks"])
    for word in found["most_frequent"]:
        assert counts[word["word"]] == word["count"]
        assert word["unshifted"] == fake_to_plain(word["word"])
    pieces = Counter(TokenStore.open(corpus, name).ids.tolist())
    ranks = dict(map(tuple, measured[name]["word_pieces"]["ranks"]))
    assert ranks[1] == pieces.most_common(1)[0][1]
    assert measured[name]["word_pieces"]["counted"] == pieces.total()


def test_large_texts_are_counted_in_some_of_their_blocks(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
):
    file = corpus / "text" / "en.txt.zst"
    text = text_of(corpus, "en")
    monkeypatch.setattr(statistics, "COUNTED_BYTES", len(text) / 3 + 1)
    blocks = [text[i : i + 100].encode() for i in range(0, len(text), 100)]
    monkeypatch.setattr(statistics, "line_blocks", lambda path: (b + b"\n" for b in blocks))
    found = statistics._word_frequencies(file, len(text))
    assert found["every_block"] == 3
    assert found["counted"] == sum(len(block.split()) for block in blocks[::3])


def test_chunks_of_a_store_do_not_matter(
    corpus: Path, measured: dict, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(statistics, "_CHUNK_SENTENCES", 7)
    monkeypatch.setattr(statistics, "_CHUNK_PIECES", 11)
    tokens = [f"t{i}" for i in range(1200)]
    file = corpus / "text" / "hi.txt.zst"
    found = statistics.language_statistics(corpus, "hi", file, 1, tokens)
    for key in ("words_per_sentence", "word_pieces_per_sentence", "sentences_per_document"):
        assert found[key] == measured["hi"][key]
    assert found["word_pieces"]["ranks"] == measured["hi"]["word_pieces"]["ranks"]


@pytest.mark.parametrize("name", NAMES)
def test_examples_are_of_the_raw_text_and_of_what_was_written(
    corpus: Path, measured: dict, name: str
):
    language = Language.parse(name)
    raw = (corpus.parent.parent / f"{language.source}.txt").read_text(encoding="utf-8")
    documents = [d.split("\n") for d in text_of(corpus, name).strip("\n").split("\n\n")]
    store = TokenStore.open(corpus, name)
    examples = measured[name]["examples"]
    assert len(examples) == 10
    for example in examples:
        assert example["source"] in raw
        assert example["final"] == documents[example["document"]][example["sentence"]]
        pieces = example["word_pieces"]
        number = store.document_offsets[example["document"]] + example["sentence"]
        assert len(pieces) == len(store[int(number)])
        if name == "en":  # unigram: other words, as many
            assert len(example["final"].split()) == len(language.apply(example["source"]).split())
        else:
            assert example["final"] == language.apply(example["source"])
        if name == "hi":  # permuted: the same word-pieces
            assert pieces != sorted(pieces)
            letters = "".join(pieces).replace("##", "")
            assert sorted(letters) == sorted(example["final"].replace(" ", ""))
        else:
            assert " ".join(pieces).replace(" ##", "") == example["final"]
    assert ("word_pieces_unshifted" in examples[0]) == language.is_fake


def test_control_characters_alone_are_no_sentence_of_an_example():
    pieces = [Piece("\x01\x02\nOne \x03two three.\n\x04\nFour five six.", True)]
    for presplit in (True, False):
        found = source_sentences(pieces, Language.parse("en"), presplit)
        assert found == [(0, 0, "One two three."), (0, 1, "Four five six.")]


def test_inspect_shows_it_all(corpus: Path, capsys: pytest.CaptureFixture[str], monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["corpus", "inspect", "all", "--work", str(corpus.parent.parent)]) == 0
    shown = capsys.readouterr().out
    for heading in ("Shares of the sentences that are read", "Lengths", "Frequencies",
                    "Shared characters", "Shared vocabulary entries",
                    "Interventions as measured", "Promises kept", "before and after"):  # fmt: skip
        assert heading in shown
    assert "kendall tau" in shown
    assert "kl divergence" in shown


def test_inspect_measures_a_corpus_that_has_no_statistics(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    import shutil

    older = tmp_path / "corpora" / "older"
    shutil.copytree(corpus, older)
    (older / "statistics.json").unlink()
    assert main(["corpus", "inspect", "older", "--work", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "Frequencies" in shown
    assert "before and after" not in shown


@pytest.mark.parametrize("width", [70, 80, 140])
def test_a_narrow_terminal_cuts_off_no_number(width: int):
    rows = [
        ("enfakeshare30", "fake, reversed, permute", "1,234,567", "98,765,432", "0.018%"),
        ("hi", "–", "12", "7", "12.3%"),
    ]
    headings = ("language", "changed by", "documents", "word-pieces", "share of the words")
    table = terminal_table("Languages", headings, rows, num_words=2)
    file = io.StringIO()
    Console(width=width, file=file).print(table)
    shown = file.getvalue()
    for row in rows:
        for cell in (row[0], *row[2:], *row[1].split()):
            assert cell in shown
    assert max(map(len, shown.split("\n"))) <= width
