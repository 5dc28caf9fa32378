"""Writes the whole sample: dumps and task files of all languages, laid out as real data are.

The clauses of the world are dealt to parts (`clause.PARTS`): what the dumps tell is in no task
file, no premise, pair or tagged sentence of training is one of development or test, and the
parallel text is in neither. Every language tells its dump and its tagged sentences from a random
stream of its own; only the development and test pairs of XNLI and PAWS-X and the parallel text are
the same in all languages, as in the originals. `domains/` holds further test sets
(`bbert.sample.domains`), `codeswitch/` sentences that mix two languages
(`bbert.sample.code_switching`).
"""

from __future__ import annotations

import json
import os
import shutil
from itertools import chain, cycle
from pathlib import Path
from random import Random

from filelock import FileLock

from bbert.errors import InputError
from bbert.sample import code_switching, domains, inference, pawsx, xnli
from bbert.sample.articles import Reporter
from bbert.sample.clause import Clause
from bbert.sample.conllu import write_conllu
from bbert.sample.languages import GRAMMARS
from bbert.sample.mediawiki import write_dump
from bbert.sample.narrator import Narrator
from bbert.sample.sentence import Sentence
from bbert.sample.tagged import write_ner, write_pos

VERSION = 4  # of the world: raised with every change of what is written
RECORD = "sample.json"
DUMP_SENTENCES = {
    "en": 24_000,
    "es": 12_000,
    "hi": 12_000,
    "ru": 12_000,
}  # en is dealt to enfake and en
TAGGED_SENTENCES = {"train": 2_000, "dev": 300, "test": 500}
XNLI_PROMPTS = {"train": 2_000, "dev": 100, "test": 200}  # three pairs each
PAWSX_PAIRS = {"train": 2_000, "dev": 300, "test": 400}
PARALLEL_LINES = 500
TREEBANKS = {"en": "English", "es": "Spanish", "hi": "Hindi", "ru": "Russian"}


