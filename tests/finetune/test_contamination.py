"""Test sentences that a model may have seen: planted ones are counted, and only those."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import save_bert
from tiny_task_files import WORDS, write_columns

from bbert.cli import main
from bbert.fake import give_way
from bbert.finetune.config import FinetuneConfig
from bbert.finetune.contamination import contamination, lines_that_occur
from bbert.finetune.contamination_notes import contamination_notes, not_checked
from bbert.finetune.examples import load_data
from bbert.finetune.plan import make_plan
from bbert.languages import Language
from bbert.provenance import sha256

RNG = random.Random(11)
SENTENCES = [
    [*RNG.sample(WORDS, 4), "don't", "Cafe\u0301", f"U.S.{i}", "\U00030edd"] for i in range(30)
]
"""Distinct, with what normalisation changes: apostrophes, composed accents, a rare ideograph."""
TRAIN, TEST = SENTENCES[:20], SENTENCES[14:]  # six in both
IN_ENGLISH, IN_FAKE = SENTENCES[17:21], SENTENCES[25:]  # four and five test sentences


def tagged(sentences: list[list[str]]) -> list[list[tuple[str, str]]]:
    """The first word is a person, so that there is something to learn."""
    return [[(w, "B-PER" if i == 0 else "O") for i, w in enumerate(s)] for s in sentences]


def write_corpus(
    work: Path, texts: dict[str, list[str]], interventions: dict[str, list[str]] | None = None
) -> Path:
    """A corpus run with final text; raw sentences by language, ten unrelated ones between."""
    folder = work / "corpora" / "mixed"
    (folder / "text").mkdir(parents=True)
    beside_fake = any("fake" in name for name in texts)
    for name, raw in texts.items():
        language = Language.parse(name)
        filler = [f"Nothing of the kind, number {i}." for i in range(10)]
        lines = language.apply("\n".join([*filler[:5], *raw, *filler[5:]])).split("\n")
        text = "\n".join(lines[:7]) + "\n\n" + "\n".join(lines[7:]) + "\n"
        if beside_fake and not language.is_fake:
            text = give_way(text)
        compressed = zstandard.ZstdCompressor().compress(text.encode())
        (folder / "text" / f"{name}.txt.zst").write_bytes(compressed)
    names = interventions or {name: Language.parse(name).interventions for name in texts}
    entries = {k: {"interventions": [{"name": n} for n in v]} for k, v in names.items()}
    (folder / "certificate.json").write_text(json.dumps({"languages": entries}))
    (folder / "manifest.json").write_text(json.dumps({"stage": "corpus", "name": "mixed"}))
    return folder


def write_model(work: Path, corpus: Path, languages: list[str]) -> Path:
    """A pretraining run of that corpus."""
    folder = work / "models" / "m"
    folder.mkdir(parents=True)
    save_bert(folder / "model", WORDS, own={"languages": languages, "lang_id": False})
    manifest = {
        "stage": "pretrain", "name": "m", "languages": languages, "corpus": str(corpus),
        "sample": None, "finished": "2026-01-01T00:00:00.000Z",
        "inputs": [{"path": str(corpus), "sha256": sha256(corpus / "manifest.json")}],
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture
def ner(tmp_path: Path) -> Path:
    folder = tmp_path / "panx"
    for split, sentences in (("train", TRAIN), ("test", TEST)):
        write_columns(folder / f"{split}-en.tsv", tagged(sentences))
    return folder


def joined(sentences: list[list[str]]) -> list[str]:
    return [" ".join(sentence) for sentence in sentences]


def found_in(work: Path, data: Path, *evaluation: str, **options) -> dict:
    config = FinetuneConfig(
        work=work, data=data, eval_langs=evaluation, train_lang="enfake", **options
    )
    plan = make_plan(config)
    return contamination(plan, load_data(plan))


def test_planted_sentences_are_counted_and_like_is_compared_with_like(work: Path, ner: Path):
    corpus = write_corpus(work, {"enfake": joined(IN_FAKE), "en": joined(IN_ENGLISH)})
    write_model(work, corpus, ["enfake", "en"])
    found = found_in(work, ner, "enfake", "en")
    assert found["corpus"] == "mixed"
    assert found["not_checked"] is None
    assert found["languages"] == {
        "enfake": {"n": 16, "in_pretraining": 5, "in_training": 6},
        "en": {"n": 16, "in_pretraining": 4, "in_training": 6},
    }
    training, pretraining = contamination_notes(found)
    assert "the training data: enfake 6 of 16 (37.5%), en 6 of 16 (37.5%)" in training
    assert "the pretraining text: enfake 5 of 16 (31.2%), en 4 of 16 (25.0%)" in pretraining


def test_only_examples_that_are_used_count(work: Path, ner: Path):
    corpus = write_corpus(work, {"enfake": joined(IN_FAKE), "en": joined(TEST)})
    write_model(work, corpus, ["enfake", "en"])
    found = found_in(work, ner, "en", max_eval_examples=7, max_train_examples=1)
    assert found["languages"]["en"]["n"] == 7
    assert found["languages"]["en"]["in_pretraining"] == 7
    assert found["languages"]["en"]["in_training"] <= 1


def test_reversed_languages_are_compared_reversed(work: Path, ner: Path):
    corpus = write_corpus(work, {"enreversed": joined(IN_ENGLISH), "enfakereversed": []})
    write_model(work, corpus, ["enreversed", "enfakereversed"])
    found = found_in(work, ner, "enreversed", "enfakereversed")["languages"]
    assert found["enreversed"] == {"n": 16, "in_pretraining": 4, "in_training": 6}
    assert found["enfakereversed"] == {"n": 16, "in_pretraining": 0, "in_training": 6}


@pytest.mark.parametrize("language", ["es", "esfake", "esreversed"])
def test_of_a_treebank_the_text_is_looked_for_not_its_words(
    work: Path, tmp_path: Path, language: str
):
    """Contractions are two words, "del" is "de", "el", which no text has."""
    texts = [f"Ana vino del pueblo número {i}, ayer." for i in range(9)]
    blocks = []
    for number, text in enumerate(texts):
        said = f"# text = {text}\n" if number else ""  # not all files say it
        words = text.replace("del", "de el").replace(",", " ,").replace(".", " .").split()
        rows = (f"{i}\t{word}\t_\t{'ADP' if word == 'de' else 'NOUN'}\t_\t_\t_\t_\t_\t_\n"
                for i, word in enumerate(words, start=1))  # fmt: skip
        blocks.append(said + "".join(rows) + "\n")
    folder = tmp_path / "ud"
    folder.mkdir()
    (folder / "es_x-ud-train.conllu").write_text("".join(blocks[7:]))
    (folder / "es_x-ud-test.conllu").write_text("".join(blocks[:8]))
    write_model(work, write_corpus(work, {language: texts[:5]}), [language])
    config = FinetuneConfig(
        work=work, data=folder, task="pos", train_lang="es", eval_langs=(language,)
    )
    plan = make_plan(config)
    found = contamination(plan, load_data(plan))["languages"][language]
    assert found == {"n": 8, "in_pretraining": 4, "in_training": 1}


def test_notes_on_permuted_and_drawn_corpora(work: Path, ner: Path):
    corpus = write_corpus(
        work, {"enfake": [], "en": joined(IN_ENGLISH)},
        {"enfake": ["fake", "unigram"], "en": ["permute"]},
    )  # fmt: skip
    write_model(work, corpus, ["enfake", "en"])
    found = found_in(work, ner, "enfake", "en")["languages"]
    assert found["en"]["in_pretraining"] == 4
    assert "before its word-pieces were permuted" in found["en"]["note"]
    assert "drawn words" in found["enfake"]["note"]


def test_what_chose_the_epoch_is_named(work: Path, ner: Path):
    write_model(work, write_corpus(work, {"enfake": [], "en": []}), ["enfake", "en"])
    (ner / "test-en.tsv").rename(ner / "dev-en.tsv")  # no test file: dev is tested
    shutil.copy(ner / "dev-en.tsv", ner / "test-es.tsv")
    found = found_in(work, ner, "enfake", "en", "es", selection="best-dev")
    assert [entry.get("selected_on") for entry in found["languages"].values()] == [
        ["dev-en.tsv"], ["dev-en.tsv"], None,
    ]  # fmt: skip
    *_, sentence = contamination_notes(found)
    assert sentence.startswith("test examples that also chose the epoch (--selection best-dev)")
    assert sentence.endswith(": enfake (dev-en.tsv), en (dev-en.tsv)")
    for options in ({"selection": "last"}, {"selection": "best-dev", "epochs": 0}):
        found = found_in(work, ner, "en", **options)
        assert "selected_on" not in found["languages"]["en"]
        assert not any("epoch" in sentence for sentence in contamination_notes(found))


def test_one_file_with_all_languages_chose_by_the_source_alone(work: Path, xnli_data: Path):
    write_model(work, write_corpus(work, {"enfake": [], "en": []}), ["enfake", "en"])
    file = xnli_data / "xnli.dev.tsv"
    found = found_in(
        work, xnli_data, "en", "es", task="xnli", selection="best-dev",
        eval_set=(f"dev=en:{file}", f"spanish=es:{file}"),
    )["languages"]  # fmt: skip
    assert [name for name, entry in found.items() if "selected_on" in entry] == ["dev"]


def test_what_cannot_be_compared_is_said(work: Path, ner: Path):
    corpus = write_corpus(work, {"en": joined(IN_ENGLISH)})
    write_model(work, corpus, ["enfake", "en"])
    found = found_in(work, ner, "enfake", "en")
    assert found["languages"]["enfake"]["in_pretraining"] is None
    assert not_checked(found) == "enfake is no language of corpus mixed"
    (corpus / "manifest.json").write_text(json.dumps({"stage": "corpus", "name": "anew"}))
    found = found_in(work, ner, "en")
    assert found["not_checked"] == "corpus mixed was built anew since m was pretrained"
    assert found["languages"]["en"] == {"n": 16, "in_pretraining": None, "in_training": 6}
    (corpus / "manifest.json").unlink()
    assert found_in(work, ner, "en")["not_checked"] == f"corpus {corpus} is gone"


def test_a_work_folder_that_was_moved(work: Path, ner: Path, tmp_path: Path):
    corpus = write_corpus(work, {"enfake": joined(IN_FAKE)})
    write_model(work, corpus, ["enfake"])
    moved = work.rename(tmp_path / "elsewhere")
    assert found_in(moved, ner, "enfake")["languages"]["enfake"]["in_pretraining"] == 5


def test_a_foreign_model(work: Path, ner: Path, foreign_bert: Path):
    found = found_in(work, ner, "en", model=str(foreign_bert))
    assert "its pretraining text is unknown" in found["not_checked"]
    assert found["languages"]["en"]["in_training"] == 6


def test_pairs(work: Path, tmp_path: Path):
    def rows(pairs: list[tuple[str, str]]) -> str:
        labels = ("neutral", "entailment")
        return "".join(f"{a}\t{b}\t{labels[i % 2]}\n" for i, (a, b) in enumerate(pairs))

    folder = tmp_path / "xnli"
    folder.mkdir()
    train = [("Anna left.", "Boris stayed."), ("It rains.", "It pours."), ("One.", "Two.")]
    test = [
        ("Anna  left .", "Boris stayed."),  # the same pair
        ("Anna left.", "It pours."),  # both texts, but not as a pair
        ("It pours.", "Anna left."),  # the other way round
        ("New.", "In the corpus, this."),
        ("In the corpus, this.", "In the corpus too."),
    ]
    (folder / "train-en.tsv").write_text(rows(train))
    (folder / "test-en.tsv").write_text(rows(test))
    corpus = write_corpus(
        work, {"enfake": [], "en": ["In the corpus, this.", "In the corpus too."]}
    )
    write_model(work, corpus, ["enfake", "en"])
    found = found_in(work, folder, "en", task="xnli")["languages"]["en"]
    assert found["in_training"] == 1
    assert found["in_pretraining"] == 2
    assert found["texts"] == {
        "first_in_training": 2, "second_in_training": 2,
        "first_in_pretraining": 1, "second_in_pretraining": 2,
    }  # fmt: skip


def test_the_command_warns_and_keeps_the_counts(
    work: Path, ner: Path, capsys: pytest.CaptureFixture[str]
):
    corpus = write_corpus(work, {"enfake": joined(IN_FAKE), "en": joined(IN_ENGLISH)})
    write_model(work, corpus, ["enfake", "en"])
    arguments = ["--work", str(work), "--data", str(ner), "--epochs", "1", "--name", "c", "--quiet"]
    assert main(["finetune", *arguments]) == 0
    shown = capsys.readouterr()
    warned = [line for line in shown.err.splitlines() if line.startswith("warning")]
    assert len(warned) == 2
    assert "in the pretraining text: enfake 5 of 16" in warned[1]
    assert "training data: enfake 6 of 16" in " ".join(shown.out.split())
    content = json.loads((work / "transfer" / "c" / "results.json").read_text())
    found = content["contamination"]
    assert found["languages"]["en"]["in_pretraining"] == 4
    assert "equal to a line" in found["definition"]


CHARACTERS = st.characters(codec="utf-8", exclude_characters="\r\n")  # as the readers give them
LINES = st.lists(st.text(CHARACTERS, max_size=6), max_size=30)


@given(LINES, LINES)
def test_lines_that_occur(tmp_path_factory, text: list[str], wanted: list[str]):
    path = tmp_path_factory.mktemp("text") / "en.txt"
    path.write_text("\n".join(text) + "\n", encoding="utf-8")
    expected = {line.encode() for line in wanted if line} & {line.encode() for line in text}
    assert lines_that_occur(path, [line.encode() for line in wanted]) == expected
