"""Trees: reading, faults with file and line, scores equal to those of the CoNLL-2018 scorer."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from official_scorer import official_scores

from bbert.errors import InputError
from bbert.finetune.reversed_order import in_reverse
from bbert.finetune.tasks.find_files import find_split
from bbert.finetune.tasks.parsing import TASK as PARSING
from bbert.finetune.tasks.reading import Reading
from bbert.finetune.tasks.task import Sentence
from bbert.finetune.tasks.trees import (
    arc_label,
    attachment_scores,
    best_chain,
    chain_floors,
    tree_fault,
    universal,
)

RELATIONS = ["nsubj", "nsubj:pass", "obj", "punct", "obl:tmod"]


def row(identifier: str, form: str, head: str, relation: str) -> str:
    return f"{identifier}\t{form}\t_\tX\t_\t_\t{head}\t{relation}\t_\t_\n"


CONLLU = (
    "# sent_id = 1\n# text = dámelo ya\n"
    + row("1-2", "dámelo", "_", "_")
    + row("1", "dáme", "0", "root")
    + row("2", "lo", "1", "obj")
    + row("2.1", "empty", "_", "_")
    + row("3", "ya", "1", "advmod:emph")
    + "\n"
)


def read(path: Path, text: str, reading: Reading | None = None):
    path.write_text(text, encoding="utf-8")
    return PARSING.read([path], "es", reading)


def trees(max_words: int):
    """Random trees with one root: heads of the words, from 1."""

    def tree(draw_seed: tuple[int, int]) -> list[int]:
        number, seed = draw_seed
        rng = random.Random(seed)
        order = list(range(1, number + 1))
        rng.shuffle(order)
        heads = [0] * number
        for position, word in enumerate(order[1:], start=1):
            heads[word - 1] = rng.choice(order[:position])
        return heads

    return st.tuples(st.integers(1, max_words), st.integers(0, 10**6)).map(tree)


def test_ranges_and_empty_nodes_are_no_words_and_subtypes_go(tmp_path: Path):
    reading = Reading()
    (sentence,) = read(tmp_path / "es.conllu", CONLLU, reading)
    assert sentence.words == ("dáme", "lo", "ya")
    assert sentence.labels == ("0 root", "1 obj", "1 advmod")
    assert [sentence.where(i).rpartition(":")[2] for i in range(3)] == ["4", "5", "7"]
    assert reading.notes() == {
        "encoding": "utf-8", "empty_nodes": 1, "ranges": 1, "relations_without_subtype": 1,
    }  # fmt: skip
    (sentence,) = read(tmp_path / "es.conllu", CONLLU, Reading(relations="subtypes"))
    assert sentence.labels[2] == "1 advmod:emph"
    assert PARSING.label_set([sentence]) == ("advmod:emph", "obj", "root")


@pytest.mark.parametrize(
    ("rows", "line", "words"),
    [
        ([("0", "root"), ("_", "obj")], 2, "word 2 has no head ('_')"),
        ([("0", "root"), ("1", "_")], 2, "word 2 has no relation"),
        ([("0", "root"), ("3", "obj")], 2, "head 3 is no word of the sentence (1 to 2"),
        ([("0", "root"), ("2", "obj")], 2, "the word is its own head"),
        ([("0", "root"), ("0", "root")], 2, "a second root (the first is word 1)"),
        ([("0", "root"), ("3", "obj"), ("2", "obj")], 2, "the word is part of a cycle"),
        ([("2", "obj"), ("1", "obj")], 1, "the word is part of a cycle"),
    ],
)
def test_what_is_no_tree_is_named(tmp_path: Path, rows, line: int, words: str):
    text = "".join(row(str(i), "w", *arc) for i, arc in enumerate(rows, start=1))
    with pytest.raises(InputError) as error:
        read(tmp_path / "bad.conllu", "# a comment\n\n" + row("1", "w", "0", "root") + "\n" + text)
    assert f"bad.conllu:{line + 4}: " in str(error.value)
    assert words in str(error.value)
    with pytest.raises(InputError, match="CoNLL-U"):
        PARSING.read([tmp_path / "bad.tsv"], "es")


def test_faults_against_all_assignments_of_heads():
    """Brute force: heads are a tree if every word reaches 0 and one word hangs on it."""
    for number in (1, 2, 3, 4):
        for heads in itertools.product(range(number + 1), repeat=number):

            def reaches_root(word: int, heads=heads, number=number) -> bool:
                for _ in range(number + 1):
                    if word == 0:
                        return True
                    word = heads[word - 1]
                return False

            good = heads.count(0) == 1 and all(map(reaches_root, range(1, number + 1)))
            assert (tree_fault(heads) is None) == good, heads


def labels_of(heads: list[int], rng: random.Random) -> list[str]:
    return [arc_label(h, rng.choice(RELATIONS) if h else "root") for h in heads]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(trees(7), st.integers(0, 10**6)), min_size=1, max_size=4))
def test_scores_as_the_official_scorer(tmp_path_factory: pytest.TempPathFactory, drawn):
    gold, predicted, examples = [], [], []
    for heads, seed in drawn:
        rng = random.Random(seed)
        gold.append(labels_of(heads, rng))
        # Half of the sentences with the same heads, so that relations are compared too.
        other = list(heads)
        if rng.random() < 0.5:
            other = [0] + [rng.randint(1, i) for i in range(1, len(heads))]
        predicted.append(labels_of(other, rng))
        words = tuple(f"w{i}" for i in range(len(heads)))
        examples.append(Sentence(words, tuple(gold[-1]), Path("x"), 1))
    folder = tmp_path_factory.mktemp("conllu")
    for name, labels in (("gold", gold), ("predicted", predicted)):
        PARSING.write(folder / name, "en", examples, labels)
    official = official_scores(folder / "gold", folder / "predicted")
    scores = attachment_scores(gold, predicted)
    assert scores["las"] == pytest.approx(official["LAS"], abs=1e-12)
    assert scores["uas"] == pytest.approx(official["UAS"], abs=1e-12)
    assert scores["las_with_subtypes"] <= scores["las"] <= scores["uas"]


def test_trees_without_a_model():
    # On the word before: root, obj, obj:x, obj are right; on the word after: only the first.
    gold = [["0 root", "1 obj", "2 obj:x", "3 obj", "3 punct"], ["2 nsubj", "0 root"]]
    floors = chain_floors(gold)
    assert floors["left_attachment"] == {"las": 4 / 7, "uas": 4 / 7}
    assert floors["right_attachment"] == {"las": 2 / 7, "uas": 2 / 7}
    assert best_chain(gold) == 4 / 7
    assert chain_floors([["0 root"]])["right_attachment"] == {"las": 1, "uas": 1}


@given(st.lists(st.tuples(trees(7), st.integers(0, 10**6)), min_size=1, max_size=4))
def test_floors_are_the_scores_of_these_trees(drawn):
    gold = [labels_of(heads, random.Random(seed)) for heads, seed in drawn]
    for name, step in (("left_attachment", -1), ("right_attachment", 1)):
        found = []
        for relation in {universal(r) for r in RELATIONS}:
            chains = []
            for tree in gold:
                end = 1 if step < 0 else len(tree)
                words = range(1, len(tree) + 1)
                chains.append(["0 root" if w == end else f"{w + step} {relation}" for w in words])
            found.append(attachment_scores(gold, chains))
        assert chain_floors(gold)[name]["las"] == pytest.approx(max(f["las"] for f in found))
        assert chain_floors(gold)[name]["uas"] == pytest.approx(found[0]["uas"])


@given(trees(8), st.integers(0, 10**6))
def test_reversed_trees_are_trees_of_the_same_words(heads, seed):
    labels = labels_of(heads, random.Random(seed))
    words = tuple(f"w{i}" for i in range(len(heads)))
    sentence = Sentence(words, tuple(labels), Path("x"), 1)
    (back,) = in_reverse([sentence], "parsing")
    governor = {w: ("", *words)[int(a.split()[0])] for w, a in zip(words, labels, strict=True)}
    moved = dict(zip(back.words, back.labels, strict=True))
    assert {w: ("", *back.words)[int(a.split()[0])] for w, a in moved.items()} == governor
    (again,) = in_reverse([back], "parsing")
    assert (again.words, again.labels) == (sentence.words, sentence.labels)


def test_what_is_written_reads_back(tmp_path: Path):
    examples = read(tmp_path / "es.conllu", CONLLU + CONLLU)
    PARSING.write(tmp_path / "out.conllu", "es", examples, [e.labels for e in examples])
    again = PARSING.read([tmp_path / "out.conllu"], "es")
    assert [(s.words, s.labels) for s in again] == [(s.words, s.labels) for s in examples]


@pytest.mark.realdata
def test_real_treebanks_are_trees(real_data: Path, tmp_path: Path):
    files = find_split(PARSING, real_data / "ud", "es", ["test"]).files
    assert [file.name for file in files] == ["es_gsd-ud-test.conllu", "es_pud-ud-test.conllu"]
    (pud,) = [file for file in files if "pud" in file.name]
    examples = PARSING.read([pud], "es", Reading(relations="subtypes"))
    assert len(examples) == 1000
    gold = [list(e.labels) for e in examples]
    rng = random.Random(0)
    predicted = [
        [label if rng.random() < 0.7 else arc_label(int(label.split()[0]), "dep") for label in tree]
        for tree in gold
    ]
    PARSING.write(tmp_path / "predicted", "es", examples, predicted)
    PARSING.write(tmp_path / "gold", "es", examples, gold)
    official = official_scores(tmp_path / "gold", tmp_path / "predicted")
    assert PARSING.score(gold, predicted)["las"] == pytest.approx(official["LAS"], abs=1e-12)
    assert PARSING.score(gold, predicted)["uas"] == official["UAS"] == 1
