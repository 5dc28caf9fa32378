"""Tagging schemes: recognised, checked, converted; against seqeval's readers of each."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.scheme import BILOU, IOB1, IOB2, IOBES, Entities

from bbert.finetune.tasks.scores import entities
from bbert.finetune.tasks.tagging_schemes import detect_scheme, illegal_tags, to_bioul, to_iob2

SCHEMES = {"IOB2": IOB2, "IOB1": IOB1, "BIOUL": BILOU, "IOBES": IOBES}
LETTERS = {"IOB2": "BI", "IOB1": "BI", "BIOUL": "BIUL", "IOBES": "BISE"}

spans = st.lists(
    st.tuples(st.integers(0, 2), st.integers(1, 4), st.sampled_from(["PER", "LOC"])), max_size=6
)


def tagged(parts, scheme: str) -> list[str]:
    """Tags of entities given as (words before it, its length, its type)."""
    tags: list[str] = []
    before = ""
    for gap, size, kind in parts:
        tags += ["O"] * gap
        touches = not gap and before == kind
        if scheme == "IOB1":
            tags += [f"{'B' if touches else 'I'}-{kind}", *[f"I-{kind}"] * (size - 1)]
        elif scheme == "IOB2":
            tags += [f"B-{kind}", *[f"I-{kind}"] * (size - 1)]
        else:
            single, last = ("U", "L") if scheme == "BIOUL" else ("S", "E")
            inner = [f"I-{kind}"] * (size - 2)
            tags += [f"{single}-{kind}"] if size == 1 else [f"B-{kind}", *inner, f"{last}-{kind}"]
        before = kind
    return [*tags, "O"]


def of_seqeval(tags, scheme: str) -> list[tuple[str, int, int]]:
    # seqeval's BILOU reads "L" and "U" as we do.
    return sorted((e.tag, e.start, e.end) for e in Entities([tags], SCHEMES[scheme]).entities[0])


@settings(deadline=None)
@given(st.lists(spans, min_size=1, max_size=4), st.sampled_from(list(SCHEMES)))
def test_every_scheme_becomes_the_same_iob2(sentences, scheme: str):
    for parts in sentences:
        tags = tagged(parts, scheme)
        assert illegal_tags(tags, scheme) == []
        assert list(to_iob2(tags)) == tagged(parts, "IOB2")
        assert sorted(entities(to_iob2(tags))) == of_seqeval(tags, scheme)


@given(spans)
def test_bioul_and_back(parts):
    iob2 = tagged(parts, "IOB2")
    assert list(to_bioul(iob2)) == tagged(parts, "BIOUL")
    assert list(to_iob2(to_bioul(iob2))) == iob2


def test_schemes_are_told_from_a_whole_file():
    one = [(0, 2, "PER"), (1, 1, "LOC")]
    for scheme in SCHEMES:
        assert detect_scheme([tagged(one, scheme), ["O"]]) == scheme
    assert detect_scheme([["O", "O"]]) == "IOB2"
    # I- begins entities, and B- stands between two of a type: IOB1.
    assert detect_scheme([["I-PER", "B-PER", "O"]]) == "IOB1"
    # I- after nothing and B- after nothing: IOB2 with a fault.
    assert detect_scheme([["B-PER", "O"], ["O", "I-PER"]]) == "IOB2"
    assert detect_scheme([["U-PER"], ["S-PER"]]) is None


@settings(deadline=None)
@given(st.lists(st.sampled_from(["O", "B-X", "I-X", "B-Y", "I-Y"]), min_size=1, max_size=9))
def test_repairs_read_stray_tags_as_the_conll_scorer(tags):
    # seqeval's default is conlleval's reading.
    repaired = to_iob2(tags)
    assert sorted(entities(repaired)) == sorted((k, a, b + 1) for k, a, b in get_entities(tags))
    assert illegal_tags(repaired, "IOB2") == []


@given(
    st.lists(st.sampled_from(["O", "B-X", "I-X", "L-X", "U-X", "I-Y", "L-Y"]), min_size=1,
             max_size=9)
)  # fmt: skip
def test_repairs_of_bioul_are_legal_and_leave_legal_sentences(tags):
    repaired = to_iob2(tags)
    assert illegal_tags(repaired, "IOB2") == []
    assert [tag == "O" for tag in repaired] == [tag == "O" for tag in tags]
    if not illegal_tags(tags, "BIOUL"):
        assert list(to_bioul(repaired)) == tags


def test_places_of_illegal_tags():
    assert illegal_tags(["O", "I-PER", "I-PER"], "IOB2") == [1]
    assert illegal_tags(["B-LOC", "I-PER", "B-PER"], "IOB2") == [1]
    assert illegal_tags(["B-PER", "O"], "BIOUL") == [1]
    assert illegal_tags(["O", "B-PER"], "BIOUL") == [1]
    assert illegal_tags(["L-PER", "U-PER"], "BIOUL") == [0]
    assert illegal_tags(["B-PER", "I-PER", "L-LOC", "O"], "BIOUL") == [2]
