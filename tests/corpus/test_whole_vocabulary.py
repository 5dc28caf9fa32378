"""Vocabularies of characters and words: exact counts, exact bounds, mirrored, reproducible."""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from invented_text import write_texts

from bbert.corpus.piece_sets import Kind
from bbert.corpus.segmentation import Segmenter
from bbert.corpus.vocabulary import SPECIAL_TOKENS, UNKNOWN_ID, Vocabulary
from bbert.corpus.whole_vocabulary import MOST_WORDS, character_vocabulary, word_vocabulary
from bbert.errors import InputError
from bbert.fake import plain_to_fake
from bbert.languages import Language, parse_languages

Make = Callable[[dict[str, Path], "int | None", Kind], Vocabulary]


def characters(files: dict[str, Path], size: int | None, kind: Kind = "joint") -> Vocabulary:
    return character_vocabulary(files, parse_languages(files), size, kind)


def words(files: dict[str, Path], size: int | None, kind: Kind = "joint") -> Vocabulary:
    return word_vocabulary(files, parse_languages(files), size, kind, seed=0)


def pieces(vocabulary: Vocabulary) -> tuple[str, ...]:
    return vocabulary.tokens[vocabulary.num_reserved :]


def word_counts(files: dict[str, Path]) -> Counter[str]:
    return Counter(" ".join(path.read_text() for path in files.values()).split())


def test_every_character_of_the_text_is_an_entry(tmp_path: Path) -> None:
    files = write_texts(tmp_path, ("enfake", "en", "hi", "ru"), odd=True)
    vocabulary = characters(files, None)
    counts = word_counts(files)
    entries = set(pieces(vocabulary))
    assert entries >= {word[0] for word in counts}
    assert entries >= {"##" + character for word in counts for character in word[1:]}
    assert all(len(entry.removeprefix("##") or entry) == 1 or entry == "##" for entry in entries)
    lonely = {
        entry for entry in entries if not entry.startswith("##") and f"##{entry}" not in entries
    }
    assert "." in lonely
    assert (
        not {character for character in lonely if character.isalpha()}
        - set("中文字𱍊")
        - {character for character in lonely if ord(character) >= 200_000}
    )
    cut = Segmenter(vocabulary, "char").cut(counts)
    assert [len(ids) for ids in cut] == [len(word) for word in counts]
    assert not any(UNKNOWN_ID in ids for ids in cut)
    spelled = ["".join(vocabulary.tokens[i].removeprefix("##") for i in ids) for ids in cut]
    assert [s for s, word in zip(spelled, counts, strict=True) if "#" not in word] == [
        word for word in counts if "#" not in word
    ]


def test_unknown_characters_are_unknown_one_by_one(tmp_path: Path) -> None:
    vocabulary = characters(write_texts(tmp_path, ("en",)), None)
    cut = Segmenter(vocabulary, "char").cut(["ba\u0378\u0379do", "\u0378", "b" * 5000])
    tokens = [[vocabulary.tokens[i] for i in ids] for ids in cut]
    assert tokens[0] == ["b", "##a", "[UNK]", "[UNK]", "##d", "##o"]
    assert tokens[1] == ["[UNK]"]
    assert tokens[2] == ["b"] + ["##b"] * 4999


def test_the_most_frequent_words_are_the_entries(tmp_path: Path) -> None:
    files = write_texts(tmp_path, ("en", "ru"), num_documents=200)
    counts = word_counts(files)
    everything = words(files, None)
    assert set(pieces(everything)) == set(counts)
    some = words(files, 200)
    kept = pieces(some)
    assert len(some) == 200
    least = min(counts[word] for word in kept)
    assert all(count <= least for word, count in counts.items() if word not in kept)
    assert [counts[word] for word in kept] == sorted((counts[word] for word in kept), reverse=True)
    cut = Segmenter(some, "word").cut(["zzz", kept[0]])
    assert cut == [[UNKNOWN_ID], [some.ids[kept[0]]]]


def test_words_are_a_hundred_thousand_at_most(tmp_path: Path) -> None:
    path = tmp_path / "en.txt"
    path.write_text("\n".join(f"w{i} w{i} w{i + 1}" for i in range(120_000)))
    vocabulary = words({"en": path}, None)
    assert len(pieces(vocabulary)) == MOST_WORDS
    assert len(vocabulary) == MOST_WORDS + len(SPECIAL_TOKENS) + 256


def test_ties_do_not_favour_an_alphabet(tmp_path: Path) -> None:
    """Half of the words that occur once are left out: of English as many as of Fake-English."""
    text = "\n".join(f"once{i}x" for i in range(4000))
    files = {name: tmp_path / f"{name}.txt" for name in ("en", "enfake")}
    for name, path in files.items():
        path.write_text(Language.parse(name).apply(text))
    kept = Counter(ord(word[0]) >= 200_000 for word in pieces(words(files, 4000)))
    assert kept[True] == pytest.approx(kept[False], rel=0.1)


