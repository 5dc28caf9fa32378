"""The sample's task files: real formats, parts that share nothing, labels as promised."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from sample_files import LANGUAGES, PARTS, dump_sentences, table, tagged, treebank, trees

from bbert.sample import write
from bbert.sample.code_switching import transliterated


def task_sentences(sample: Path, language: str) -> set[str]:
    """Every sentence of every task file of a language."""
    found = {text for part in PARTS for text, _ in trees(treebank(sample, language, part))}
    for part in ("dev", "test"):
        for row in table(sample / "xnli" / f"xnli.{part}.tsv"):
            if row["language"] == language:
                found |= {row["sentence1"], row["sentence2"]}
    if language == "en":
        for row in table(sample / "xnli" / "multinli.train.en.tsv"):
            found |= {row["premise"], row["hypo"]}
    for path in (sample / "pawsx" / "x-final" / language).glob("*.tsv"):
        for row in table(path):
            found |= {row["sentence1"], row["sentence2"]}
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_task_sentence_is_in_the_dump(sample: Path, language: str) -> None:
    dump = dump_sentences(sample, language)
    assert len(dump) > 3000
    tasks = task_sentences(sample, language)
    assert len(tasks) > 2500
    assert not dump & tasks
    parallel = set((sample / "parallel" / f"sample.{language}").read_text().splitlines())
    assert len(parallel) == write.PARALLEL_LINES
    assert not parallel & dump
    assert not parallel & tasks


@pytest.mark.parametrize("language", LANGUAGES)
def test_training_is_disjoint_from_evaluation(sample: Path, language: str) -> None:
    parts = {p: {text for text, _ in trees(treebank(sample, language, p))} for p in PARTS}
    assert not parts["train"] & parts["dev"]
    assert not parts["train"] & parts["test"]
    assert not parts["dev"] & parts["test"]
    if language == "en":
        train = {row["premise"] for row in table(sample / "xnli" / "multinli.train.en.tsv")}
        rows = table(sample / "xnli" / "xnli.test.tsv")
        assert not train & {row["sentence1"] for row in rows if row["language"] == "en"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_tagged_files(sample: Path, language: str) -> None:
    for part, count in write.TAGGED_SENTENCES.items():
        entities = tagged(sample / "panx" / f"{part}-{language}.tsv")
        pos = tagged(sample / "udpos" / f"{part}-{language}.tsv")
        parsed = trees(treebank(sample, language, part))
        assert len(entities) == len(pos) == len(parsed) == count
        kinds = Counter(tag for sentence in entities for _, tag in sentence if tag[0] == "B")
        assert set(kinds) == {"B-PER", "B-LOC", "B-ORG"}
        assert min(kinds.values()) >= 0.05 * sum(kinds.values())
        for words, (text, rows) in zip(pos, parsed, strict=True):
            assert [form for form, _ in words] == [row[1] for row in rows]
            assert [tag for _, tag in words] == [row[3] for row in rows]
            assert {len(row) for row in rows} == {10}
            assert all(column for row in rows for column in row)
            gaps = ["" if row[9] == "SpaceAfter=No" else " " for row in rows]
            written = "".join(row[1] + gap for row, gap in zip(rows, gaps, strict=True))
            assert written.strip() == text


def domain(sample: Path, name: str, language: str) -> tuple[list, list, list]:
    """Entities, tags and trees of a further test set, which belong together."""
    folder = sample / "domains" / name
    entities = tagged(folder / "panx" / f"test-{language}.tsv")
    pos = tagged(folder / "udpos" / f"test-{language}.tsv")
    parsed = trees(treebank(folder, language, "test"))
    assert len(entities) == len(pos) == len(parsed) == write.TAGGED_SENTENCES["test"]
    for named, words, (_, rows) in zip(entities, pos, parsed, strict=True):
        assert [form for form, _ in named] == [form for form, _ in words]
        assert words == [(row[1], row[3]) for row in rows]
        assert sum(row[6] == "0" for row in rows) == 1
        assert all(int(row[6]) <= len(rows) for row in rows)
    return entities, pos, parsed


def test_mixed_sentences_are_told_twice_in_other_letters(sample: Path) -> None:
    folder = sample / "codeswitch"
    texts: dict[str, set[str]] = {}
    for part, count in write.TAGGED_SENTENCES.items():
        hindi, latin = (
            tagged(folder / script / "udpos" / f"{part}-hi.tsv")
            for script in ("corrected", "transliterated")
        )
        assert len(hindi) == len(latin) == count
        assert [[tag for _, tag in words] for words in hindi] == [
            [tag for _, tag in words] for words in latin
        ]
        changed = sum(a != b for one, two in zip(hindi, latin, strict=True)
                      for (a, _), (b, _) in zip(one, two, strict=True))  # fmt: skip
        devanagari = [[bool(re.search("[\u0900-\u097f]", w)) for w, _ in words] for words in hindi]
        assert changed == sum(map(sum, devanagari)) > count
        assert all(word.isascii() for words in latin for word, _ in words)
        both = [any(flags) and any(w.isascii() and w.isalpha() and not is_hindi
                for (w, _), is_hindi in zip(words, flags, strict=True))
                for words, flags in zip(hindi, devanagari, strict=True)]  # fmt: skip
        assert 0.5 < sum(both) / count < 0.95
        texts[part] = {" ".join(word for word, _ in words) for words in hindi}
    assert not texts["train"] & (texts["dev"] | texts["test"])


def test_transliteration() -> None:
    for word, expected in {
        "किताब": "kitaab", "घोड़ा": "ghoraa", "फ़्रांस": "fraans", "माँ": "maan", "है": "hai",
        "संग्रहालय": "sangrahaalay", "नई": "naee", "।": ".", "John": "John",
    }.items():  # fmt: skip
        assert transliterated(word) == expected


def test_domains_are_another_english_of_the_test_part(sample: Path) -> None:
    in_domain = [text for text, _ in trees(treebank(sample, "en", "test"))]
    training = {text for text, _ in trees(treebank(sample, "en", "train"))}
    assert not training & dump_sentences(sample, "en")

    def mean_length(sentences: list[str]) -> float:
        return sum(len(text.split()) for text in sentences) / len(sentences)

    literature = [text for text, _ in domain(sample, "literature", "en")[2]]
    assert len(set(literature)) == len(literature)
    assert not set(literature) & (training | dump_sentences(sample, "en"))
    assert mean_length(literature) > 1.3 * mean_length(in_domain)
    web = domain(sample, "web", "en")[1]
    assert {tag for words in web for _, tag in words}.isdisjoint({"DET", "PUNCT"})
    assert all(form[0].isupper() for words in web for form, _ in words)
    known = {
        form.lower() for words in tagged(sample / "udpos" / "train-en.tsv") for form, _ in words
    }
    in_haste = [form for words in domain(sample, "ugc", "en")[1] for form, _ in words]
    assert all(form == form.lower() for form in in_haste)
    unknown = sum(form not in known for form in in_haste) / len(in_haste)
    assert 0.05 < unknown < 0.3


def test_the_translation_says_what_the_english_test_set_says(sample: Path) -> None:
    english = trees(treebank(sample, "en", "test"))
    spanish = domain(sample, "translation", "es")[2]
    assert len(english) == len(spanish)
    for (_, ours), (_, theirs) in zip(english, spanish, strict=True):
        denied = [any(row[5].endswith("Polarity=Neg") for row in rows) for rows in (ours, theirs)]
        assert denied[0] == denied[1]
        names = [sum(row[3] == "PROPN" for row in rows) for rows in (ours, theirs)]
        assert bool(names[0]) == bool(names[1])


def test_xnli(sample: Path) -> None:
    training = table(sample / "xnli" / "multinli.train.en.tsv")
    labels = Counter(row["label"] for row in training)
    assert set(labels) == {"entailment", "neutral", "contradictory"}
    assert set(labels.values()) == {write.XNLI_PROMPTS["train"]}
    for part in ("dev", "test"):
        rows = table(sample / "xnli" / f"xnli.{part}.tsv")
        count = write.XNLI_PROMPTS[part]
        per_label = Counter((row["language"], row["gold_label"]) for row in rows)
        assert len(per_label) == 3 * len(LANGUAGES)
        assert set(per_label.values()) == {count}


def test_pawsx(sample: Path) -> None:
    folder = sample / "pawsx" / "x-final"
    for language in LANGUAGES:
        training = "train.tsv" if language == "en" else "translated_train.tsv"
        names = (training, "dev_2k.tsv", "test_2k.tsv")
        for name, count in zip(names, write.PAWSX_PAIRS.values(), strict=True):
            rows = table(folder / language / name)
            labels = Counter(row["label"] for row in rows)
            assert labels == {"0": count // 2, "1": count // 2}
            assert all(row["sentence1"] != row["sentence2"] for row in rows)
