"""The written sample: real formats, disjoint parts, same seed same bytes."""

from __future__ import annotations

import bz2
import csv
import errno
import hashlib
import importlib.util
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from bbert.cli import main
from bbert.errors import InputError
from bbert.sample import write
from bbert.sample.code_switching import transliterated
from bbert.sample.config import SampleConfig
from bbert.sample.languages import GRAMMARS
from bbert.sample.run import run
from bbert.sample.write import write_sample

LANGUAGES = tuple(GRAMMARS)
PARTS = ("train", "dev", "test")


def dump_text(sample: Path, language: str) -> str:
    path = sample / "wiki" / f"{language}wiki-sample-pages-articles.xml.bz2"
    return bz2.decompress(path.read_bytes()).decode()


def dump_sentences(sample: Path, language: str) -> set[str]:
    """The sentences of a dump, markup taken off by a few expressions of this test's own."""
    text = dump_text(sample, language).replace("&amp;nbsp;", " ").replace("&lt;", "<")
    text = re.sub(r"<ref&gt;.*?<\/ref&gt;", "", text).replace("'''", "")
    text = re.sub(r"\[\[(?:[^\]|]*\|)?([^\]|]*)\]\]", r"\1", text)
    stop = "।" if language == "hi" else "."
    return {
        sentence.strip() + stop
        for line in text.splitlines()
        if line.endswith(stop)
        for sentence in line.split(">")[-1].split(stop)
        if sentence.strip()
    }


def tagged(path: Path) -> list[list[tuple[str, str]]]:
    blocks = path.read_text(encoding="utf-8").strip().split("\n\n")
    return [[tuple(line.split("\t")) for line in block.split("\n")] for block in blocks]  # type: ignore[misc]


def trees(path: Path) -> list[tuple[str, list[list[str]]]]:
    blocks = path.read_text(encoding="utf-8").strip().split("\n\n")
    found = []
    for block in blocks:
        lines = block.split("\n")
        text = next(line.split(" = ", 1)[1] for line in lines if line.startswith("# text"))
        found.append((text, [line.split("\t") for line in lines if not line.startswith("#")]))
    return found


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def treebank(sample: Path, language: str, part: str) -> Path:
    folder = sample / "ud" / f"UD_{write.TREEBANKS[language]}-Sample"
    return folder / f"{language}_sample-ud-{part}.conllu"


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


