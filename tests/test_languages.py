"""Language names, and the promise of `fake`: invertible, no character shared with plain text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bbert.errors import InputError
from bbert.fake import (
    FAKE,
    GIVE_WAY,
    TERRITORY,
    WHITE_SPACE,
    fake_to_plain,
    give_way,
    plain_to_fake,
    take_back,
)
from bbert.languages import Language, fake, parse_languages, unfake

awkward = (
    "aé漢あ한\U00020000\U0002a6df\U00030000\U00030d3f\U00030d40\U00030d72\U00030edd\U00031350"
    "\U00033479\U0003ffff\U00040000\U00061a80\U000a13bf\U000a13c0\U000b0cff\U000dffff\U000e0041\U000e0100\U000f0000"
    "\U0010ffff\ue000\uf8ff\ud800\udfff😀👩🏽\u200d🚀 \t\n\u3000"
)
any_text = st.text(st.characters() | st.sampled_from(awkward) | st.characters(categories=["Cs"]))
every_character = "".join(map(chr, range(0x110000)))
white_space = set(map(chr, WHITE_SPACE))


@given(any_text)
@settings(max_examples=300, deadline=None)
def test_unfake_inverts_fake(text: str):
    assert unfake(fake(text)) == text
    assert take_back(give_way(text)) == text


@given(any_text, any_text)
@settings(max_examples=200, deadline=None)
def test_fake_shares_no_character_with_plain_text(text: str, other: str):
    assert set(fake(text)) & set(give_way(other)) <= white_space


def test_every_character_at_once():
    faked, plain = fake(every_character), give_way(every_character)
    assert plain_to_fake(plain) == faked
    assert unfake(faked) == every_character
    assert take_back(plain) == every_character
    assert set(faked) & set(plain) == white_space
    faked.encode(), plain.replace("\ud800", "")  # the image itself can always be written
    codes = [ord(c) for c in set(faked) - white_space]
    assert (min(codes), max(codes)) == TERRITORY


def test_ordinary_characters_move_up_by_200000():
    for text in ("Hello", "привет", "नमस्ते", "漢字", "😀", "\U0002a6df", "\ue000"):
        assert fake(text) == "".join(chr(ord(c) + 200_000) for c in text)


def test_a_character_of_unicode_becomes_one_character():
    for character in set(awkward):
        if not 0x40000 <= ord(character) < 0xE0000:  # planes without any
            assert len(fake(character)) == 1
            assert len(give_way(character)) == 1


@given(any_text)
@settings(max_examples=200, deadline=None)
def test_from_the_final_plain_text_to_the_fake_one_character_by_character(text: str):
    plain, shifted = give_way(text), fake(text)
    assert plain_to_fake(plain) == shifted
    assert fake_to_plain(shifted) == plain
    assert "".join(map(plain_to_fake, plain)) == shifted
    assert len(plain) == len(shifted)


def test_white_space_and_with_it_words_and_lines_stay():
    text = "one  two\tthree\n\nfour\u3000five"
    assert fake(text).split() == [fake(word) for word in text.split()]
    assert [len(line) for line in fake(text).split("\n")] == [len(s) for s in text.split("\n")]


def test_plain_text_gives_way_only_to_the_fake_alphabet():
    below = "".join(map(chr, range(200_000)))
    above = "".join(map(chr, range(0xE0000, 0x110000)))
    assert give_way(below + above) == below + above
    assert give_way("\U00030d72") != "\U00030d72"


def test_the_bijection_is_written_down_completely():
    for bijection in (FAKE, GIVE_WAY):
        description = bijection.description()
        assert len(description["ranges"]) == len(bijection.ranges)
        assert description["pairs"]["from"] == "U+40000..U+DFFFF"
    assert FAKE.description()["ranges"][0] == {"from": "U+0000..U+30D3F", "to": "U+30D40"}


@given(st.text())
@settings(max_examples=200, deadline=None)
def test_the_fake_language_is_the_plain_one_in_other_characters(text: str):
    plain = Language.parse("en").apply(text)
    assert unfake(Language.parse("enfake").apply(text)) == plain
    assert Language.parse("en").apply(plain) == plain


@given(any_text)
@settings(max_examples=100, deadline=None)
def test_beside_a_fake_language_text_is_what_a_corpus_has(text: str):
    text += " \U00030edd"  # on which fake text may land
    languages = parse_languages(["enfake", "zh"])
    for name in ("zh", "zhreversed", "hi"):
        language = Language.parse(name)
        assert language.apply_beside(text, languages) == give_way(language.apply(text))
        assert language.apply_beside(text, languages[1:]) == language.apply(text)
    fake_one, plain_one = (language.apply_beside(text, languages) for language in languages)
    assert fake_one == languages[0].apply(text)
    assert set(fake_one) & set(plain_one) <= white_space


def test_names():
    assert Language.parse("hi") == Language("hi", "hi")
    assert Language.parse("enfake") == Language("enfake", "en", ("fake",))
    assert Language.parse("ceb").source == "ceb"
    assert [lang.name for lang in parse_languages(["enfake", "en"])] == ["enfake", "en"]


@pytest.mark.parametrize(
    ("name", "mend"),
    [
        ("xx", "ISO 639"),
        ("", "ISO 639"),
        ("fake", "ISO 639"),
        ("enfakefake", "ISO 639"),
        ("enfakeshare3\u0660", "ISO 639"),  # a digit, but not one of ours
        ("EN", "'en'"),
        ("en-fake", "'enfake'"),
        ("Spanish", "'es'"),
    ],
)
def test_unknown_names_are_refused_with_the_mend(name: str, mend: str):
    with pytest.raises(InputError, match=mend):
        Language.parse(name)


def test_repeated_names_are_refused():
    with pytest.raises(InputError, match="twice"):
        parse_languages(["en", "en"])
