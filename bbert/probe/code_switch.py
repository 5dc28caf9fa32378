"""Code-switched test sets: words of labelled sentences replaced by those of another language.

    probes/<name>/<name>.tsv or .conllu   a file in the task's exchange format
    bbert finetune --eval-set NAME=LANGUAGE:FILE

Labels stay with their words. Every word is replaced with the same probability, by what a fake
language or a dictionary has for it. Fine-tuning reads the file as text of the language of the set,
which leaves fake words fake but would make natural ones fake: so the sentences are those of a
natural language. A file of transliterated text needs no converter: it is a named test set as it is.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bbert.errors import InputError
from bbert.finetune.evaluation_sets import set_name
from bbert.finetune.model_folder import find_model
from bbert.finetune.tasks import load_task
from bbert.finetune.tasks.find_files import find_data_folder, find_split
from bbert.finetune.tasks.reading import Reading
from bbert.finetune.tasks.task import Sentence, Task
from bbert.json_files import write_json_atomically
from bbert.languages import Language
from bbert.probe.config import CodeSwitchConfig
from bbert.probe.word_pairs import read_dictionary
from bbert.run_directory import Run
from bbert.stage_config import joined_name, knobs_that_differ

logger = logging.getLogger(__name__)

_SPLITS = ("test", "dev")


@dataclass(frozen=True)
class CodeSwitchPlan:
    """Which file is mixed with what."""

    config: CodeSwitchConfig
    name: str
    task: Task
    language: Language
    into: Language
    files: tuple[Path, ...]

    @property
    def inputs(self) -> list[Path]:
        """Every file that the result depends on."""
        return [*self.files, *([self.config.dictionary] if self.config.dictionary else [])]


def make_plan(typed: CodeSwitchConfig) -> CodeSwitchPlan:
    """Find the test set.

    Raises:
        InputError: no such data; sentences of a fake language; languages that have no counterpart
            of a word.
    """
    task = load_task(typed.task)
    language, into = Language.parse(typed.language), Language.parse(typed.into)
    if language.is_reversed or into.is_reversed:
        raise InputError("a reversed language has the same words: choose its natural or fake form")
    if language.is_fake:
        raise InputError(
            f"--language {language.name}: words of the file are made fake again when it is read; "
            f"mix the natural language into its fake instead:\n--language {language.source} --into "
            f"{language.name}, with --share the part that is to be fake"
        )
    if typed.dictionary is None and not (into.is_fake and language.source == into.source):
        raise InputError(
            f"--into {into.name} is no fake of {language.name}: give --dictionary FILE, lines of a "
            "word, a tab and its translation"
        )
    data = typed.data or _sample(typed.work)
    folder = find_data_folder(task, data.expanduser().resolve(), language.source, _SPLITS)
    files = find_split(task, folder, language.source, _SPLITS)
    name = typed.name or joined_name(
        [f"{language.name}-{into.name}-{typed.task}",
         *knobs_that_differ(typed, frozenset({"language", "into", "task", "data"}))]
    )  # fmt: skip
    config = replace(typed, name=name, data=folder)
    return CodeSwitchPlan(config, name, task, language, into, files.files)


def measure(plan: CodeSwitchPlan, run: Run) -> None:
    """Mix the words and write the file."""
    config = plan.config
    reading = Reading(config.encoding, config.illegal_tags or "refuse")
    examples = plan.task.read(plan.files, plan.language.source, reading)
    sentences = [example for example in examples if isinstance(example, Sentence)]
    partners = counterparts(sentences, plan.language, plan.into, config.dictionary)
    mixed, counts = switched(sentences, partners, config.share, config.seed)
    file = run.path / f"{plan.name}.{plan.task.extension}"
    labels = [sentence.labels for sentence in mixed]
    plan.task.write(file, plan.name, mixed, labels)
    final = (run.final / file.name).resolve()
    content = {
        "probe": "code-switch",
        "variant": "dictionary" if config.dictionary else "exact",
        "model": None,
        "task": plan.task.name,
        "languages": [plan.language.name, plan.into.name],
        "n": len(mixed),
        "seed": config.seed,
        "share": config.share,
        **counts,
        "file": file.name,
        "reading": reading.notes(),
        "eval_set": f"{set_name(plan.name)}={plan.language.name}:{final}",
        "definition": "each word that has a counterpart is replaced with probability `share`",
    }
    write_json_atomically(run.path / "results.json", content)
    run.extra = {"probe": "code-switch"}
    run.counts = {"sentences": len(mixed), **counts}


def counterparts(
    sentences: Sequence[Sentence], language: Language, into: Language, dictionary: Path | None
) -> dict[str, str]:
    """Word → what replaces it; words as the first language writes them."""
    words = sorted({word for sentence in sentences for word in sentence.words})
    if dictionary is not None:
        pairs: dict[str, str] = {}
        for here, there in read_dictionary(dictionary):
            pairs.setdefault(here, there)
        written = into.apply("\n".join(pairs.values())).split("\n")
        known = dict(zip(pairs, written, strict=True))
        return {word: known[word] for word in words if word in known}
    return dict(zip(words, into.apply("\n".join(words)).split("\n"), strict=True))


def switched(
    sentences: Sequence[Sentence], partners: Mapping[str, str], share: float, seed: int
) -> tuple[list[Sentence], dict[str, Any]]:
    """The sentences with some words replaced, and how many.

    Raises:
        InputError: not one word has a counterpart.
    """
    rng = np.random.default_rng(seed)
    total = possible = replaced = 0
    mixed = []
    for sentence in sentences:
        chosen = rng.random(len(sentence.words)) < share
        words = list(sentence.words)
        for place, word in enumerate(sentence.words):
            total += 1
            if word in partners:
                possible += 1
                if chosen[place]:
                    words[place] = partners[word]
                    replaced += 1
        mixed.append(replace(sentence, words=tuple(words)))
    if not possible:
        raise InputError("not one word of the test set has a counterpart: is this its dictionary?")
    return mixed, {
        "words": total, "words_with_counterpart": possible, "words_replaced": replaced,
        "share_replaced": replaced / total,
    }  # fmt: skip


def _sample(work: Path) -> Path:
    try:
        sample = find_model(work, None).sample
    except InputError:
        sample = None
    if sample is None or not sample.is_dir():
        raise InputError("--data is needed: a folder with the task's files, as for bbert finetune")
    logger.info("no --data: using the embedded sample, %s", sample)
    return sample
