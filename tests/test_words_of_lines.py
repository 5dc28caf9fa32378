"""Shared word types and reversed lines against word-by-word Python."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bbert.basic_tokenization import basic_tokenize_lines
from bbert.errors import InputError
from bbert.fake import fake, give_way, unfake
from bbert.finetune.reversed_order import in_reverse
from bbert.finetune.tasks.scores import entities
from bbert.finetune.tasks.task import Sentence, TextPair
from bbert.languages import Language
from bbert.words_of_lines import is_shared, reverse_words

any_lines = st.text(
    st.characters(codec="utf-8") | st.sampled_from("ab .\n\n\U00030d72\U00040000é漢")
)


def lines_of(text: str) -> list[list[str]]:
    return [line.split() for line in text.split("\n")]


@given(any_lines)
@settings(max_examples=300, deadline=None)
def test_reversed_lines_are_the_lines_reversed(text: str):
    plain = Language.parse("en").apply(text)
    turned = Language.parse("enreversed").apply(text)
    assert lines_of(turned) == [words[::-1] for words in lines_of(plain)]
    assert reverse_words(turned) == plain


@given(any_lines, st.integers(1, 99))
@settings(max_examples=300, deadline=None)
def test_a_word_stays_or_is_shifted_by_its_type_alone(text: str, percent: int):
    plain = Language.parse("en").apply(text)
    partly = Language.parse(f"enfakeshare{percent}").apply(text)
    share = percent / 100
    expected = "\n".join(
        " ".join(give_way(w) if is_shared(w, share) else fake(w) for w in words)
        for words in lines_of(plain)
    )
    assert partly == expected


def test_the_share_of_types_is_the_one_asked_for():
    words = [f"word{number}" for number in range(20_000)]
    for share in (0.05, 0.3, 0.9):
        stays = np.mean([is_shared(word, share) for word in words])
        assert stays == pytest.approx(share, abs=5 * np.sqrt(share * (1 - share) / len(words)))
    # What is shared at a smaller share is shared at a larger one too: a graded experiment.
    assert all(is_shared(word, 0.9) for word in words if is_shared(word, 0.3))


def test_anagrams_and_prefixes_are_other_types():
    hashes = {share: is_shared("dog", share) for share in np.linspace(0.01, 0.99, 99)}
    others = {share: is_shared("god", share) for share in np.linspace(0.01, 0.99, 99)}
    assert hashes != others


def test_names_compose():
    language = Language.parse("enfakeshare30reversed")
    assert language.source == "en"
    assert language.interventions == ("fake", "reversed")
    assert language.shared_words == 0.3
    assert Language.parse("enfakereversed").apply("a b\nc d .") == fake("b a\n. d c")
    assert Language.parse("enreversed").apply("Rome. Yes") == "Yes . Rome"
    assert not Language.parse("enreversed").is_fake
    for name in ("enreversedfake", "enshare30", "enfakeshare0", "enfakeshare100", "reversed"):
        with pytest.raises(InputError, match="unknown"):
            Language.parse(name)


def test_real_words(real_data: Path):
    text = basic_tokenize_lines((real_data / "parallel" / "flores.en").read_text())
    partly = Language.parse("enfakeshare30").apply(text)
    types = {w for line in lines_of(text) for w in line}
    kept = {w for line in lines_of(partly) for w in line} & types
    assert len(kept) / len(types) == pytest.approx(0.3, abs=0.04)
    assert lines_of(unfake(partly)) == lines_of(text)


def test_labels_travel_with_their_words():
    tags = ("B-PER", "I-PER", "O", "B-LOC", "B-LOC", "I-LOC", "I-LOC")
    words = tuple("abcdefg")
    (turned,) = in_reverse([Sentence(words, tags, Path("x"), 1)], "ner")
    assert isinstance(turned, Sentence)
    assert turned.words == words[::-1]
    assert turned.labels == ("B-LOC", "I-LOC", "I-LOC", "B-LOC", "O", "B-PER", "I-PER")
    mirrored = {(kind, 7 - end, 7 - start) for kind, start, end in entities(tags)}
    assert set(entities(turned.labels)) == mirrored
    (again,) = in_reverse([turned], "ner")
    assert again.labels == tags
    (pos,) = in_reverse([Sentence(("a", "b"), ("NOUN", "VERB"), Path("x"), 1)], "pos")
    assert pos.labels == ("VERB", "NOUN")
    pair = TextPair("a", "b", ("x",), Path("x"), 1)
    assert in_reverse([pair], "xnli") == [pair]
