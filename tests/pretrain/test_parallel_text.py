"""Parallel text of a corpus: exact translations of held-out sentences, or aligned files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tiny_corpus import build_tiny_corpus
from tokenizers import Tokenizer

from bbert.corpus.token_store import TokenStore
from bbert.errors import InputError
from bbert.fake import give_way
from bbert.languages import Language, fake
from bbert.pretrain.batches import BatchSettings, BatchSource
from bbert.pretrain.parallel_text import parallel_texts, say_what_is_not_read

LANGUAGES = ["enfake", "en"]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return build_tiny_corpus(tmp_path, documents=300)


def held_out(corpus: Path) -> BatchSource:
    return BatchSource(corpus, LANGUAGES, BatchSettings(seq_len=24), 0, split="validation")


def without_order(corpus: Path, *languages: str) -> None:
    """Let the certificate say that these languages are unigrams."""
    path = corpus / "certificate.json"
    certificate = json.loads(path.read_text())
    for language in languages:
        certificate["languages"][language]["interventions"] = [{"name": "unigram"}]
    path.write_text(json.dumps(certificate))


def lines_of(corpus: Path, language: str) -> list[str]:
    text = (corpus / "text" / f"{language}.txt").read_text(encoding="utf-8")
    return [line for line in text.split("\n") if line]


def test_held_out_sentences_and_their_fakes_are_exact_translations(corpus):
    source = held_out(corpus)
    (text,) = parallel_texts(corpus, LANGUAGES, source.held_out_sentences, {})
    assert text.exact
    assert text.pairs == (("enfake", "en"),)
    numbers = source.held_out_sentences("en")
    assert text.sentences["en"] == [lines_of(corpus, "en")[number] for number in numbers]
    assert text.sentences["enfake"] == [fake(line) for line in text.sentences["en"]]


def test_the_numbers_are_those_of_the_store_and_nobody_was_trained_on_them(corpus):
    source = held_out(corpus)
    train = BatchSource(corpus, LANGUAGES, BatchSettings(seq_len=24, nsp=False), 0)
    numbers = source.held_out_sentences("en")
    assert 20 < len(numbers) < 0.1 * len(TokenStore.open(corpus, "en"))
    store = TokenStore.open(corpus, "en")
    tokenizer = Tokenizer.from_file(str(corpus / "tokenizer" / "tokenizer.json"))
    (text,) = parallel_texts(corpus, LANGUAGES, source.held_out_sentences, {})
    for number, line in zip(numbers, text.sentences["en"], strict=True):
        assert tokenizer.encode(line, add_special_tokens=False).ids == store[number].tolist()
    trained = train._streams[1].sentences()
    assert not set(numbers) & set(trained)
    assert sorted([*numbers, *trained]) == list(range(len(store)))


def test_unigrams_are_no_sentences_so_the_fake_language_is_undone(corpus):
    without_order(corpus, "en")
    source = held_out(corpus)
    (text,) = parallel_texts(corpus, LANGUAGES, source.held_out_sentences, {})
    numbers = source.held_out_sentences("enfake")
    assert text.sentences["enfake"] == [lines_of(corpus, "enfake")[n] for n in numbers]
    assert [fake(line) for line in text.sentences["en"]] == text.sentences["enfake"]
    without_order(corpus, "en", "enfake")
    assert parallel_texts(corpus, LANGUAGES, source.held_out_sentences, {}) == []


def test_files_are_put_through_the_interventions_of_their_language(corpus, tmp_path):
    (tmp_path / "a").write_text("One, two.\nThree\n")
    (tmp_path / "b").write_text("Uno, dos.\nTres\n", encoding="utf-8")
    files = {"enfake": tmp_path / "a", "es": tmp_path / "b"}
    (text,) = parallel_texts(corpus, ["enfake", "es"], lambda name: np.arange(3), files)
    assert not text.exact
    assert text.sentences["es"] == ["Uno , dos .", "Tres"]
    assert text.sentences["enfake"] == [fake("One , two ."), fake("Three")]


def test_files_of_one_source_are_not_needed(corpus, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_text("One\nTwo\nThree\n")
    files = {"enfake": tmp_path / "a", "en": tmp_path / "b"}
    (text,) = parallel_texts(corpus, LANGUAGES, held_out(corpus).held_out_sentences, files)
    assert text.exact


@pytest.mark.parametrize(("second", "words"), [("x\n", "2 lines"), ("x\ny\nz", "2 lines")])
def test_files_of_different_lengths_are_refused(corpus, tmp_path, second, words):
    (tmp_path / "a").write_text("One\nTwo\n")
    (tmp_path / "b").write_text(second)
    files = {"enfake": tmp_path / "a", "es": tmp_path / "b"}
    with pytest.raises(InputError, match=words):
        parallel_texts(corpus, ["enfake", "es"], lambda name: np.arange(3), files)


def test_a_reversed_language_is_turned_round(tmp_path):
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "enfakereversed.txt").write_text(
        Language.parse("enfakereversed").apply("a b c\nd e"), encoding="utf-8"
    )
    (tmp_path / "certificate.json").write_text('{"languages": {}}')
    (text,) = parallel_texts(
        tmp_path, ["enreversed", "enfakereversed"], lambda name: np.array([0, 1]), {}
    )
    assert text.sentences["enreversed"] == ["c b a", "e d"]


RARE = "a \U00030d50b c\U00050001"
"""With characters from 200,000 on, in the alphabet of `fake` or where none are."""


@pytest.mark.parametrize("kept", ["en", "enfake"])
def test_a_plain_language_leaves_a_fake_one_its_alphabet(tmp_path, kept):
    (tmp_path / "text").mkdir()
    made = {"en": give_way(Language.parse("en").apply(RARE)), "enfake": fake(RARE)}
    assert made["en"] != RARE
    (tmp_path / "text" / f"{kept}.txt").write_text(made[kept], encoding="utf-8")
    (tmp_path / "certificate.json").write_text('{"languages": {}}')
    (tmp_path / "ru").write_text(f"{RARE}\nd")
    (tmp_path / "it").write_text("e\nf")
    files = {name: tmp_path / name for name in ("ru", "it")}
    languages = [kept, "enreversed", "enfakereversed", "ru", "it"]
    exact, aligned = parallel_texts(tmp_path, languages, lambda name: np.array([0]), files)
    assert exact.sentences[kept] == [made[kept]]
    assert exact.sentences["enfakereversed"] == [" ".join(made["enfake"].split()[::-1])]
    assert exact.sentences["enreversed"] == [" ".join(made["en"].split()[::-1])]
    assert aligned.sentences["ru"] == [made["en"], "d"]
    (alone,) = parallel_texts(tmp_path, ["ru", "it"], lambda name: np.array([0]), files)
    assert alone.sentences["ru"] == [RARE, "d"]


def test_files_that_are_not_needed_are_named(corpus, tmp_path, caplog):
    for name in ("enfake", "en", "es"):
        (tmp_path / name).write_text("One\nTwo\nThree\n")
    held = held_out(corpus).held_out_sentences

    def said(*languages: str) -> str:
        caplog.clear()
        files = {name: tmp_path / name for name in languages}
        with caplog.at_level("INFO", logger="bbert"):
            texts = parallel_texts(
                corpus, languages, lambda n: held(n) if n in LANGUAGES else np.arange(3), files
            )
            say_what_is_not_read(files, texts)
        return caplog.text

    assert "--probe-parallel is not read for enfake, en: held-out text" in said("enfake", "en")
    assert said("enfake", "en", "es") == ""
    assert said("en", "es") == ""


def test_pairs_without_parallel_text_are_named(corpus, tmp_path, caplog):
    (tmp_path / "a").write_text("One\nTwo\nThree\n")
    (tmp_path / "b").write_text("Uno\nDos\nTres\n")
    files = {"en": tmp_path / "a", "es": tmp_path / "b"}
    held = held_out(corpus).held_out_sentences

    def said(*languages: str) -> str:
        caplog.clear()
        with caplog.at_level("INFO", logger="bbert"):
            parallel_texts(
                corpus, languages, lambda n: held(n) if n in LANGUAGES else np.arange(3), files
            )
        return caplog.text

    assert said("enfake", "en") == ""
    assert said("en", "es") == ""
    assert said("en") == ""
    assert "no multilinguality curves for en-ru, es-ru: no parallel text" in said("en", "es", "ru")
    # en has a text both with enfake, exactly, and with es, in files; enfake and es have none.
    assert "curves for enfake-es: no parallel text" in said("enfake", "en", "es")
