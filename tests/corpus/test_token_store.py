"""The token store: what is written is read, and a damaged one is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bbert.corpus.token_store import TokenStore, TokenStoreWriter
from bbert.errors import InputError

sentence = st.lists(st.tuples(st.integers(0, 99), st.booleans()), max_size=6)
batch = st.lists(st.tuples(sentence, st.booleans()), max_size=5)


def write(corpus: Path, batches: list, vocab_size: int = 100) -> TokenStore:
    with TokenStoreWriter(corpus / "tokens" / "en", vocab_size) as writer:
        for sentences in batches:
            flat = [piece for pieces, _ in sentences for piece in pieces]
            writer.append(
                np.array([number for number, _ in flat], np.int64),
                np.array([starts for _, starts in flat], np.uint8),
                np.array([len(pieces) for pieces, _ in sentences], np.int64),
                np.array([starts for _, starts in sentences], np.bool_),
            )
    return TokenStore.open(corpus, "en")


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(batch, max_size=4))
def test_what_is_written_is_read(tmp_path: Path, batches: list) -> None:
    store = write(tmp_path, batches)
    sentences = [pieces for sentences in batches for pieces, _ in sentences]
    starts = [is_first for sentences in batches for _, is_first in sentences]
    starts[:1] = [True] * len(starts[:1])
    assert len(store) == len(sentences)
    assert [ids.tolist() for ids in store] == [[i for i, _ in pieces] for pieces in sentences]
    assert store.word_starts.tolist() == [int(s) for pieces in sentences for _, s in pieces]
    assert store.num_documents == sum(starts)
    documents = [store.document(i) for i in range(store.num_documents)]
    assert [ids.tolist() for document in documents for ids in document] == [
        ids.tolist() for ids in store
    ]
    assert [i for i, is_first in enumerate(starts) if is_first] == store.document_offsets[
        :-1
    ].tolist()
    store.verify()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_released_pages_leave_memory_and_come_back(tmp_path: Path) -> None:
    def mapped_megabytes() -> float:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("RssFile")) / 1e3

    number = 10_000_000
    ids = np.arange(number) % 97
    with TokenStoreWriter(tmp_path / "tokens" / "en", 100) as writer:
        writer.append(ids, np.ones(number, np.uint8), np.array([number]), np.array([True]))
    store = TokenStore.open(tmp_path, "en")
    before = mapped_megabytes()
    assert np.array_equal(store.ids, ids)
    assert mapped_megabytes() > before + 15
    store.release()
    assert mapped_megabytes() < before + 5
    assert np.array_equal(store[0], ids)


@pytest.mark.parametrize(("vocab_size", "dtype"), [(65_536, "uint16"), (65_537, "uint32")])
def test_ids_take_two_bytes_where_they_fit(tmp_path: Path, vocab_size: int, dtype: str) -> None:
    store = write(tmp_path, [[([(vocab_size - 1, True)], True)]], vocab_size)
    assert store[0].dtype == dtype
    assert store[-1].tolist() == [vocab_size - 1]
    assert store[np.int64(0)].ndim == 1
    with pytest.raises(IndexError):
        store[1]
    with pytest.raises(IndexError):
        store.document(-2)
    with pytest.raises(ValueError, match="read-only"):
        store[0][0] = 1


def test_the_bytes_do_not_depend_on_the_batches(tmp_path: Path) -> None:
    sentences = [([(i, j == 0) for j in range(i)], i % 3 == 0) for i in range(1, 30)]
    whole = write(tmp_path / "a", [sentences])
    parts = write(tmp_path / "b", [sentences[:7], [], sentences[7:]])
    assert whole.description == parts.description


@pytest.mark.parametrize("name", ["ids", "word_starts", "sentence_offsets", "document_offsets"])
def test_a_truncated_file_is_refused(tmp_path: Path, name: str) -> None:
    write(tmp_path, [[([(5, True), (6, False)], True), ([(7, True)], False)]])
    path = tmp_path / "tokens" / "en" / f"{name}.bin"
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    with pytest.raises(InputError, match=rf"{name}\.bin has .* build the corpus again"):
        TokenStore.open(tmp_path, "en")
    path.unlink()
    with pytest.raises(InputError, match="damaged"):
        TokenStore.open(tmp_path, "en")
    path.write_bytes(b"\xff" + content[1:])  # the size is right, the content is not
    if name.endswith("offsets"):
        return
    store = TokenStore.open(tmp_path, "en")
    with pytest.raises(InputError, match="checksum"):
        store.verify()


def test_an_unfinished_or_missing_store_is_refused(tmp_path: Path) -> None:
    write(tmp_path, [[([(5, True)], True)]])
    with pytest.raises(InputError, match=r"no word-pieces of 'es' \(there: en\)"):
        TokenStore.open(tmp_path, "es")

    def interrupted() -> None:
        with TokenStoreWriter(tmp_path / "tokens" / "en", 100):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()
    with pytest.raises(InputError, match="no token store"):
        TokenStore.open(tmp_path, "en")
