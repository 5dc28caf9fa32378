"""Words drawn from their own counts: what stays, what goes, and how far the draw may stray."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from bbert.corpus import unigram, word_blocks, word_counts
from bbert.corpus.unigram import draw_unigram
from bbert.corpus.unigram_measure import expected_divergence, measure_unigram
from bbert.corpus.word_counts import count_words

documents = st.lists(
    st.lists(
        st.lists(st.sampled_from(["a", "bb", "é", "漢字", "the", "."]), min_size=1, max_size=9),
        min_size=1, max_size=5,
    ),
    min_size=1, max_size=6,
)  # fmt: skip


def write(path: Path, content: list[list[list[str]]]) -> Path:
    text = "\n".join("".join(" ".join(s) + "\n" for s in document) for document in content)
    path.write_bytes(zstandard.compress(text.encode()))
    return path


def read(path: Path) -> str:
    with path.open("rb") as file:
        return zstandard.ZstdDecompressor().stream_reader(file).read().decode()


def shape(text: str) -> list[list[int]]:
    return [[len(s.split(" ")) for s in d.strip("\n").split("\n")] for d in text.split("\n\n")]


@given(documents, st.integers(0, 3), st.sampled_from([8, 64, None]))
@settings(max_examples=150, deadline=None)
def test_lengths_documents_and_words_stay(tmp_path_factory, content, seed, block_bytes):
    folder = tmp_path_factory.mktemp("unigram")
    source = write(folder / "source.txt.zst", content)
    words = draw_unigram(source, folder / "drawn.txt.zst", seed, "es")
    drawn = read(folder / "drawn.txt.zst")
    assert shape(drawn) == [[len(s) for s in document] for document in content]
    assert set(drawn.split()) <= {w for d in content for s in d for w in s}
    measured = measure_unigram(words, count_words(folder / "drawn.txt.zst"))
    assert measured["lengths_preserved"]
    assert measured["words"] == sum(len(s) for d in content for s in d)


def zipf_text(path: Path, num_words: int, num_types: int, seed: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    shares = 1 / np.arange(1, num_types + 1)
    words = rng.choice(num_types, num_words, p=shares / shares.sum())
    lengths = rng.integers(1, 30, num_words)
    ends = np.cumsum(lengths)
    lines, start = [], 0
    for number, end in enumerate(ends[ends < num_words]):
        lines.append(" ".join(f"w{w}" for w in words[start:end]) + "\n" * (1 + (number % 7 == 6)))
        start = end
    path.write_bytes(zstandard.compress("\n".join(lines).encode() + b"\n"))
    return path


def test_draws_do_not_depend_on_blocks(tmp_path: Path, monkeypatch):
    source = zipf_text(tmp_path / "source.txt.zst", 20_000, 500)
    results = []
    for size in (100, 5000, 1 << 20):
        monkeypatch.setattr(word_blocks, "BLOCK_BYTES", size)
        draw_unigram(source, tmp_path / "drawn.txt.zst", 1, "es")
        results.append(read(tmp_path / "drawn.txt.zst"))
    assert results[0] == results[1] == results[2]
    for seed, language in ((2, "es"), (1, "ru")):
        draw_unigram(source, tmp_path / "drawn.txt.zst", seed, language)
        assert read(tmp_path / "drawn.txt.zst") != results[0]


def test_words_come_as_often_as_in_the_source_and_without_order(tmp_path: Path):
    source = zipf_text(tmp_path / "source.txt.zst", 200_000, 300)
    words = draw_unigram(source, tmp_path / "drawn.txt.zst", 0, "es")
    drawn = Counter(read(tmp_path / "drawn.txt.zst").encode().split())
    for word, number in words.items():
        assert drawn[word] == pytest.approx(number, abs=6 * np.sqrt(number) + 1)
    # Neighbours are independent: a pair comes as often as its words by themselves predict.
    sequence = read(tmp_path / "drawn.txt.zst").split()
    pairs = Counter(itertools.pairwise(sequence))
    expected = dict(words.items())[b"w0"] ** 2 / words.num_words
    assert pairs["w0", "w0"] == pytest.approx(expected, abs=6 * np.sqrt(expected))


def test_divergence_lies_where_sampling_puts_it(tmp_path: Path):
    """Over many draws the standardised divergence has mean 0 and spread 1; most types are rare."""
    source = zipf_text(tmp_path / "source.txt.zst", 8_000, 6_000)
    scores = []
    for seed in range(60):
        words = draw_unigram(source, tmp_path / "drawn.txt.zst", seed, "es")
        found = measure_unigram(words, count_words(tmp_path / "drawn.txt.zst"))
        assert found["within_sampling_error"]
        scores.append(
            (found["kl_divergence"] - found["expected_kl_divergence"]) / found["standard_error"]
        )
    assert np.mean(scores) == pytest.approx(0, abs=0.6)
    assert 0.5 < np.std(scores) < 1.4


def test_a_text_that_is_no_draw_is_told_apart(tmp_path: Path):
    source = zipf_text(tmp_path / "source.txt.zst", 20_000, 500)
    words = count_words(source)
    same = measure_unigram(words, count_words(source))  # a perfect copy is too good
    assert same["kl_divergence"] == pytest.approx(0, abs=1e-12)
    assert not same["within_sampling_error"]
    another = zipf_text(tmp_path / "other.txt.zst", 20_000, 500, seed=1)
    other = measure_unigram(words, count_words(another))
    assert not other["lengths_preserved"]
    foreign = measure_unigram(words, count_words(write(tmp_path / "x.txt.zst", [[["never"]]])))
    assert foreign["kl_divergence"] == np.inf
    assert not foreign["within_sampling_error"]


def test_expected_divergence_of_frequent_words_is_the_classical_one():
    mean, _ = expected_divergence(np.full(100, 10_000))
    assert mean == pytest.approx(99 / (2 * 1_000_000), rel=1e-4)
    assert expected_divergence(np.zeros(0, np.int64)) == (0.0, 0.0)


def test_many_distinct_words_are_counted_in_files(tmp_path: Path, monkeypatch):
    source = zipf_text(tmp_path / "source.txt.zst", 30_000, 9_000)
    whole = count_words(source)
    expected = Counter(read(source).encode().split())
    assert dict(whole.items()) == expected
    monkeypatch.setattr(word_counts, "MAX_WORDS_IN_MEMORY", 700)
    monkeypatch.setattr(word_counts, "_WORDS_AT_A_TIME", 100)
    monkeypatch.setattr(word_blocks, "BLOCK_BYTES", 10_000)
    for threads in (1, 3):
        parts = count_words(source, threads=threads)
        assert list(parts.items()) == sorted(expected.items())
        assert parts.lengths == whole.lengths
        assert parts.characters().tolist() == sorted(set(b"w0123456789"))
    assert [path.name for path in tmp_path.iterdir()] == [source.name]


def test_few_distinct_words_of_many_blocks_are_put_together(tmp_path: Path, monkeypatch):
    source = zipf_text(tmp_path / "source.txt.zst", 30_000, 300)
    monkeypatch.setattr(word_counts, "MAX_WORDS_IN_MEMORY", 700)
    monkeypatch.setattr(word_counts, "TemporaryFile", None)  # no file is needed
    monkeypatch.setattr(word_blocks, "BLOCK_BYTES", 5_000)
    expected = Counter(read(source).encode().split())
    assert list(count_words(source).items()) == sorted(expected.items())


def test_draws_do_not_depend_on_threads(tmp_path: Path, monkeypatch):
    source = zipf_text(tmp_path / "source.txt.zst", 20_000, 500)
    monkeypatch.setattr(unigram, "_SENTENCES_AT_A_TIME", 37)
    texts = []
    for threads in (1, 2, 5):
        draw_unigram(source, tmp_path / "drawn.txt.zst", 1, "es", threads)
        texts.append(read(tmp_path / "drawn.txt.zst"))
    assert texts[0] == texts[1] == texts[2]


def test_a_text_of_one_word_cannot_diverge(tmp_path: Path):
    source = write(tmp_path / "source.txt.zst", [[["a"] * 40]])
    words = draw_unigram(source, tmp_path / "drawn.txt.zst", 0, "es")
    measured = measure_unigram(words, count_words(tmp_path / "drawn.txt.zst"))
    assert measured["kl_divergence"] == measured["expected_kl_divergence"] == 0
    assert measured["within_sampling_error"]
