"""Corpora of characters and of words through every stage: build, pretrain, fine-tune, load."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zstandard
from invented_text import invented_text

from bbert.cli import main
from bbert.corpus.token_store import TokenStore
from bbert.languages import Language
from bbert.pretrain.batches import BatchSettings, BatchSource

NUM_WORDS = 66_500
"""More than uint16 has ids for."""


def build(work: Path, name: str, *options: str) -> Path:
    code = main(["corpus", "build", "--work", str(work), "--quiet", "--name", name, *options])
    assert code == 0
    return work / "corpora" / name


def certificate(corpus: Path) -> dict[str, Any]:
    return json.loads((corpus / "certificate.json").read_text())


def refused(work: Path, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert main(["corpus", "build", "--work", str(work), "--quiet", "--name", "bad", *options]) == 2
    return capsys.readouterr().err


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder with `words`, which has more entries than uint16 has ids, and `characters`."""
    work = tmp_path_factory.mktemp("work")
    rng = np.random.default_rng(0)
    lines = [
        " ".join(f"{a}{n:x}" for n in rng.permutation(NUM_WORDS)[:15].tolist())
        for a in "ab"
        for _ in range(40)
    ]
    # Every word once, in long documents; then sentences to learn from.
    numbers = [f"x{n:x}" for n in range(NUM_WORDS)]
    lines += [" ".join(numbers[i : i + 50]) for i in range(0, NUM_WORDS, 50)]
    (work / "en.txt").write_text("\n".join(lines[:80]) + "\n\n" + "\n\n".join(lines[80:]) + "\n")
    (work / "es.txt").write_text(invented_text("es", 40))
    texts = ["--text", f"en={work}/en.txt", "--text", f"es={work}/es.txt", "--presplit"]
    build(work, "words", *texts, "--tokenization", "word")
    for source in ("en", "hi"):
        (work / f"{source}.small.txt").write_text(invented_text(source, 60, odd=True))
    build(
        work, "characters", "--languages", "enfake", "en", "hi", "--presplit", "--shared-text",
        "same", "--tokenization", "char", "--vocab", "mirror", "--text",
        f"en={work}/en.small.txt", "--text", f"hi={work}/hi.small.txt",
    )  # fmt: skip
    return work


@pytest.mark.parametrize("name", ["words", "characters"])
def test_the_saved_tokenizer_agrees_with_the_store_on_every_line(corpora: Path, name: str) -> None:
    from transformers import AutoTokenizer

    corpus = corpora / "corpora" / name
    tokenizer = AutoTokenizer.from_pretrained(corpus / "tokenizer")
    languages = certificate(corpus)["languages"]
    for language in languages:
        with zstandard.open(corpus / "text" / f"{language}.txt.zst", "rt", newline="\n") as stream:
            lines = [line for line in stream.read().split("\n") if line]
        ids = tokenizer(lines, add_special_tokens=False, verbose=False)["input_ids"]
        store = TokenStore.open(corpus, language)
        assert [sentence.tolist() for sentence in store] == ids


def test_words_take_four_bytes_and_are_certified_by_coverage(corpora: Path) -> None:
    corpus = corpora / "corpora" / "words"
    found = certificate(corpus)
    assert found["vocabulary"]["tokenization"] == "word"
    assert found["vocabulary"]["entries"] > 1 << 16
    store = TokenStore.open(corpus, "en")
    assert store.ids.dtype == np.uint32
    assert store.ids.max() > 1 << 16
    assert store.word_starts.all()
    assert "en: 100.00% of the words are in the vocabulary" in " ".join(found["promises"])
    assert not any("[UNK] rate" in promise for promise in found["promises"])


def test_batches_hold_large_ids_and_mask_them(corpora: Path) -> None:
    corpus = corpora / "corpora" / "words"
    settings = BatchSettings(batch_size=64, seq_len=64, lang_id=True)
    source = BatchSource(corpus, ["en", "es"], settings, seed=0)
    batch = source.batch(0)
    assert batch.input_ids_BT.max() > 1 << 16
    labels = batch.masked_labels_BK
    assert labels.max() > 1 << 16
    ids = np.concatenate([TokenStore.open(corpus, name).ids for name in ("en", "es")])
    assert np.isin(labels[labels >= 0], ids).all()