@pytest.mark.parametrize("make", [characters, words])
@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (("en",), "joint"),
        (("en", "hi", "ru"), "joint"),
        (("enfake", "en"), "joint"),
        (("enfake", "en"), "mirror"),
        (("enfake", "en", "es"), "mirror"),
        (("enfake", "ru"), "mirror"),
    ],
)
def test_the_largest_possible_vocabulary_is_exactly_that(
    tmp_path: Path, make: Make, names: tuple[str, ...], kind: Kind
) -> None:
    files = write_texts(tmp_path, names, odd=True)
    with pytest.raises(InputError) as refused:
        make(files, 50_000, kind)
    largest = int(re.findall(r"largest possible here is (\d+)", str(refused.value))[0])
    assert len(make(files, largest, kind)) == largest
    with pytest.raises(InputError, match=f"largest possible here is {largest}"):
        make(files, largest + 1, kind)
    everything = make(files, None, kind)
    assert set(pieces(everything)) >= set(pieces(make(files, largest, kind)))
    assert len(pieces(everything)) >= len(pieces(make(files, largest - 1, kind)))


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.text(st.sampled_from("abcdeé.,中ы"), min_size=1, max_size=6), min_size=1),
    st.sampled_from(["joint", "mirror"]),
    st.sampled_from([characters, words]),
)
def test_bounds_of_any_text(some_words: list[str], kind: Kind, make: Make) -> None:
    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder) / f"{name}.txt" for name in ("enfake", "en")}
        for name, path in files.items():
            path.write_text(Language.parse(name).apply(" ".join(some_words)) + "\n")
        with pytest.raises(InputError) as refused:
            make(files, 1000, kind)
        largest = int(re.findall(r"largest possible here is (\d+)", str(refused.value))[0])
        assert len(make(files, largest, kind)) == largest
        with pytest.raises(InputError, match=f"largest possible here is {largest}"):
            make(files, largest + 1, kind)
        with pytest.raises(InputError, match="give at least") as refused:
            make(files, 21, kind)
        least = int(re.findall(r"give at least (\d+)", str(refused.value))[0])
        assert pieces(make(files, least, kind))
        with pytest.raises(InputError, match=f"give at least {least}"):
            make(files, least - 1, kind)


@pytest.mark.parametrize("make", [characters, words])
def test_mirror_copies_the_entries_shifted(tmp_path: Path, make: Make) -> None:
    vocabulary = make(write_texts(tmp_path, ("enfake", "en", "es"), odd=True), None, "mirror")
    entries = pieces(vocabulary)
    half = len(entries) // 2
    for plain, shifted in zip(entries[:half], entries[half:], strict=True):
        is_continuing = plain.startswith("##") and len(plain) > 2
        assert (shifted.startswith("##") and len(shifted) > 2) == is_continuing
        prefix = 2 * is_continuing
        assert shifted[prefix:] == plain_to_fake(plain[prefix:])
    first = vocabulary.num_reserved
    assert vocabulary.scores[first : first + half] == vocabulary.scores[first + half :]


@pytest.mark.parametrize(("make", "cut"), [(characters, "char"), (words, "word")])
def test_mirror_leaves_the_same_words_unknown(tmp_path: Path, make: Make, cut: str) -> None:
    files = write_texts(tmp_path, ("enfake", "en"), odd=True)
    size = len(make(files, None, "mirror")) - 8
    segmenter = Segmenter(make(files, size, "mirror"), cut)  # type: ignore[arg-type]
    plain = list(word_counts({"en": files["en"]}))
    shifted = [plain_to_fake(word) for word in plain]
    unknown = [
        [[i == UNKNOWN_ID for i in ids] for ids in segmenter.cut(some)] for some in (plain, shifted)
    ]
    assert unknown[0] == unknown[1]
    assert any(any(word) for word in unknown[0])


def test_the_rarest_characters_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "en.txt"
    path.write_text("abcdefghij " * 30_000 + "xy xy x z\n")
    everything = characters({"en": path}, None)
    assert len(pieces(everything)) == 26
    fewer = characters({"en": path}, len(everything) - 2)
    assert set(pieces(everything)) - set(pieces(fewer)) == {"z", "##z"}
    with pytest.raises(InputError, match="too small for the characters") as refused:
        characters({"en": path}, 30)
    least = int(re.findall(r"at least (\d+)", str(refused.value))[0])
    assert len(pieces(characters({"en": path}, least))) == 20


@pytest.mark.parametrize("make", [characters, words])
def test_the_same_text_gives_the_same_vocabulary(tmp_path: Path, make: Make) -> None:
    names = ("enfake", "en", "es")
    first = make(write_texts(tmp_path / "a", names), None, "joint")
    files = write_texts(tmp_path / "b", names)
    assert make(files, None, "joint") == first
    first.save(tmp_path / "vocabulary.tsv")
    assert Vocabulary.load(tmp_path / "vocabulary.tsv") == first


@pytest.mark.parametrize("make", [characters, words])
def test_what_cannot_be_made_is_refused(tmp_path: Path, make: Make) -> None:
    (tmp_path / "en.txt").write_text("\n\n")
    with pytest.raises(InputError, match="text of 'en' is empty"):
        make({"en": tmp_path / "en.txt"}, None, "joint")
    with pytest.raises(InputError, match="use --vocab joint"):
        make(write_texts(tmp_path, ("en",)), None, "mirror")


def test_characters_come_from_the_whole_text_and_words_from_the_sample(tmp_path: Path) -> None:
    path = tmp_path / "en.txt"
    path.write_text("ab\n" * 3000 + "q\n")
    assert "q" in pieces(characters({"en": path}, None))
    languages = parse_languages(["en"])
    sampled = word_vocabulary({"en": path}, languages, None, "joint", 20, seed=0)
    assert pieces(sampled) == ("ab",)
