"""What a probe of a model will do, from what was typed: models, parallel text, limits."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bbert.errors import InputError
from bbert.finetune.layer_sets import layer_groups, parse_layers
from bbert.languages import Language
from bbert.probe.cka import FEWEST_SENTENCES, MOST_GRAM_SENTENCES
from bbert.probe.config import (
    CkaConfig,
    CosineConfig,
    ModelProbeConfig,
    RetrievalConfig,
    TranslationConfig,
)
from bbert.probe.models import Probed, find_probed, with_random_layers
from bbert.probe.parallel import ParallelText, parse_files, read_parallel
from bbert.stage_config import joined_name, knobs_that_differ

logger = logging.getLogger(__name__)

PROBES: dict[type[ModelProbeConfig], str] = {
    CkaConfig: "cka",
    RetrievalConfig: "retrieval",
    TranslationConfig: "translation",
    CosineConfig: "cosine",
}
"""Configuration → the name of the probe, in its command and its results."""

_LONGEST = 128


@dataclass(frozen=True)
class LayerPlan:
    """A resolved probe of models on parallel text.

    Attributes:
        config: every option with its value.
        probe: its name.
        name: of the run directory.
        models: what is measured, the one asked for first.
        text: the sentences.
        dictionaries: pair of languages → file.
    """

    config: ModelProbeConfig
    probe: str
    name: str
    models: Sequence[Probed]
    text: ParallelText
    dictionaries: Mapping[tuple[str, str], Path]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The first language with each other one."""
        first, *others = self.text.languages
        return [(first, other) for other in others]

    @property
    def inputs(self) -> list[Path]:
        """Every file that the result depends on."""
        models = [file for model in self.models for file in model.folder.input_files]
        return list(dict.fromkeys([*self.text.files, *self.dictionaries.values(), *models]))


def make_plan(typed: ModelProbeConfig) -> LayerPlan:
    """Resolve what was typed; reads the parallel text but no weights.

    Raises:
        InputError: a model, file, language or layer that is not there; too few sentences.
    """
    probe = PROBES[type(typed)]
    allowed = (typed.allow_pickle, typed.trust_remote_code)
    main = find_probed(typed.work, typed.model, *allowed)
    models = [main, *_random(main, typed.random_init)]
    models += [find_probed(typed.work, name, *allowed) for name in typed.beside]
    longest = min(model.folder.max_length for model in models)
    if typed.max_length is not None and typed.max_length > longest:
        raise InputError(f"--max-length {typed.max_length}: a model has {longest} positions only")
    files = parse_files(typed.parallel) if typed.parallel else _of_sample(main)
    text = read_parallel(files, typed.max_sentences, typed.seed)
    text = text.of(typed.languages) if typed.languages else text
    for reason, number in text.left_out.items():
        if number:
            logger.info("parallel text: %s sentences left out: %s", f"{number:,}", reason)
    if isinstance(typed, CkaConfig):
        _check_number(typed, len(text))
    dictionaries = _dictionaries(typed, text)
    given = tuple(f"{name}={path.resolve()}" for name, path in files.items()) if isinstance(
        files, dict) else (str(files.resolve()),)  # fmt: skip
    options = {
        "model": main.folder.reference,
        "parallel": given,
        "max_length": typed.max_length or min(_LONGEST, longest),
        "beside": tuple(model.folder.reference for model in models[len(models) - len(typed.beside)
                        :]),
    }  # fmt: skip
    name = typed.name or _run_name(typed, probe, main, text)
    config: Any = replace(typed, **options, name=name)
    return LayerPlan(config, probe, name, models, text, dictionaries)


def _check_number(typed: CkaConfig, number: int) -> None:
    fewest = FEWEST_SENTENCES[typed.variant]
    if number < fewest:
        raise InputError(
            f"{typed.variant} CKA needs {fewest} pairs of sentences at least; the parallel text "
            f"has {number} that can be used"
        )
    all_at_once = typed.variant == "released" and typed.minibatch is None
    if all_at_once and number > MOST_GRAM_SENTENCES:
        raise InputError(
            f"--variant released compares all {number:,} sentences with all: give --minibatch 500, "
            f"or --max-sentences {MOST_GRAM_SENTENCES}"
        )


def _random(main: Probed, layers: str | None) -> list[Probed]:
    if layers is None:
        return []
    sets = [group for group in layer_groups(layers, main.folder.depth) if group is not None]
    for group in sets:
        if group != "all" and parse_layers(group)[-1] > main.folder.depth:
            raise InputError(
                f"--random-init {group}: {main.title} has layers 1 to {main.folder.depth}"
            )
    return [with_random_layers(main, group) for group in sets]


def _of_sample(main: Probed) -> dict[str, Path]:
    sample = main.folder.sample
    if sample is None or len(main.folder.languages) < 2:
        raise InputError(
            "--parallel is needed: LANGUAGE=FILE LANGUAGE=FILE, line n of one the translation of "
            "line n of the other; only a model of the embedded sample brings its own"
        )
    files = {
        name: sample / "parallel" / f"sample.{Language.parse(name).source}"
        for name in main.folder.languages
    }
    missing = [path for path in files.values() if not path.is_file()]
    if missing:
        raise InputError(
            f"the embedded sample of {main.title} is gone: {missing[0]}\n"
            f"write it again with `bbert sample {sample}`, or give --parallel"
        )
    logger.info("no --parallel: using that of the embedded sample, %s", sample / "parallel")
    return files


def _dictionaries(typed: ModelProbeConfig, text: ParallelText) -> dict[tuple[str, str], Path]:
    """The dictionaries of a translation probe; every pair has one or is exact."""
    if not isinstance(typed, TranslationConfig):
        return {}
    first, *others = text.languages
    given: dict[tuple[str, str], Path] = {}
    for written in typed.dictionary:
        name, equals, path = written.partition("=")
        here, dash, there = name.partition("-")
        if not equals or not dash or (here, there) not in {(first, other) for other in others}:
            pairs = ", ".join(f"{first}-{other}" for other in others)
            raise InputError(f"--dictionary {written!r}: give PAIR=FILE, a pair being {pairs}")
        given[here, there] = Path(path).expanduser()
    for other in others:
        if (first, other) not in given and not text.is_exact(first, other):
            raise InputError(
                f"{first}-{other}: words have no gold: give --dictionary {first}-{other}=FILE "
                "(only a language and its fake, from the same file, are exact)"
            )
    return given


def _run_name(typed: ModelProbeConfig, probe: str, main: Probed, text: ParallelText) -> str:
    left_out = frozenset({"model", "parallel", "beside"})
    words = [main.folder.name, probe, "-".join(text.languages)]
    if typed.parallel:
        words.append(text.files[0].name.split(".")[0])
    words += [f"beside-{Path(name).name}" for name in typed.beside]
    return joined_name([*words, *knobs_that_differ(typed, left_out)])
