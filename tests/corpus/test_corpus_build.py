"""`bbert corpus build` from end to end: what it promises, measured again on what it wrote."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
import zstandard
from dump_files import article, dump, page, plain_text

from bbert.cli import main
from bbert.corpus.token_store import TokenStore
from bbert.languages import Language, unfake

AWKWARD = (
    " Biang \U00030edd\U00030d72 \U00030d85 \U00050000 tags \U000e0041 private \ue000\U000f0000."
)


def read_text(corpus: Path, language: str) -> str:
    with zstandard.open(corpus / "text" / f"{language}.txt.zst", "rt", encoding="utf-8") as stream:
        return stream.read()


def read_certificate(corpus: Path) -> dict:
    return json.loads((corpus / "certificate.json").read_text())


def characters(text: str) -> set[str]:
    return set(text) - {" ", "\n"}


@pytest.fixture(scope="module")
def english(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("text") / "en.txt"
    documents = plain_text(120).split("\n\n")
    for number in (3, 4, 5, 70, 71):  # in both languages, however they are dealt
        documents[number] = documents[number].rstrip() + AWKWARD + " ƞ ʅ."
    path.write_text("\n\n".join(documents))
    return path


@pytest.fixture(scope="module")
def work(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def mirror(work: Path, english: Path) -> Path:
    """enfake and en of the same documents, with a mirrored vocabulary."""
    options = ["--text", f"en={english}", "--vocab-size", "400", "--vocab", "mirror"]
    code = main(
        ["corpus", "build", "--work", str(work), "--quiet", "--languages", "enfake", "en",
         *options, "--shared-text", "same", "--name", "mirror"]
    )  # fmt: skip
    assert code == 0
    return work / "corpora" / "mirror"


@pytest.fixture(scope="module")
def joint(work: Path, english: Path) -> Path:
    """enfake and en of different documents, with a joint vocabulary."""
    options = ["--text", f"en={english}", "--vocab-size", "400", "--segmentation", "unigram"]
    code = main(
        ["corpus", "build", "--work", str(work), "--quiet", "--languages", "enfake", "en", *options]
    )
    assert code == 0
    return work / "corpora" / "enfake-en-vocab-size400-segmentation-unigram"


def test_the_fake_language_is_the_same_text_in_other_characters(mirror: Path):
    plain, shifted = read_text(mirror, "en"), read_text(mirror, "enfake")
    assert not characters(plain) & characters(shifted)
    original = unfake(shifted)
    assert "\U00030edd" in original
    assert "\U00030edd" not in plain  # it gave way
    ordinary = [line for line in plain.split("\n") if max(map(ord, line), default=0) < 200_000]
    assert len(ordinary) > 200
    assert set(ordinary) <= set(original.split("\n"))
    certificate = read_certificate(mirror)
    assert certificate["languages"]["en"]["gave_way_to_fake"]["characters"] == [
        "U+30D72", "U+30D85", "U+30EDD",
    ]  # fmt: skip
    assert certificate["pairs"]["enfake-en"]["same_segmentation_rate"] == 1.0


@pytest.mark.parametrize("name", ["mirror", "joint"])
def test_the_certificate_is_what_was_written(request: pytest.FixtureRequest, name: str):
    corpus = request.getfixturevalue(name)
    certificate = read_certificate(corpus)
    texts = {language: read_text(corpus, language) for language in ("enfake", "en")}
    used = {}
    for language, text in texts.items():
        entry = certificate["languages"][language]
        documents = text.split("\n\n")
        sentences = [line for line in text.split("\n") if line]
        store = TokenStore.open(corpus, language)
        assert entry["documents"] == len(documents) == store.num_documents
        assert entry["sentences"] == len(sentences) == len(store)
        assert entry["words"] == len(text.split()) == int(store.word_starts.sum())
        assert entry["word_pieces"] == len(store.ids)
        assert entry["unk_rate"] == np.mean(store.ids == 1) <= 0.001
        assert entry["characters"] == len(characters(text))
        used[language] = set(store.ids.tolist()) - {1}
    assert certificate["pairs"] == {
        "enfake-en": {
            "shared_characters": 0,
            "shared_vocabulary_entries": 0,
            "same_segmentation_rate": certificate["pairs"]["enfake-en"]["same_segmentation_rate"],
            "shared_documents": 120 if name == "mirror" else 0,
            "identical_documents": 120 if name == "mirror" else 0,
        }
    }
    assert not characters(texts["en"]) & characters(texts["enfake"])
    assert not used["en"] & used["enfake"]
    [fake] = certificate["languages"]["enfake"]["interventions"]
    assert (fake["name"], fake["shift"]) == ("fake", 200_000)
    assert certificate["languages"]["en"]["interventions"] == []
    assert len(certificate["promises"]) >= 6
    assert not (corpus / "intermediate").exists()


def test_dealt_documents_are_all_there_once(joint: Path, english: Path):
    plain = {d.strip("\n") for d in read_text(joint, "en").split("\n\n")}
    shifted = {unfake(d).strip("\n") for d in read_text(joint, "enfake").split("\n\n")}
    assert len(plain) == len(shifted) == 60
    assert not plain & shifted
    sentences = Language.parse("en").apply(english.read_text())
    words = sorted(word for word in sentences.split() if max(map(ord, word)) < 200_000)
    found = " ".join(plain | shifted).split()
    assert sorted(word for word in found if max(map(ord, word)) < 200_000) == words


def test_manifest_and_configuration(joint: Path, english: Path, capsys):
    manifest = json.loads((joint / "manifest.json").read_text())
    assert manifest["languages"] == ["enfake", "en"]
    assert manifest["sample"] is None
    assert manifest["inputs"][0]["path"] == str(english)
    assert manifest["counts"]["en"]["documents"] == 60
    config = yaml.safe_load((joint / "config.yaml").read_text())
    assert config["vocab"] == "joint"
    again = ["corpus", "build", "--work", str(joint.parent.parent), "--name", joint.name]
    assert main([*again, "--config", str(joint / "config.yaml")]) == 0
    assert "is up to date" in capsys.readouterr().err
    assert main([*again, "--config", str(joint / "config.yaml"), "--vocab-size", "410"]) == 2
    assert "--vocab-size 400 → 410" in capsys.readouterr().err


def test_inspect_shows_counts_lengths_and_promises(mirror: Path, capsys):
    work = str(mirror.parent.parent)
    assert main(["corpus", "inspect", "mirror", "--work", work]) == 0
    shown = capsys.readouterr().out
    certificate = read_certificate(mirror)
    for number in certificate["languages"]["enfake"]["words"], 120:
        assert f"{number:,}" in shown
    for words in (
        "sentences in word-pieces",
        "100.0%",
        "Promises kept",
        "U+30EDD",
        "documents 120",
    ):
        assert words in shown
    assert main(["corpus", "inspect", "nothing", "--work", work]) == 2
    assert "no corpus run 'nothing'" in capsys.readouterr().err


def test_from_dumps_with_a_part_of_the_documents(tmp_path: Path, capsys):
    pages = [page(f"A {n}", article(n), number=n) for n in range(40)]
    (tmp_path / "en.xml").write_text(dump(pages))
    (tmp_path / "es.txt").write_text(plain_text(50, seed=5))
    build = [
        "corpus", "build", "--work", str(tmp_path / "work"), "--languages", "enfake", "es",
        "--dump", f"en={tmp_path}/en.xml", "--text", f"es={tmp_path}/es.txt",
        "--max-bytes", "6000", "--vocab-size", "300",
    ]  # fmt: skip
    assert main(build) == 0
    corpus = tmp_path / "work" / "corpora" / "enfake-es-max-bytes6000-vocab-size300"
    assert str(corpus) in capsys.readouterr().out
    for language, read in (("enfake", 40), ("es", 50)):
        steps = {s["step"]: s for s in read_certificate(corpus)["languages"][language]["steps"]}
        assert steps["select"]["read"] == read
        assert 0 < steps["select"]["kept"] < read
        assert steps["text"]["documents"] == steps["select"]["kept"]
    raw = unfake(read_text(corpus, "enfake"))
    assert 3000 < len(raw.encode()) < 9000  # of tokenised text
    assert "History" not in raw


def test_presplit_lines_are_the_sentences(tmp_path: Path):
    lines = [line for line in plain_text(60, seed=2).split("\n") if line]
    (tmp_path / "en.txt").write_text("\n".join(lines))
    build = [
        "corpus", "build", "--work", str(tmp_path), "--quiet", "--text", f"en={tmp_path}/en.txt",
        "--presplit", "--vocab-size", "200", "--name", "presplit",
    ]  # fmt: skip
    assert main(build) == 0
    corpus = tmp_path / "corpora" / "presplit"
    assert read_certificate(corpus)["languages"]["en"]["sentences"] == len(lines)
    assert read_text(corpus, "en") == Language.parse("en").apply("\n".join(lines)) + "\n"


def test_a_language_may_have_a_text_of_its_own(tmp_path: Path):
    """The first documents of two files are not the same ones, though they have the same numbers."""
    for name, seed in (("en", 1), ("enfake", 2)):
        (tmp_path / f"{name}.txt").write_text(plain_text(60, seed=seed))
    texts = [f"--text={name}={tmp_path}/{name}.txt" for name in ("en", "enfake")]
    build = ["corpus", "build", "--work", str(tmp_path), "--quiet", "--name", "own", *texts]
    assert main([*build, "--languages", "enfake", "en", "--vocab-size", "300"]) == 0
    pair = read_certificate(tmp_path / "corpora" / "own")["pairs"]["enfake-en"]
    assert pair["identical_documents"] == 0
    assert "shared_documents" not in pair


def test_a_dry_run_says_what_it_would_cost_and_writes_nothing(tmp_path: Path, english, capsys):
    work = tmp_path / "work"
    build = ["corpus", "build", "--work", str(work), "--dry-run"]
    assert main([*build, "--text", f"en={english}", "--languages", "enfake", "en"]) == 0
    shown = capsys.readouterr().out
    config = yaml.safe_load(shown)
    assert config["languages"] == ["enfake", "en"]
    assert config["vocab_size"] == 60_000
    for quantity in ("time", "memory", "disk", "would write"):
        assert quantity in shown
    assert main(build) == 0
    assert "sample-enfake-en" in capsys.readouterr().out
    assert not work.exists()


def test_a_broken_promise_fails_the_build(tmp_path: Path, english, capsys, monkeypatch):
    monkeypatch.setattr("bbert.corpus.language_text.give_way", str)  # plain text stays where it is
    build = [
        "corpus", "build", "--work", str(tmp_path), "--languages", "enfake", "en", "--quiet",
        "--text", f"en={english}", "--vocab-size", "400", "--name", "broken",
    ]  # fmt: skip
    assert main(build) == 1
    message = capsys.readouterr().err
    assert "enfake-en have " in message
    assert "shared characters (0 promised)" in message
    assert not (tmp_path / "corpora" / "broken").exists()


def test_the_embedded_sample_needs_no_argument(work_folder: Path, capsys):
    assert main(["corpus", "build"]) == 0
    first, second = capsys.readouterr().err.splitlines()[:2]
    assert "embedded sample" in first
    assert "--dump" in second
    corpus = work_folder / "corpora" / "sample-enfake-en"
    manifest = json.loads((corpus / "manifest.json").read_text())
    assert manifest["sample"] == str(work_folder / "sample")
    pair = read_certificate(corpus)["pairs"]["enfake-en"]
    assert pair == {
        "shared_characters": 0, "shared_vocabulary_entries": 0, "same_segmentation_rate": 1.0,
        "shared_documents": 0, "identical_documents": 0,
    }  # fmt: skip
    assert main(["corpus", "build", "--languages", "en", "it"]) == 2
    assert "no text in 'it'" in capsys.readouterr().err
    shutil.rmtree(work_folder)


@pytest.fixture
def work_folder(tmp_path: Path, monkeypatch) -> Path:
    folder = tmp_path / "work"
    monkeypatch.setenv("BBERT_WORK", str(folder))
    return folder
