"""Counting words: all of them, or those of exactly as many sentences as asked for."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from bbert.corpus import word_blocks
from bbert.corpus.word_sample import count_words


@pytest.fixture
def texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """900 and 300 sentences; the first word of a sentence is its own, the second is common."""
    monkeypatch.setattr(word_blocks, "BLOCK_BYTES", 1000)
    files = {}
    for language, count in (("en", 900), ("es", 300)):
        files[language] = tmp_path / f"{language}.txt"
        lines = "".join(f"{language}{i} w{i % 7}\n{'' if i % 5 else chr(10)}" for i in range(count))
        files[language].write_text(lines)
    return files


def test_without_a_limit_every_word_is_counted(texts: dict[str, Path]) -> None:
    counts = count_words(texts, 1200, seed=0)
    assert counts == {name: Counter(path.read_text().split()) for name, path in texts.items()}


@pytest.mark.parametrize("wanted", [1, 100, 400, 1199])
def test_a_sample_has_its_size_and_the_shares_of_the_text(
    texts: dict[str, Path], wanted: int
) -> None:
    counts = count_words(texts, wanted, seed=0)
    sizes = {name: sum(words.values()) / 2 for name, words in counts.items()}
    assert sum(sizes.values()) == pytest.approx(wanted, abs=1)
    assert sizes["en"] == pytest.approx(wanted * 0.75, abs=1)
    for name, words in counts.items():  # no sentence twice
        assert all(n == 1 for word, n in words.items() if word.startswith(name))


def test_a_sample_is_a_function_of_the_seed(texts: dict[str, Path]) -> None:
    assert count_words(texts, 200, seed=1) == count_words(texts, 200, seed=1)
    assert count_words(texts, 200, seed=1) != count_words(texts, 200, seed=2)
    backwards = dict(reversed(texts.items()))
    assert count_words(backwards, 200, seed=1) == count_words(texts, 200, seed=1)
    spread = [int(w[2:]) for w in count_words(texts, 200, seed=1)["en"] if w.startswith("en")]
    assert 350 < sum(spread) / len(spread) < 550  # from the whole text, not from one end


def test_a_smoothed_sample_gives_small_languages_more(texts: dict[str, Path]) -> None:
    """Every sentence of the large language once; of the small one, some a second time."""
    counts = count_words(texts, 10_000, seed=0, smoothing=0.7)
    sizes = {name: sum(words.values()) // 2 for name, words in counts.items()}
    assert sizes["en"] == 900
    assert sizes["es"] == round(900 / 3**0.7) == 417
    own = {word: n for word, n in counts["es"].items() if word.startswith("es")}
    assert sorted(own.values()) == [1] * (300 - 117) + [2] * 117
    assert {n for word, n in counts["en"].items() if word.startswith("en")} == {1}


@pytest.mark.parametrize("wanted", [50, 400])
def test_a_limited_smoothed_sample_keeps_the_shares(texts: dict[str, Path], wanted: int) -> None:
    counts = count_words(texts, wanted, seed=0, smoothing=0.0)
    assert [sum(words.values()) // 2 for words in counts.values()] == [wanted // 2] * 2
