"""Sentences in which Hindi and English are mixed, and Hindi in Latin letters.

As in Pires et al. 2019, table 6: `corrected` has every Hindi word in Devanagari, `transliterated`
is the same text as it is typed on a keyboard without Devanagari. Half of the sentences are told in
Hindi with English nouns, adjectives and adverbs, the other half in English with Hindi ones; about
half of those words are switched. Tags and trees are those of the sentence that was told.
"""

from __future__ import annotations

import unicodedata
from random import Random

from bbert.sample import lexicon_hindi as lexicon
from bbert.sample.sentence import Sentence, Word

SHARE = 0.5
"""Share of the words with a counterpart that are switched."""

_SWITCHED = {"NOUN": {noun: word for noun, (word, _) in lexicon.NOUNS.items()},
             "ADJ": lexicon.ADJECTIVES, "ADV": lexicon.ADVERBS}  # fmt: skip
"""Tag → English lemma → Hindi lemma."""
_TO_ENGLISH = {tag: {hindi: english for english, hindi in words.items()}
               for tag, words in _SWITCHED.items()}  # fmt: skip

_CONSONANTS = dict(zip(
    "कखगघङचछजझञटठडढणतथदधनपफबभमयरलवशषसह",
    "k kh g gh n ch chh j jh n t th d dh n t th d dh n p ph b bh m y r l v sh sh s h".split(),
    strict=True,
))  # fmt: skip
_VOWELS = dict(zip("अआइईउऊऋएऐओऔऑ", "a aa i ee u oo ri e ai o au o".split(), strict=True))
_SIGNS = dict(zip("ािीुूृेैोौॉ", "aa i ee u oo ri e ai o au o".split(), strict=True))
_WITH_DOT = {"क": "q", "ख": "kh", "ग": "gh", "ज": "z", "ड": "r", "ढ": "rh", "फ": "f"}
_NASALS = {"ं": "n", "ँ": "n"}
_LATIN = {**_CONSONANTS, **_VOWELS, **_SIGNS, **_NASALS, "।": "."}
_BEGINNINGS = {*_CONSONANTS, *_VOWELS, *_NASALS}
"""What follows a consonant that has no sign, and so an a."""
_DOT, _NO_VOWEL = "\N{DEVANAGARI SIGN NUKTA}", "\N{DEVANAGARI SIGN VIRAMA}"


def mix(sentence: Sentence, language: str, random: Random) -> Sentence:
    """Switch words of a sentence told in `language` (hi or en) to the other one."""
    for place, word in enumerate(sentence):
        other = _counterpart(word, language)
        if other is not None and random.random() < SHARE:
            word.form = word.lemma = other
            word.feats = "Foreign=Yes"
            if place == 0:
                word.form = other[:1].upper() + other[1:]
    return sentence


def _counterpart(word: Word, language: str) -> str | None:
    words = (_TO_ENGLISH if language == "hi" else _SWITCHED).get(word.upos, {})
    return words.get(word.lemma)


def in_latin_letters(sentence: Sentence) -> Sentence:
    """The sentence with its Hindi words transliterated."""
    for word in sentence:
        word.form, word.lemma = transliterated(word.form), transliterated(word.lemma)
    return sentence


def transliterated(word: str) -> str:
    """A word in Latin letters as one types it; what is no Devanagari stays.

    A consonant without a sign carries an a, which is not said at the end of a word.
    """
    written: list[str] = []
    before = ""
    for letter in unicodedata.normalize("NFD", word):
        if letter == _DOT:
            written[-1] = _WITH_DOT.get(before, written[-1])
            continue
        if before in _CONSONANTS and letter in _BEGINNINGS:
            written.append("a")
        if letter != _NO_VOWEL:
            written.append(_LATIN.get(letter, letter))
        before = letter
    return "".join(written)
