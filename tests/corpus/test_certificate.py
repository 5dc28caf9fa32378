"""Promises are checked on the measured numbers, and a broken one is named."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bbert.corpus.certificate import (
    BrokenPromise,
    LanguageRecord,
    certify,
    check_promises,
    moved_characters,
)
from bbert.corpus.token_store import TokenStoreWriter
from bbert.errors import RunFailed
from bbert.fake import give_way
from bbert.languages import parse_languages

STEPS = [
    {"step": "extract", "articles": 12, "documents": 10, "empty_articles": 1, "failed_articles": 1},
    {"step": "select", "read": 10, "dealt": 6, "kept": 5, "other_files": 0},
    {"step": "text", "documents": 4, "empty_documents": 1, "sentences": 40, "words": 400},
    {"step": "tokens", "documents": 4, "sentences": 40, "words": 400},
]
GOOD: dict[str, Any] = {
    "languages": {
        name: {"unk_rate": 0.001, "steps": copy.deepcopy(STEPS)} for name in ("enfake", "en", "es")
    },
    "pairs": {
        "enfake-en": {
            "shared_characters": 0, "shared_vocabulary_entries": 0, "same_segmentation_rate": 1.0,
        },
        "enfake-es": {"shared_characters": 0, "shared_vocabulary_entries": 0},
        "en-es": {"shared_characters": 70, "shared_vocabulary_entries": 200},
    },
    "vocabulary": {"tokenization": "wordpiece"},
}  # fmt: skip
LANGUAGES = parse_languages(["enfake", "en", "es"])


def test_kept_promises_are_listed():
    kept = check_promises(GOOD, LANGUAGES, "mirror")
    assert len(kept) == 2 + 2 + 1 + 3 + 3
    assert not any("en-es" in sentence for sentence in kept)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("pairs", "enfake-es", "shared_characters"), 1, "enfake-es have 1 shared characters"),
        (("pairs", "enfake-en", "shared_vocabulary_entries"), 2, "enfake-en have 2 shared voc"),
        (("pairs", "enfake-en", "same_segmentation_rate"), 0.99, "99.0000% of lines cut the same"),
        (("languages", "es", "unk_rate"), 0.0011, r"es: \[UNK\] rate 0.1100%"),
        (("languages", "en", "steps", 0, "articles"), 13, "en: 1 articles lost"),
        (("languages", "en", "steps", 1, "read"), 9, "en: 1 extracted documents lost"),
        (("languages", "en", "steps", 1, "kept"), 6, "en: 1 documents before the text lost"),
        (("languages", "en", "steps", 3, "documents"), 3, "en: 1 documents lost"),
        (("languages", "en", "steps", 3, "sentences"), 38, "en: 2 sentences lost"),
        (("languages", "en", "steps", 3, "words"), 0, "en: 400 words lost"),
    ],
)
def test_a_broken_promise_is_named(path: tuple, value: float, message: str):
    certificate = copy.deepcopy(GOOD)
    entry = certificate
    for key in path[:-1]:
        entry = entry[key]
    entry[path[-1]] = value
    with pytest.raises(BrokenPromise, match=message):
        check_promises(certificate, LANGUAGES, "mirror")


def test_the_rate_of_unknowns_is_their_share_of_the_word_pieces(tmp_path: Path):
    ids = np.array([1, 5, 6, 1, 7, 8, 9, 5, 6, 7])
    with TokenStoreWriter(tmp_path / "tokens" / "en", 10) as store:
        store.append(ids, np.arange(10) % 2 == 0, np.array([10]), np.array([True]))
    tokens = {"documents": 1, "sentences": 1, "words": 5, "word_pieces": 10, "unknown": 2}
    record = LanguageRecord(LANGUAGES[1], np.arange(97, 105), [], tokens)
    found = certify(tmp_path, [record], np.arange(10) > 4, {}, {})
    entry = found["languages"]["en"]
    assert (entry["unk_rate"], entry["vocabulary_entries"]) == (0.2, 5)
    assert found["vocabulary"] == {"entries": 10, "word_pieces": 5}


@pytest.mark.parametrize(
    ("vocabulary", "mend"),
    [
        ({"tokenization": "wordpiece", "segmentation": "greedy"}, "--segmentation unigram"),
        ({"tokenization": "wordpiece", "segmentation": "unigram"}, "take a larger --vocab-size$"),
        ({"tokenization": "char", "segmentation": "char"}, "or leave it out"),
        ({"tokenization": "word", "segmentation": "word"}, "take a larger --vocab-size$"),
    ],
)
def test_unknown_words_are_told_with_the_mend_and_no_traceback(vocabulary: dict, mend: str):
    certificate = copy.deepcopy(GOOD) | {"vocabulary": vocabulary}
    certificate["languages"]["es"]["unk_rate"] = 1.0
    with pytest.raises(RunFailed, match=mend) as failure:
        check_promises(certificate, LANGUAGES, "mirror")
    assert len(str(failure.value).splitlines()) == 2


@pytest.mark.parametrize("segmentation", ["greedy", "unigram"])
@pytest.mark.parametrize(("sample", "is_smaller"), [(200, True), (1348, False), (2_000_000, False)])
def test_what_the_sample_lacks_is_mended_by_a_larger_sample(
    segmentation: str, sample: int, is_smaller: bool
):
    certificate = copy.deepcopy(GOOD)
    certificate["vocabulary"] |= {"segmentation": segmentation, "sample_sentences": sample}
    for name, sentences in (("enfake", 1000), ("en", 300), ("es", 48)):
        certificate["languages"][name] |= {"sentences": sentences, "unk_rate": 0.01}
    with pytest.raises(BrokenPromise) as failure:
        check_promises(certificate, LANGUAGES, "mirror")
    _, mend = str(failure.value).splitlines()
    told = "take a larger --sample-sentences: word-pieces were learned from 200 of the 1,348 "
    assert mend.startswith(told) == is_smaller
    assert ("--vocab-size" in mend) != is_smaller


@pytest.mark.parametrize(
    ("tau", "within", "shown"),
    [
        (0.99995, True, "kendall tau 1.0000, 1.0000 expected"),
        (0.99995, False, "kendall tau 0.99995, 0.99996 expected"),
        (0.9999604, False, "kendall tau 0.999960, 0.999961 expected"),
        (0.5, False, "kendall tau 0.5000, 1.0000 expected"),
        (None, False, "kendall tau not measured, 1.0000 expected"),
    ],
)
def test_measures_that_are_not_the_same_do_not_read_alike(tau, within: bool, shown: str):
    certificate = copy.deepcopy(GOOD)
    measured = {"name": "permute=0.01", "kendall_tau": tau, "expected_kendall_tau": 0.9999605}
    certificate["languages"]["es"]["interventions"] = [measured | {"within_sampling_error": within}]
    if within:
        assert any(shown in kept for kept in check_promises(certificate, LANGUAGES, "mirror"))
        return
    with pytest.raises(BrokenPromise, match=re.escape(shown)):
        check_promises(certificate, LANGUAGES, "mirror")


def test_with_a_joint_vocabulary_the_same_cuts_are_measured_but_not_promised():
    certificate = copy.deepcopy(GOOD)
    certificate["pairs"]["enfake-en"]["same_segmentation_rate"] = 0.07
    check_promises(certificate, LANGUAGES, "joint")


def test_fake_languages_may_share_characters_with_each_other():
    certificate = {
        "languages": dict.fromkeys(("enfake", "esfake"), GOOD["languages"]["en"]),
        "pairs": {"enfake-esfake": {"shared_characters": 70, "shared_vocabulary_entries": 200}},
        "vocabulary": {},
    }
    check_promises(certificate, parse_languages(["enfake", "esfake"]), "joint")


def test_characters_that_gave_way_are_found_again():
    text = give_way("abc\U00030edd\U00030d72\U0003134a\U000f0000")
    characters = np.array(sorted(set(map(ord, text))))
    assert moved_characters(characters).tolist() == [0x30D72, 0x30EDD, 0x3134A]
