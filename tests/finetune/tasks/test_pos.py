"""Part-of-speech files: CoNLL-U with ranges and empty nodes, XTREME's two columns, treebanks."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from official_scorer import official_scores

from bbert.errors import InputError
from bbert.finetune.tasks import load_task
from bbert.finetune.tasks.find_files import find_split
from bbert.finetune.tasks.pos import UNIVERSAL_TAGS
from bbert.finetune.tasks.reading import Reading
from bbert.finetune.tasks.task import Sentence

POS = load_task("pos")


def row(identifier: str, form: str, tag: str) -> str:
    return f"{identifier}\t{form}\t_\t{tag}\t_\t_\t0\troot\t_\t_\n"


CONLLU = (
    "# sent_id = 1\n# text = dámelo ya\n"
    + row("1-3", "dámelo", "_")
    + row("1", "da", "VERB")
    + row("2", "me", "PRON")
    + row("3", "lo", "PRON")
    + row("3.1", "empty", "NOUN")
    + row("4", "ya", "ADV")
    + "\n"
    + row("1", "New York", "PROPN")
    + "\n"
)


def test_ranges_and_empty_nodes_are_no_words(tmp_path: Path):
    file = tmp_path / "es.conllu"
    file.write_text(CONLLU, encoding="utf-8")
    first, second = POS.read([file], "es")
    assert first.words == ("da", "me", "lo", "ya")
    assert first.labels == ("VERB", "PRON", "PRON", "ADV")
    assert first.text == "dámelo ya"
    assert (second.words, second.text) == (("New York",), "")


def test_comments_may_hold_anything(tmp_path: Path):
    file = tmp_path / "es.conllu"
    comments = "# newdoc\n\n# text_en = no\n#text=a\tb \n# gloss = c\td\n"
    file.write_text("# text = of no sentence\n" + comments + row("1", "a", "NOUN"))
    (sentence,) = POS.read([file], "es")
    assert (sentence.words, sentence.text) == (("a",), "a\tb")


def test_conj_of_version_1_becomes_cconj(tmp_path: Path):
    file = tmp_path / "hi.conllu"
    file.write_text(row("1", "और", "CONJ"), encoding="utf-8")
    reading = Reading()
    assert POS.read([file], "hi", reading)[0].labels == ("CCONJ",)
    assert reading.counts["CONJ_as_CCONJ"] == 1


def test_lines_of_words_behind_ranges_and_comments(tmp_path: Path):
    file = tmp_path / "es.conllu"
    file.write_text(CONLLU, encoding="utf-8")
    reading = Reading()
    first, second = POS.read([file], "es", reading)
    lines = file.read_text(encoding="utf-8").splitlines()
    for sentence in (first, second):
        for position, word in enumerate(sentence.words):
            where, _, line = sentence.where(position).rpartition(":")
            assert where == str(file)
            assert lines[int(line) - 1].split("\t")[1] == word
    assert reading.notes() == {"encoding": "utf-8", "empty_nodes": 1, "ranges": 1}


@settings(deadline=None, max_examples=30)
@given(
    st.lists(
        st.lists(
            st.tuples(st.sampled_from(UNIVERSAL_TAGS), st.sampled_from(UNIVERSAL_TAGS)),
            min_size=1, max_size=6,
        ),
        min_size=1, max_size=4,
    )
)  # fmt: skip
def test_accuracy_as_the_official_scorer(tmp_path_factory: pytest.TempPathFactory, pairs):
    gold = [[a for a, _ in sentence] for sentence in pairs]
    predicted = [[b for _, b in sentence] for sentence in pairs]
    examples = [
        Sentence(tuple(f"w{i}" for i in range(len(tags))), tuple(tags), Path("x"), 1)
        for tags in gold
    ]
    folder = tmp_path_factory.mktemp("conllu")
    POS.write(folder / "gold", "en", examples, gold)
    POS.write(folder / "predicted", "en", examples, predicted)
    official = official_scores(folder / "gold", folder / "predicted")
    assert POS.score(gold, predicted)["accuracy"] == pytest.approx(official["UPOS"], abs=1e-12)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("1\tda\tVERB\n", 1, "3 columns instead of the 10"),
        (row("1", "da", "VERB") + row("3", "lo", "PRON"), 2, "word id '3', expected 2"),
        ("# text = da\n" + row("1", "da", "VB"), 2, "'VB' is no universal part of speech"),
        (row("1", "", "VERB"), 1, "word 1 has no form"),
        (row("1", "da", "VERB") + row("2-", "lo", "PRON"), 2, "word id '2-', expected 2"),
        (row("1", "da", "VERB") + row("2.", "lo", "PRON"), 2, "word id '2.', expected 2"),
        (row("1-2", "d", "_") + row("1", "da", "VERB") + row("2", "x", "VB"), 3, "'VB' is no"),
        (row("1", "da", "_"), 1, "'_' is no universal part of speech"),
    ],
)
def test_unusable_lines_are_named(tmp_path: Path, text: str, line: int, words: str):
    file = tmp_path / "bad.conllu"
    file.write_text(text)
    with pytest.raises(InputError) as error:
        POS.read([file], "es")
    assert f"bad.conllu:{line}: " in str(error.value)
    assert words in str(error.value)


def test_columns_with_an_unknown_tag(tmp_path: Path):
    file = tmp_path / "train-en.tsv"
    file.write_text("a\tDET\nb\tNN\n")
    with pytest.raises(InputError, match=r"train-en.tsv:2: 'NN' is no universal"):
        POS.read([file], "en")


def test_what_is_written_reads_back(tmp_path: Path):
    file = tmp_path / "es.conllu"
    file.write_text(CONLLU, encoding="utf-8")
    examples = POS.read([file], "es")
    POS.write(tmp_path / "out.conllu", "es", examples, [e.labels for e in examples])
    again = POS.read([tmp_path / "out.conllu"], "es")
    assert [(s.words, s.labels) for s in again] == [(s.words, s.labels) for s in examples]


def test_treebanks_of_a_language_are_read_together(tmp_path: Path):
    for folder, name in (("UD_English-A", "en_a"), ("UD_English-B", "en_b"), ("UD_Old", "en")):
        (tmp_path / folder).mkdir()
        separator = "_" if "_" in name else "-"
        (tmp_path / folder / f"{name}{separator}ud-test.conllu".replace("_-", "_")).touch()
    for file in tmp_path.glob("*/en_?_ud*"):
        file.rename(file.with_name(file.name.replace("_ud", "-ud")))
    names = [file.name for file in find_split(POS, tmp_path, "en", ["test"]).files]
    assert names == ["en_a-ud-test.conllu", "en_b-ud-test.conllu", "en-ud-test.conllu"]


@pytest.mark.realdata
def test_real_files(real_data: Path):
    assert len(POS.read([real_data / "udpos" / "dev-hi.tsv"], "hi")) == 1659
    files = find_split(POS, real_data / "ud", "en", ["test"]).files
    assert [f.name.split("-")[0] for f in files] == ["en_ewt", "en_lines", "en_pud", "en_partut"]
    assert len(POS.read(files, "en")) == 4351
    old = find_split(POS, real_data / "ud", "hi", ["dev"])
    assert len(POS.read(old.files, "hi")) == 1659
