"""Basic tokenisation agrees with the `tokenizers` library, on every character and on real text."""

from __future__ import annotations

import lzma
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from bbert import basic_tokenization
from bbert.basic_tokenization import (
    basic_tokenize,
    basic_tokenize_lines,
    count_removed,
    remove_control_characters,
)

normalizer = BertNormalizer(clean_text=False, strip_accents=False, lowercase=False)
pre_tokenizer = BertPreTokenizer()

any_text = st.text(st.characters(codec="utf-8"))
scripts = st.text(
    st.sampled_from("aA1.,!?;'\"-$+<|~ \t\n\r\x0b\x85\xa0\u3000\u2028ée\u0301\u0323漢字あ한글ㄱ가"
                    "हिन्दी।\u200d\u200cРусский«»—😀👩🏽\u200d🚀\ufe0f\x00\x01\x1c\x1f\x7f\ufffd\ufeff\u00ad"
                    "क\u093c\u0958\uf900\U0002f800\U0002b820\U00030d72\U000f0000\U0010ffff")
)  # fmt: skip


def reference_words(text: str) -> list[str]:
    text = unicodedata.normalize("NFC", remove_control_characters(text))
    return [word for word, _ in pre_tokenizer.pre_tokenize_str(normalizer.normalize_str(text))]


def test_every_code_point_is_classed_as_in_tokenizers():
    for first in range(0, 0x110000, 0x1000):
        codes = [c for c in range(first, first + 0x1000) if not 0xD800 <= c < 0xE000]
        text = "".join(f"a{chr(code)}b{chr(code)}" for code in codes)
        assert basic_tokenize(text) == reference_words(text), hex(first)


@given(any_text | scripts)
@settings(max_examples=400, deadline=None)
def test_words_equal_those_of_tokenizers(text: str):
    assert basic_tokenize(text) == reference_words(text)


@given(any_text | scripts)
@settings(max_examples=200, deadline=None)
def test_result_is_stable_normalised_and_keeps_lines(text: str):
    tokenised = basic_tokenize_lines(text)
    assert basic_tokenize_lines(tokenised) == tokenised
    assert unicodedata.is_normalized("NFC", tokenised)
    assert tokenised.count("\n") == text.count("\n")
    assert "  " not in tokenised
    assert all(line == line.strip() for line in tokenised.split("\n"))
    assert tokenised.split("\n") == [" ".join(basic_tokenize(line)) for line in text.split("\n")]


@given(st.text(st.characters() | st.characters(categories=["Cs", "Cc"])))
@settings(max_examples=200, deadline=None)
def test_only_control_characters_are_removed(text: str):
    def meaningless(character: str) -> bool:
        category = unicodedata.category(character)
        white = character in "\t\n\v\f\r\x85"
        return character == "\ufffd" or category == "Cs" or (category == "Cc" and not white)

    kept = "".join(c for c in text if not meaningless(c))
    assert remove_control_characters(text) == kept
    assert count_removed(text) == len(text) - len(kept)
    words = "".join(unicodedata.normalize("NFC", kept).split())
    assert "".join(basic_tokenize(text)) == words


def test_characters_that_are_surely_normalised_are_so_beside_any_other():
    surely = set(map(chr, np.flatnonzero(basic_tokenization._surely_nfc())))
    assert len(surely) > 30_000
    assert all(unicodedata.normalize("NFC", c) == c for c in surely)
    assert not any(map(unicodedata.combining, surely))
    decompositions = (unicodedata.decomposition(chr(c)) for c in range(0x30000))
    seconds = {
        chr(int(parts[1], 16))
        for decomposition in decompositions
        if not decomposition.startswith("<") and len(parts := decomposition.split()) == 2
    }
    medial_and_final_jamo = set(map(chr, range(0x1160, 0x1200)))
    assert len(seconds) > 50
    assert not surely & (seconds | medial_and_final_jamo)


@given(st.lists(any_text | scripts | st.text(st.characters(max_codepoint=255)), max_size=5))
@settings(max_examples=100, deadline=None)
def test_width_of_other_characters_does_not_matter(texts: list[str]):
    lines = [text.replace("\n", " ") for text in texts]
    alone = [basic_tokenize_lines(line) for line in lines]
    assert basic_tokenize_lines("\n".join(lines)).split("\n") == (alone or [""])


def test_format_characters_stay():
    assert basic_tokenize("क्\u200dष a\u200cb a\u00adb") == ["क्\u200dष", "a\u200cb", "a\u00adb"]


def test_a_mark_joins_its_letter_when_the_control_character_between_goes():
    assert basic_tokenize("e\x01\u0301") == ["é"]


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch):
    text = "One, two.\n\n Three\tfour \r\nfive!\n" * 50
    whole = basic_tokenize_lines(text)
    monkeypatch.setattr("bbert.basic_tokenization._BLOCK_CHARACTERS", 7)
    assert basic_tokenize_lines(text) == whole


@pytest.mark.realdata
@pytest.mark.parametrize("language", ["en", "es", "hi", "ru"])
def test_real_text_gives_the_words_of_tokenizers(real_data, language: str):
    path = real_data / "text" / f"{language}.txt.xz"
    with lzma.open(path, "rt", encoding="utf-8") as stream:
        text = stream.read(300_000)
    assert basic_tokenize(text) == reference_words(text)