def write_sample(directory: Path, seed: int = 0) -> bool:
    """Write the sample of `seed` to `directory`, unless it is there already; returns whether it was
    written.

    Raises:
        InputError: `directory` holds something else than a sample of this seed and version, or is
            the current folder or one above it, which cannot be replaced.
    """
    directory = Path(directory).resolve()
    if _is_there(directory, seed):  # said before a lock is left beside a folder that is refused
        return False
    directory.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(directory.with_name(f".{directory.name}.lock")):
        if _is_there(directory, seed):
            return False
        partial = directory.with_name(f".{directory.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        _write(partial, seed)
        if directory.exists():
            directory.rmdir()
        os.replace(partial, directory)
    return True


def _is_there(directory: Path, seed: int) -> bool:
    """Whether the sample of `seed` is there; raises InputError where it cannot be written."""
    record = _read_record(directory)
    version = record.get("version")
    if (record.get("seed"), version) == (seed, VERSION):
        return True
    if Path.cwd().is_relative_to(directory):
        raise InputError(
            f"{directory} is the current folder or one above it; name a folder of its own, such as "
            "sample"
        )
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        older = f"; it holds version {version}" if version not in (None, VERSION) else ""
        raise InputError(
            f"{directory} does not hold the sample of seed {seed}, version {VERSION}{older}\n"
            "give another folder, or delete this one"
        )
    return False


def _write(folder: Path, seed: int) -> None:
    counts = {
        "wiki": _write_dumps(folder / "wiki", seed),
        "tagged": _write_tagged(folder, seed),
        "domains": _write_domains(folder / "domains", seed),
        "codeswitch": _write_code_switching(folder / "codeswitch", seed),
        "xnli": _write_xnli(folder / "xnli", seed),
        "pawsx": _write_pawsx(folder / "pawsx" / "x-final", seed),
        "parallel": _write_parallel(folder / "parallel", seed),
    }
    record = {"seed": seed, "version": VERSION, "languages": list(GRAMMARS), "counts": counts}
    (folder / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _read_record(directory: Path) -> dict:
    try:
        record = json.loads((directory / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _random(seed: int, *names: str) -> Random:
    """The random stream of one telling."""
    return Random(" ".join((str(seed), *names)))


def _write_dumps(folder: Path, seed: int) -> dict:
    folder.mkdir()
    counts = {}
    for language, grammar in GRAMMARS.items():
        reporter = Reporter(_random(seed, language, "dump"), "dump")
        path = folder / f"{language}wiki-sample-pages-articles.xml.bz2"
        articles = reporter.articles(DUMP_SENTENCES[language])
        counts[language] = write_dump(path, articles, grammar, _random(seed, language, "markup"))
    return counts


def different_clauses(random: Random, part: str, count: int) -> list[Clause]:
    """`count` different clauses of a part, from articles told for it."""
    articles = Reporter(random, part).articles(10 * count)
    clauses = chain.from_iterable(chain.from_iterable(c for _, c in a.sections) for a in articles)
    unique: dict[Clause, None] = {}
    for clause in clauses:
        unique[clause] = None
        if len(unique) == count:
            break
    return list(unique)


def _write_tagged(folder: Path, seed: int) -> dict:
    for language, grammar in GRAMMARS.items():
        for part, count in TAGGED_SENTENCES.items():
            clauses = different_clauses(_random(seed, language, part), part, count)
            _write_views(folder, language, part, [grammar.tell(clause) for clause in clauses])
    return TAGGED_SENTENCES


def _write_views(folder: Path, language: str, part: str, told: list[Sentence]) -> None:
    """NER, part of speech and trees: three views of the same sentences."""
    treebank = folder / "ud" / f"UD_{TREEBANKS[language]}-Sample"
    for place in (folder / "panx", folder / "udpos", treebank):
        place.mkdir(parents=True, exist_ok=True)
    write_ner(folder / "panx" / f"{part}-{language}.tsv", told)
    write_pos(folder / "udpos" / f"{part}-{language}.tsv", told)
    write_conllu(treebank / f"{language}_sample-ud-{part}.conllu", told, f"sample-{part}")


def _write_domains(folder: Path, seed: int) -> int:
    english, spanish = GRAMMARS["en"], GRAMMARS["es"]
    count = TAGGED_SENTENCES["test"]

    def other(name: str) -> list[Sentence]:
        clauses = different_clauses(_random(seed, "en", name), "test", count)
        return [english.tell(clause) for clause in clauses]

    literary = domains.literary(Narrator(_random(seed, "en", "literature"), "test"), count)
    in_haste = domains.as_typed_in_haste(other("ugc"), _random(seed, "en", "slips"))
    translated = different_clauses(_random(seed, "en", "test"), "test", count)
    _write_views(folder / "literature", "en", "test", [english.tell(c) for c in literary])
    _write_views(folder / "web", "en", "test", list(domains.as_headlines(other("web"))))
    _write_views(folder / "ugc", "en", "test", list(in_haste))
    _write_views(folder / "translation", "es", "test", [spanish.tell(c) for c in translated])
    return count


def _write_code_switching(folder: Path, seed: int) -> dict:
    for part, count in TAGGED_SENTENCES.items():
        clauses = different_clauses(_random(seed, "hi-en", part), part, count)
        _write_views(folder / "corrected", "hi", part, _mixed(clauses, seed, part))
        latin = map(code_switching.in_latin_letters, _mixed(clauses, seed, part))
        _write_views(folder / "transliterated", "hi", part, list(latin))
    return TAGGED_SENTENCES


def _mixed(clauses: list[Clause], seed: int, part: str) -> list[Sentence]:
    """The clauses told in Hindi and in English in turn, each with words of the other."""
    random = _random(seed, "hi-en", part, "switches")
    languages = ("hi", "en")
    return [
        code_switching.mix(GRAMMARS[language].tell(clause), language, random)
        for clause, language in zip(clauses, cycle(languages), strict=False)
    ]


def _write_xnli(folder: Path, seed: int) -> dict:
    folder.mkdir()
    pairs = {
        part: list(
            chain.from_iterable(
                inference.triples(Narrator(_random(seed, "xnli", part), part), count)
            )
        )
        for part, count in XNLI_PROMPTS.items()
    }
    _random(seed, "xnli", "shuffle").shuffle(pairs["train"])
    xnli.write_training(folder / "multinli.train.en.tsv", pairs["train"], GRAMMARS["en"])
    for part in ("dev", "test"):
        xnli.write_xnli(folder / f"xnli.{part}.tsv", pairs[part], GRAMMARS)
    return {part: len(items) for part, items in pairs.items()}


def _write_pawsx(folder: Path, seed: int) -> dict:
    items = {
        part: list(pawsx.pairs(Narrator(_random(seed, "pawsx", part), part), count))
        for part, count in PAWSX_PAIRS.items()
    }
    names = {"dev": "dev_2k.tsv", "test": "test_2k.tsv"}
    for language in GRAMMARS:
        (folder / language).mkdir(parents=True)
        training = "train.tsv" if language == "en" else "translated_train.tsv"
        for part, name in {"train": training, **names}.items():
            pawsx.write_pawsx(folder / language / name, items[part], GRAMMARS[language])
    return {part: len(pairs) for part, pairs in items.items()}


def _write_parallel(folder: Path, seed: int) -> int:
    folder.mkdir()
    reporter = Reporter(_random(seed, "parallel"), "parallel")
    articles = reporter.articles(20 * PARALLEL_LINES)
    clauses = chain.from_iterable(chain.from_iterable(c for _, c in a.sections) for a in articles)
    chosen: dict[str, Clause] = {}
    for clause in clauses:
        chosen.setdefault(clause.key(), clause)
        if len(chosen) == PARALLEL_LINES:
            break
    for language, grammar in GRAMMARS.items():
        lines = [grammar.tell(clause).text() for clause in chosen.values()]
        (folder / f"sample.{language}").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(chosen)
