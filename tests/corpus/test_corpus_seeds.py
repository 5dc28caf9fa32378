"""The seed, and the options that go with a draw, reach every draw of `bbert corpus build`."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import zstandard
from dump_files import plain_text

from bbert.cli import main
from bbert.corpus import build as build_module
from bbert.corpus.config import CorpusConfig
from bbert.corpus.corpus_files import CorpusFiles
from bbert.corpus.given_documents import GivenDocuments
from bbert.corpus.sources import Source
from bbert.corpus.token_store import TokenStore
from bbert.languages import Language

DOCUMENTS = 40


@pytest.fixture
def english(tmp_path: Path) -> Path:
    path = tmp_path / "en.txt"
    path.write_text(plain_text(DOCUMENTS))
    return path


def text(corpus: Path, language: str) -> str:
    with zstandard.open(corpus / "text" / f"{language}.txt.zst", "rt", encoding="utf-8") as stream:
        return stream.read()


def test_another_seed_draws_other_words_and_another_order(tmp_path, english, monkeypatch):
    asked: list[dict[str, Any]] = []
    make = build_module.make_vocabulary

    def noted(*given, **options):
        asked.append(options)
        return make(*given, **options)

    monkeypatch.setattr(build_module, "make_vocabulary", noted)
    corpora = {}
    for name, seed in (("a", 7), ("b", 8)):
        code = main(
            ["corpus", "build", "--work", str(tmp_path), "--quiet", "--text", f"en={english}",
             "--languages", "enfake", "en", "--shared-text", "same", "--tokenization", "char",
             "--permute", "enfake=1", "--unigram", "en", "--smoothing", "0.3", "--name", name,
             "--seed", str(seed), "--processes", "1"]
        )  # fmt: skip
        assert code == 0
        corpora[name] = tmp_path / "corpora" / name
    assert [(options["seed"], options["smoothing"]) for options in asked] == [(7, 0.3), (8, 0.3)]
    assert text(corpora["a"], "en") != text(corpora["b"], "en")
    # The fake text is the source's own: what differs is the order of its word-pieces alone.
    assert text(corpora["a"], "enfake") == text(corpora["b"], "enfake")
    orders = [TokenStore.open(corpus, "enfake").word_ids for corpus in corpora.values()]
    assert sorted(orders[0]) == sorted(orders[1])
    assert orders[0].tolist() != orders[1].tolist()


def chosen(folder: Path, english: Path, seed: int, **options) -> list[list[int]]:
    """The documents of enfake and of en."""
    languages = [Language.parse(name) for name in ("enfake", "en")]

    @contextmanager
    def step(name: str):
        yield SimpleNamespace(done=False)

    files = CorpusFiles(folder / f"{seed}-{len(options)}")
    files.intermediate.mkdir(parents=True, exist_ok=True)
    given = GivenDocuments(
        SimpleNamespace(step=step), CorpusConfig(seed=seed, **options),  # type: ignore[arg-type]
        {"en": Source("en", texts=(english,))}, {"en": languages}, files,
    )  # fmt: skip
    both = [given.choices(language) for language in languages]
    return [[n for n in range(DOCUMENTS) if dealt(n) and kept(n)] for dealt, kept in both]


def test_another_seed_deals_and_keeps_other_documents(tmp_path: Path, english: Path):
    first, again, other = (chosen(tmp_path, english, seed) for seed in (7, 7, 8))
    assert first == again
    assert sorted(first[0] + first[1]) == list(range(DOCUMENTS))
    assert first[0] != other[0]
    part = {"shared_text": "same", "max_bytes": english.stat().st_size // 3}
    first, again, other = (chosen(tmp_path, english, seed, **part) for seed in (7, 7, 8))
    assert first == again
    assert 0 < len(first[0]) < DOCUMENTS
    assert first[0] == first[1], "the same documents in every language"
    assert first[0] != other[0]
