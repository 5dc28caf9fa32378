"""Measures models on parallel text, layer by layer; a killed run goes on with the next model.

probes/<name>/results.json   every value with interval, floor and reason
probes/<name>/layers.csv     the same, one row a value
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbert.json_files import write_json_atomically
from bbert.languages import Language
from bbert.probe.config import CkaConfig, CosineConfig, RetrievalConfig, TranslationConfig
from bbert.probe.layer_measures import (
    BACK,
    BOTH,
    FORTH,
    LayerMeasures,
    accuracies,
    cka_of_layer,
    cosine_of_layer,
    retrieval_of_layer,
)
from bbert.probe.layer_plan import LayerPlan
from bbert.probe.results import LayerValue, Measurement, layer_results, write_layers
from bbert.progress import progress
from bbert.run_directory import Run

logger = logging.getLogger(__name__)

DEFINITIONS = {
    "cka": "CKA of the sentences of two languages; floor: the pairs shuffled",
    "retrieval": "share of sentences whose nearest neighbour in the other language is the "
    "translation; floor: the pairs shuffled",
    "translation": "share of words whose nearest neighbour in the other language is a translation; "
    "floor: the pairs shuffled; chance: any of a word's translations guessed",
    "cosine": "mean cosine of the translations of a sentence; floor: the pairs shuffled",
}


def measure_all(plan: LayerPlan, run: Run) -> None:
    """Measure every model of a plan and write the results."""
    measurements: list[Measurement] = []
    cut: dict[str, Any] = {}
    for number, probed in enumerate(plan.models):
        with run.step(f"model-{number}") as step:
            if not step.done:
                found, counts = measure_model(plan, number, run.path)
                step.counts["measurements"] = [asdict(m) for m in found]
                step.counts["cut"] = counts
            measurements += [Measurement.from_json(m) for m in step.counts["measurements"]]
            cut[probed.title] = step.counts["cut"]
    config: Any = plan.config
    variant = getattr(config, "variant", None) or config.offset
    notes = {
        "seed": config.seed,
        "max_length": config.max_length,
        "num_samples": config.num_samples,
        "num_shuffles": config.num_shuffles,
        "pool": getattr(config, "pool", None),
        "minibatch": getattr(config, "minibatch", None),
        "distance": list(getattr(config, "distance", ())),
        "files": [path.name for path in plan.text.files],
        "left_out": plan.text.left_out,
        "cut": cut,
    }
    content = layer_results(plan.probe, variant, DEFINITIONS[plan.probe], measurements, notes)
    write_json_atomically(run.path / "results.json", content)
    write_layers(run.path / "layers.csv", content)
    main = plan.models[0]
    run.extra = {
        "probe": plan.probe,
        "transfer" if main.transfer else "model": str(main.folder.path),
        "languages": list(plan.text.languages),
    }
    run.counts = {"sentences": len(plan.text), "models": len(plan.models)}
    values = [(e["value"], e["layer"]) for e in content["layers"] if e["value"] is not None]
    if values:
        best, layer = max(values)
        run.metrics = {f"{plan.probe}/best": best, f"{plan.probe}/best_layer": layer}


def measure_model(
    plan: LayerPlan, number: int, folder: Path
) -> tuple[list[Measurement], dict[str, Any]]:
    """Every measurement of one model, and what was cut off."""
    from bbert.probe.vectors import Extractor

    config = plan.config
    extractor = Extractor(
        plan.models[number], getattr(config, "pool", "mean"), config.max_length or 0, config.seed
    )
    if isinstance(config, TranslationConfig):
        return _words(plan, extractor, config), {}
    files, counts = {}, {}
    scratch = folder / "vectors"
    scratch.mkdir(exist_ok=True)
    for name, sentences in plan.text.sentences.items():
        path = scratch / f"{number}-{name}.f32"
        counts[name] = extractor.write(sentences, Language.parse(name), path)
        files[name] = extractor.file(path, len(sentences))
    extractor.encoder.cpu()
    found = []
    for pair in plan.pairs:
        layers: list[LayerMeasures] = []
        with progress(f"{plan.probe} {'-'.join(pair)}", extractor.num_layers, "layers") as done:
            for layer in range(extractor.num_layers):
                x_NE, y_NE = (files[name].layer(layer) for name in pair)
                layers.append(_of_layer(x_NE, y_NE, layer, config))
                done(1)
        found += _measurements(extractor, pair, layers, len(plan.text), plan.probe)
    for file in files.values():
        file.path.unlink()
    scratch.rmdir()
    return found, counts


def _of_layer(
    x_NE: NDArray[np.float32], y_NE: NDArray[np.float32], layer: int, config: Any
) -> LayerMeasures:
    if isinstance(config, CkaConfig):
        return cka_of_layer(x_NE, y_NE, layer, config)
    if isinstance(config, RetrievalConfig):
        return retrieval_of_layer(x_NE, y_NE, layer, config)
    assert isinstance(config, CosineConfig)
    return cosine_of_layer(x_NE, y_NE, layer, config)


def _words(plan: LayerPlan, extractor: Any, config: TranslationConfig) -> list[Measurement]:
    """Word translation in context, layer by layer, then in the embedding table."""
    from bbert.probe.word_pairs import applied_words, dictionary_pairs, exact_pairs
    from bbert.probe.word_vectors import context_vectors, table_vectors

    spoken = {name: Language.parse(name) for name in plan.text.languages}
    of_model = [Language.parse(name) for name in extractor.probed.folder.languages]
    words = {n: applied_words(s, spoken[n], of_model) for n, s in plan.text.sentences.items()}
    found: list[Measurement] = []
    for pair in plan.pairs:
        if pair in plan.dictionaries:
            file = plan.dictionaries[pair]
            pairs = dictionary_pairs(file, words, pair, config.max_words, of_model)
        else:
            pairs = exact_pairs(plan.text, words, pair, config.max_words)
        contexts = [context_vectors(extractor, words[name], of_side, spoken[name])
                    for name, of_side in zip(pair, pairs.words, strict=True)]  # fmt: skip
        unseen = [np.flatnonzero(np.isnan(c[:, 0, :, 0]).any(axis=0)).tolist() for c in contexts]
        if any(unseen):
            before, pairs = pairs.words, pairs.without((unseen[0], unseen[1]))
            logger.info(
                "%s: %d words left out that occur beyond word-piece %d only", "-".join(pair),
                len(before[0]) - len(pairs.words[0]), config.max_length,
            )  # fmt: skip
            for side in (0, 1):
                places = {word: place for place, word in enumerate(before[side])}
                kept = [places[word] for word in pairs.words[side]]
                contexts[side] = contexts[side][:, :, kept]
        even, odd = 0, 1
        layers = [
            accuracies(
                contexts[0][even, layer], contexts[1][odd, layer],
                (contexts[0][odd, layer], contexts[1][even, layer]), layer, config, pairs.gold,
            )
            for layer in range(extractor.num_layers)
        ]  # fmt: skip
        size = len(pairs.words[0])
        guessed = chances(pairs.gold)
        found += _measurements(extractor, pair, layers, size, "in context", guessed)
        tables = [table_vectors(extractor, side) for side in pairs.words]
        of_table = accuracies(tables[0], tables[1], (tables[0], tables[1]), 0, config, pairs.gold)
        found += _measurements(extractor, pair, [of_table], size, "in the embedding table", guessed)
        logger.info(
            "%s: %d words, %d of them written the same in both", "-".join(pair), size,
            pairs.num_identical,
        )  # fmt: skip
    return found


def chances(gold: tuple[Sequence[Sequence[int]], Sequence[Sequence[int]]]) -> tuple[float, float]:
    """The share of words that guessing translates, forth and back: any of several gold translations
    counts.

    Args:
        gold: for every word of a language, the numbers of its translations among the other's words.
    """
    forth, back = gold
    return (
        fmean(len(set(right)) / len(back) for right in forth),
        fmean(len(set(right)) / len(forth) for right in back),
    )


def _measurements(
    extractor: Any,
    pair: tuple[str, str],
    layers: list[LayerMeasures],
    n: int,
    kind: str,
    of_words: tuple[float, float] | None = None,
) -> list[Measurement]:
    """One measurement per measure, from what every layer gave; `of_words`: the chance forth and
    back, where words are translated and not sentences."""
    probed = extractor.probed
    has_chance = kind not in ("cka", "cosine")
    guessed = of_words or (1 / n, 1 / n)
    chance_of = {FORTH: guessed[0], BACK: guessed[1], BOTH: fmean(guessed)}
    fused = extractor.network is not None and len(layers) > 1
    found = []
    for measure in layers[0]:
        values: list[LayerValue] = [layer[measure] for layer in layers]
        at_end = values.pop() if fused else None
        way = measure.rsplit(", ", 1)[-1]
        chance = chance_of[way] if has_chance else None
        back = has_chance and way == BACK
        name = f"{kind}: {measure}" if of_words else measure
        found.append(
            Measurement(
                probed.title,
                probed.transfer,
                probed.random_init,
                (pair[1], pair[0]) if back else pair,
                name,
                n,
                chance,
                values,
                at_end,
            )
        )
    return found
