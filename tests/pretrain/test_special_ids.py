"""Ids read from a tokenizer, and tokenizers that cannot be used."""

from __future__ import annotations

import json

import pytest
from random_corpus import FIRST_ORDINARY_ID, NUM_UNUSED, SPECIALS, write_corpus

from bbert.errors import InputError
from bbert.pretrain.vocabulary import Vocabulary


def test_ordinary_ids_are_neither_special_nor_reserved(tmp_path):
    vocabulary = Vocabulary.open(write_corpus(tmp_path / "c", {}, vocab_size=50) / "tokenizer")
    assert vocabulary.size == 50
    assert vocabulary.ordinary_ids.tolist() == list(range(FIRST_ORDINARY_ID, 50))
    specials = (vocabulary.padding, vocabulary.classifier, vocabulary.separator, vocabulary.mask)
    assert specials == (0, 2, 3, 4)
    assert [vocabulary.unused(i) for i in range(NUM_UNUSED)] == [5, 6, 7, 8, 9, 10]


def test_more_languages_than_reserved_ids_are_refused(tmp_path):
    vocabulary = Vocabulary.open(write_corpus(tmp_path / "c", {}) / "tokenizer")
    with pytest.raises(InputError, match=r"--lang-id: .*\[unused6\]"):
        vocabulary.unused(NUM_UNUSED)


@pytest.mark.parametrize("special", SPECIALS)
def test_a_missing_special_is_named(tmp_path, special):
    path = write_corpus(tmp_path / "c", {}) / "tokenizer" / "tokenizer.json"
    content = json.loads(path.read_text())
    number = content["model"]["vocab"].pop(special)
    content["model"]["vocab"]["other"] = number
    content["model"]["unk_token"] = "other" if special == "[UNK]" else "[UNK]"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=rf"tokenizer.json: lacks \{special[:-1]}\]"):
        Vocabulary.open(path.parent)


@pytest.mark.parametrize("content", [None, "", "{}", "no json"])
def test_a_damaged_tokenizer_is_named(tmp_path, content):
    if content is not None:
        (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(InputError, match=r"tokenizer\.json"):
        Vocabulary.open(tmp_path)