@pytest.mark.parametrize("language", LANGUAGES)
def test_dump_is_what_wikiextractor_reads(sample: Path, language: str, tmp_path: Path) -> None:
    if importlib.util.find_spec("wikiextractor") is None:
        pytest.skip("wikiextractor is not installed")
    dump = tmp_path / "dump.xml"
    dump.write_text(dump_text(sample, language), encoding="utf-8")
    command = [sys.executable, "-m", "wikiextractor.WikiExtractor", "--json", "--quiet"]
    output = ["--processes", "1", "--output", str(tmp_path / "out"), str(dump)]
    subprocess.run([*command, *output], check=True, capture_output=True, timeout=120)
    lines = [
        json.loads(line)
        for path in sorted((tmp_path / "out").rglob("wiki_*"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    record = json.loads((sample / write.RECORD).read_text())["counts"]["wiki"][language]
    assert len(lines) == record["articles"]
    stop = "।" if language == "hi" else "."
    paragraphs = [p for line in lines for p in line["text"].split("\n") if " " in p.strip()]
    assert all(paragraph.endswith(stop) for paragraph in paragraphs)
    text = "\n".join(paragraphs)
    assert not set("[]{}|<>=&'") & set(text)
    assert text.count(stop) == record["sentences"]
    extracted = {
        s.strip() + stop for p in paragraphs for s in p.replace("\u00a0", " ").split(stop) if s
    }
    assert extracted == dump_sentences(sample, language)


def test_dump_has_the_pages_of_a_wiki(sample: Path) -> None:
    for language in LANGUAGES:
        text = dump_text(sample, language)
        for mark in ("<redirect title=", "<ns>10</ns>", "<ns>1</ns>", "&lt;ref&gt;", "&lt;!--"):
            assert mark in text
        assert "&amp;nbsp;" in text
        assert "'''" in text
        assert "wikitable" in text
        titles = re.findall("<title>(.*?)</title>", text)
        assert len(set(titles)) == len(titles)


def test_dumps_are_not_parallel(sample: Path) -> None:
    """Articles of the same number are of different topics: no language follows another."""
    places = []
    for language, city in (("en", "London"), ("es", "Londres")):
        titles = re.findall(r"<title>(.*?)</title>", dump_text(sample, language))
        places.append({i for i, title in enumerate(titles) if title.startswith(f"{city} (")})
    english, spanish = places
    assert min(len(english), len(spanish)) > 30
    assert len(english & spanish) < 0.5 * len(spanish)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sample of a few sentences."""
    monkeypatch.setattr(write, "DUMP_SENTENCES", dict.fromkeys(LANGUAGES, 60))
    monkeypatch.setattr(write, "TAGGED_SENTENCES", dict.fromkeys(PARTS, 20))
    monkeypatch.setattr(write, "XNLI_PROMPTS", dict.fromkeys(PARTS, 5))
    monkeypatch.setattr(write, "PAWSX_PAIRS", dict.fromkeys(PARTS, 10))
    monkeypatch.setattr(write, "PARALLEL_LINES", 10)


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_bytes_are_those_of_the_version(sample: Path) -> None:
    """Published numbers stand on them: where they are to change, `VERSION` is raised as well."""
    whole = hashlib.sha256()
    for path in sorted(path for path in sample.rglob("*") if path.is_file()):
        content = path.read_bytes()
        if path.suffix == ".bz2":  # what a compressor makes of it is its own affair
            content = bz2.decompress(content)
        whole.update(f"{path.relative_to(sample)}\0".encode() + hashlib.sha256(content).digest())
    expected = {4: "34b5df5c9932f03538a8e06a04c745e5cc5c3c549e37bb7c37f98fc6d10ea21e"}
    assert {write.VERSION: whole.hexdigest()} == expected


@pytest.mark.usefixtures("small")
def test_the_seed_decides_every_byte(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_sample(tmp_path / name, seed)
    first, same, other = (digests(tmp_path / name) for name in "abc")
    assert first == same
    assert first.keys() == other.keys()
    assert all(first[name] != other[name] for name in first)


@pytest.mark.usefixtures("small")
def test_an_existing_sample_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "sample"
    (tmp_path / "sample.partial").mkdir()
    (tmp_path / "sample.partial" / "rest").write_text("of a killed run")
    folder.mkdir()
    assert write_sample(folder, 1)
    assert not (folder / "rest").exists()
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert not write_sample(folder, 1)
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    with pytest.raises(InputError, match="seed 2"):
        write_sample(folder, 2)
    record = json.loads((folder / write.RECORD).read_text())
    assert record["seed"] == 1
    assert record["version"] == write.VERSION
    assert record["languages"] == list(LANGUAGES)


def test_other_data_is_never_touched(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="mine"):
        write_sample(tmp_path / "mine")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="file"):
        write_sample(tmp_path / "file")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "mine"


@pytest.mark.usefixtures("small")
def test_command(tmp_path: Path) -> None:
    config = SampleConfig(tmp_path / "sample", seed=3)
    assert "wrote" in run(config)
    assert "up to date" in run(config)
    with pytest.raises(ValueError, match="--seed -1"):
        SampleConfig(tmp_path, seed=-1)


@pytest.mark.usefixtures("small")
def test_the_current_folder_and_those_above_it_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here = tmp_path / "above" / "here"
    here.mkdir(parents=True)
    monkeypatch.chdir(here)
    for folder in (".", "..", str(here), "/", "../../above/"):
        assert main(["sample", folder]) == 2
        assert "current folder or one above it" in capsys.readouterr().err
    assert [path.name for path in tmp_path.rglob("*")] == ["above", "here"]
    assert main(["sample", "../sample"]) == 0
    assert (tmp_path / "above" / "sample" / write.RECORD).is_file()
    monkeypatch.chdir(tmp_path / "above" / "sample")
    assert not write_sample(Path("."))  # the sample itself, as a corpus finds it


@pytest.mark.usefixtures("small")
def test_a_sample_of_an_older_version_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "sample"
    write_sample(folder)
    record = json.loads((folder / write.RECORD).read_text())
    (folder / write.RECORD).write_text(json.dumps({**record, "version": 3}))
    with pytest.raises(InputError, match="version 4; it holds version 3\ngive another folder, or"):
        write_sample(folder)


def test_a_folder_that_cannot_be_written_has_a_mend_that_the_command_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def closed(self: Path, *_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "mkdir", closed)  # root may write everywhere
    assert main(["sample", str(tmp_path / "closed" / "sample"), "--quiet"]) == 2
    said = capsys.readouterr().err
    assert "Permission denied; give a folder that can be written" in said
    assert "--work" not in said