@pytest.mark.parametrize("name", ["words", "characters"])
def test_a_model_is_pretrained_and_fine_tuned(corpora: Path, name: str) -> None:
    work = corpora
    languages = list(certificate(work / "corpora" / name)["languages"])
    assert main(
        ["pretrain", "--work", str(work), "--corpus", name, "--name", name, "--depth", "1",
         "--heads", "1", "--hidden", "8", "--seq-len", "32", "--batch-size", "4", "--steps", "4",
         "--log-every", "2", "--eval-every", "4", "--device", "cpu", "--lang-id", "--quiet"]
    ) == 0  # fmt: skip
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    folder = work / "models" / name / "model"
    model = AutoModelForMaskedLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    entries = certificate(work / "corpora" / name)["vocabulary"]["entries"]
    assert len(tokenizer) == entries
    assert model.get_input_embeddings().weight.shape == (entries, 8)
    data = work / "ner"
    data.mkdir(exist_ok=True)
    for language in ("en", "es", "hi"):
        for split in ("train", "dev", "test"):
            rows = "\n\n".join("xa\tB-PER\nsees\tO\nx1\tB-LOC\n.\tO" for _ in range(8))
            (data / f"{split}-{language}.tsv").write_text(rows + "\n\n")
    assert main(
        ["finetune", "--work", str(work), "--model", name, "--name", name, "--task", "ner",
         "--data", str(data), "--train-lang", languages[0], "--eval-langs", *languages,
         "--head", "linear", "--epochs", "1", "--seeds", "1", "--batch-size", "4", "--quiet"]
    ) == 0  # fmt: skip
    results = json.loads((work / "transfer" / name / "results.json").read_text())
    assert set(results["languages"]) == set(languages)


def test_many_languages_have_their_shares_and_their_separators(tmp_path: Path) -> None:
    """Twenty languages of different sizes in one corpus of characters."""
    names = "en es de fr it pt nl sv da nb fi pl cs sk sl hr ro hu tr id".split()
    options = ["--tokenization", "char", "--presplit", "--smoothing", "0.3"]
    for number, name in enumerate(names):
        path = tmp_path / f"{name}.txt"
        path.write_text(invented_text("en", 6 + 3 * number, seed=number))
        options += ["--text", f"{name}={path}"]
    corpus = build(tmp_path, "many", *options)
    found = certificate(corpus)["mix"]
    assert found["smoothing"] == 0.3
    sizes = np.array([len(TokenStore.open(corpus, name)) for name in names])
    expected = sizes**0.3 / (sizes**0.3).sum()
    realised = [found["languages"][name]["realised"] for name in names]
    assert [found["languages"][name]["sentences"] for name in names] == sizes.tolist()
    assert realised == pytest.approx(expected.tolist(), abs=1e-5)
    settings = BatchSettings(batch_size=512, seq_len=32, lang_id=True, smoothing=0.3)
    source = BatchSource(corpus, names, settings, seed=0)
    assert source.language_separators == {name: 5 + i for i, name in enumerate(names)}
    vocabulary = (corpus / "tokenizer" / "vocab.txt").read_text().split("\n")
    assert [vocabulary[5 + i] for i in range(20)] == [f"[unused{i}]" for i in range(20)]


def test_options_without_a_meaning_are_refused(tmp_path: Path, capsys) -> None:
    path = tmp_path / "en.txt"
    path.write_text("One. Two.\n")
    text = ["--text", f"en={path}"]
    for tokenization in ("char", "word"):
        for segmentation in ("greedy", "unigram"):
            error = refused(
                tmp_path, capsys, *text, "--tokenization", tokenization, "--segmentation",
                segmentation,
            )  # fmt: skip
            assert f"--segmentation {segmentation} says how word-pieces are cut" in error
    for smoothing in ("-0.1", "1.01", "nan"):
        error = refused(tmp_path, capsys, *text, f"--smoothing={smoothing}")
        assert "--smoothing" in error
    error = refused(tmp_path, capsys, *text, "--tokenization", "char", "--vocab", "mirror")
    assert "--vocab mirror" in error


def test_the_same_text_gives_the_same_bytes(tmp_path: Path) -> None:
    path = tmp_path / "en.txt"
    path.write_text(invented_text("en", 60, odd=True))
    for tokenization in ("char", "word"):
        folders = [
            build(
                tmp_path, f"{tokenization}-{i}", "--text", f"en={path}", "--languages", "enfake",
                "en", "--tokenization", tokenization,
            )
            for i in range(2)
        ]  # fmt: skip
        for file in sorted((folders[0] / "tokenizer").iterdir()):
            assert file.read_bytes() == (folders[1] / "tokenizer" / file.name).read_bytes()
        for name in ("enfake", "en"):
            stores = [TokenStore.open(folder, name) for folder in folders]
            assert stores[0].description == stores[1].description


def test_fake_words_are_the_words_shifted(corpora: Path) -> None:
    """Under `mirror` the ids of Fake-English are those of English, one copy further on."""
    corpus = corpora / "corpora" / "characters"
    plain, shifted = (TokenStore.open(corpus, name) for name in ("en", "enfake"))
    tokens = (corpus / "tokenizer" / "vocab.txt").read_text().split("\n")
    fakes = {Language.parse("enfake").apply("a"), "##" + Language.parse("enfake").apply("a")}
    distance = {int(b) - int(a) for a, b in zip(plain.ids[:500], shifted.ids[:500], strict=True)}
    assert len(distance) == 1
    assert fakes <= set(tokens)
