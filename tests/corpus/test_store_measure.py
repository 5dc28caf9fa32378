"""A token store is compared with its text: the same is the same, and any difference is found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from invented_text import invented_text

from bbert.corpus import store_measure, word_blocks
from bbert.corpus.encode import encode_text
from bbert.corpus.permute import Permutation
from bbert.corpus.store_measure import measure_store
from bbert.corpus.token_store import TokenStore
from bbert.corpus.vocabulary import Vocabulary, train_pieces
from bbert.languages import Language


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Path, Vocabulary]:
    """A text of some hundred sentences with odd words, and a vocabulary for it."""
    folder = tmp_path_factory.mktemp("store")
    language = Language.parse("en")
    text = folder / "en.txt"
    text.write_text(language.apply(invented_text("en", num_documents=120, odd=True)) + "\n")
    vocabulary = train_pieces({"en": text}, [language], 400, "joint", seed=0, work_directory=folder)
    return text, vocabulary


@pytest.fixture(scope="module", params=[None, 0.5], ids=["in order", "permuted"])
def store(request, made: tuple[Path, Vocabulary], tmp_path_factory) -> tuple[Path, bool]:
    """The folder of a token store, and whether its word-pieces stand in another order."""
    folder = tmp_path_factory.mktemp("tokens") / "tokens" / "en"
    permutation = None if request.param is None else Permutation(0.5, "positions", 0, "en")
    encode_text(made[0], made[1], "greedy", folder, permutation)
    return folder, permutation is not None


@pytest.mark.parametrize("block_bytes", [300, 5000, 1 << 22])
@pytest.mark.parametrize("looked_at", [100, 1 << 18])
def test_a_store_says_what_its_text_says(made, store, monkeypatch, block_bytes, looked_at):
    monkeypatch.setattr(word_blocks, "BLOCK_BYTES", block_bytes)
    monkeypatch.setattr(store_measure, "_LOOKED_AT", looked_at)
    measured = measure_store(TokenStore(store[0]), made[0], made[1].tokens, store[1])
    assert measured["same_as_text"] == 1.0
    if looked_at > block_bytes:
        assert measured["compared_sentences"] == len(TokenStore(store[0]))


@given(st.integers(0, 10_000), st.integers(1, 394))
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_piece_that_is_another_one_is_found(made, store, tmp_path: Path, place, step):
    text, vocabulary = made
    entries = TokenStore(store[0])
    ids = entries.ids.copy()
    place %= len(ids)
    before = int(ids[place])
    ids[place] = 5 + (before - 5 + step) % (len(vocabulary) - 5)  # any entry but the specials
    entries.ids = ids
    measured = measure_store(entries, text, vocabulary.tokens, store[1])
    token, other = (vocabulary.tokens[i].removeprefix("##") for i in (before, int(ids[place])))
    found = measured["same_as_text"] < 1
    same = sorted(token) == sorted(other) if store[1] else token == other
    touches_unknown = _is_beside_unknown(entries, place)
    assert found or same or touches_unknown


def _is_beside_unknown(entries: TokenStore, place: int) -> bool:
    """Whether [UNK] is in the sentence of a word-piece (what it is in is compared with nothing)."""
    sentence = int(np.searchsorted(entries.sentence_offsets, place, side="right")) - 1
    return 1 in entries[sentence].tolist()
