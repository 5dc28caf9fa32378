"""What was done to words, told apart from what was not: planted faults among random sentences."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bbert.corpus.plain_text import Piece
from bbert.corpus.shared_documents import DocumentRecord, shared_documents
from bbert.corpus.text_measure import measure_names, measure_shared_words, natural_sentences
from bbert.corpus.word_counts import count_words
from bbert.fake import give_way
from bbert.languages import Language, fake

NAMES = ["enfake", "enreversed", "enfakereversed", "enfakeshare30"]
words = st.text(st.sampled_from("abé漢.\U00030d72"), min_size=1, max_size=4)
sentences = st.lists(st.lists(words, min_size=1, max_size=8), min_size=1, max_size=6)


def written(natural: list[list[str]], language: Language) -> list[list[str]]:
    text = "\n".join(" ".join(sentence) for sentence in natural)
    return [line.split(" ") for line in language.apply(text).split("\n")]


def gave_way(content: list[list[str]]) -> list[list[str]]:
    return [[give_way(word) for word in sentence] for sentence in content]


def as_tokenised(content: list[list[str]]) -> list[list[str]]:
    return written(content, Language.parse("en"))


@given(sentences, st.sampled_from(NAMES))
@settings(max_examples=150, deadline=None)
def test_what_was_done_is_recognised(content: list[list[str]], name: str):
    natural, language = as_tokenised(content), Language.parse(name)
    measured = measure_names(natural, written(natural, language), language)
    assert list(measured) == list(language.interventions)
    for entry in measured.values():
        assert entry["sentences"] == len(natural)
        assert entry.get("restored", 1) == entry.get("same_words", 1) == 1
        assert entry.get("kendall_tau", -1) in (-1, None)


@given(sentences, st.sampled_from(NAMES), st.data())
@settings(max_examples=150, deadline=None)
def test_one_wrong_word_or_lost_sentence_is_found(content, name: str, data):
    natural, language = as_tokenised(content), Language.parse(name)
    wrong = written(natural, language)
    number = data.draw(st.integers(0, len(wrong) - 1))
    if data.draw(st.booleans()):
        wrong[number] = [*wrong[number][:-1], fake("zz") if language.is_fake else "zz"]
    else:
        del wrong[number]
        wrong.append([])
    measured = measure_names(natural, wrong, language)
    if wrong != written(natural, language):
        assert any(
            e.get("restored", 1) < 1 or e.get("same_words", 1) < 1 for e in measured.values()
        )


@given(sentences)
@settings(max_examples=100, deadline=None)
def test_a_reversed_text_that_gave_way_to_a_fake_one_is_recognised(content: list[list[str]]):
    natural, language = as_tokenised(content), Language.parse("enreversed")
    entry = measure_names(natural, gave_way(written(natural, language)), language)["reversed"]
    assert entry["same_words"] == 1
    assert entry["kendall_tau"] in (-1, None)


def test_a_sentence_that_gave_way_in_one_word_only_is_found():
    natural, language = [["\U00030edd", "a", "\U00030d72"]], Language.parse("enreversed")
    [[first, *rest]] = written(natural, language)
    entry = measure_names(natural, [[give_way(first), *rest]], language)["reversed"]
    assert entry["same_words"] == 0


def test_an_order_that_was_left_as_it_was():
    natural = [["a", "b", "c", "d"]]
    entry = measure_names(natural, natural, Language.parse("enreversed"))["reversed"]
    assert entry == {"sentences": 1, "same_words": 1.0, "kendall_tau": 1.0}


def test_raw_documents_are_read_as_the_source_language():
    pieces = [Piece("One day. Two (2)!\nThree", True), Piece("", True)]
    found = list(natural_sentences(pieces, Language.parse("enfakereversed"), presplit=False))
    assert found == [["One", "day", "."], ["Two", "(", "2", ")", "!"], ["Three"]]


@pytest.mark.parametrize("same_source", [True, False])
def test_documents_in_common(tmp_path: Path, same_source: bool):
    texts = ["a", "b", "c", "a", "d"]
    paths = []
    for name, kept in (("one", {0, 1, 4}), ("other", {2, 3, 4})):
        record = DocumentRecord()
        is_kept = record.numbered(lambda number, kept=kept: number in kept)
        pieces = [Piece(text, True) for number, text in enumerate(texts) if is_kept(number)]
        is_kept(len(texts))
        assert list(record.digested(pieces)) == pieces
        paths.append(tmp_path / f"{name}.npz")
        record.save(paths[-1])
        assert np.load(paths[-1])["numbers"].tolist() == sorted(kept)
    expected = {"identical_documents": 2} | ({"shared_documents": 1} if same_source else {})
    assert shared_documents(*paths, same_source) == expected


def test_shares_of_types_and_of_running_words_are_told_apart(tmp_path: Path):
    """One of four types stays, in six of nine words."""
    path = tmp_path / "text.txt"
    path.write_text(f"the the the {fake('cat')}\n{fake('dog')} the the the {fake('ran')}\n")
    found = measure_shared_words(0.25, count_words(path))
    assert (found["types"], found["shared_word_types"]) == (4, 0.25)
    assert found["shared_words"] == pytest.approx(6 / 9)
    assert found["types_in_both_alphabets"] == 0
    path.write_text(f"the {fake('the')} {fake('cat')}\n")
    assert measure_shared_words(0.25, count_words(path))["types_in_both_alphabets"] == 1
