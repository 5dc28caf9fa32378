"""One seed of a run: build, fine-tune, predict every language, score, write the predictions."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch

from bbert.finetune.config import FinetuneConfig, resolved
from bbert.finetune.encoding import EncodedExamples
from bbert.finetune.evaluation import predict
from bbert.finetune.examples import ExampleSet, RunData
from bbert.finetune.heads import ON_FROZEN
from bbert.finetune.network import FinetunedNetwork, NetworkSettings, build_network
from bbert.finetune.plan import Plan
from bbert.finetune.training import MAX_GRADIENT_NORM, TrainingSettings, train
from bbert.processor_threads import set_threads

logger = logging.getLogger(__name__)


def network_settings(config: FinetuneConfig, num_labels: int) -> NetworkSettings:
    """What the options say about the network."""
    return NetworkSettings(
        head=resolved(config.head),
        num_labels=num_labels,
        fusion=resolved(config.fusion),
        fusion_layer=int(config.fusion_layer) if config.fusion_layer is not None else None,
        fusion_gate=config.fusion_gate,
        fusion_pool=config.fusion_pool,
        random_init=config.random_init,
        init=config.init,
        freeze=config.freeze,
        dropout=config.dropout,
        arc_size=config.arc_size,
        relation_size=config.relation_size,
        lstm_size=config.lstm_size,
    )


def training_settings(config: FinetuneConfig) -> TrainingSettings:
    """What the options say about training."""
    return TrainingSettings(
        epochs=resolved(config.epochs),
        batch_size=resolved(config.batch_size),
        learning_rate=resolved(config.learning_rate),
        warmup=resolved(config.warmup),
        weight_decay=resolved(config.weight_decay),
        adam_epsilon=resolved(config.adam_epsilon),
        precision=resolved(config.precision),
        select_on_dev=config.selection == "best-dev",
        schedule=config.schedule or "linear",
        max_gradient_norm=config.max_gradient_norm or MAX_GRADIENT_NORM,
        patience=config.patience,
    )


def run_seed(
    plan: Plan, data: RunData, seed: int, predictions: Path
) -> tuple[FinetunedNetwork, dict[str, Any]]:
    """Fine-tune and test one seed.

    Args:
        plan: the run.
        data: its examples.
        seed: of everything random.
        predictions: folder for the predictions, one file per language.

    Returns:
        the network, and `{"scores": {language: {metric: value}}, "epochs": […], "notes": {…},
        "failures": {language: why}}`.
    """
    network, notes = build_network(
        plan.model, network_settings(plan.config, len(data.labels)), seed
    )
    set_threads(max(network.hidden_size, plan.config.lstm_size or 0))
    network.to(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    with _prepared(plan, data, network, seed) as ready:
        return network, {
            "notes": notes,
            **_learn_and_test(plan, data, seed, predictions, network, ready),
        }


Prepared = Callable[[ExampleSet], EncodedExamples]
"""Examples in the form that the network reads."""


def _prepared(
    plan: Plan, data: RunData, network: FinetunedNetwork, seed: int
) -> AbstractContextManager[Prepared]:
    if plan.config.head not in ON_FROZEN:
        return nullcontext(lambda examples: examples.encoded)
    from bbert.finetune.frozen_features import frozen_features

    return frozen_features(network, data, plan.model, plan.config, seed)


def _learn_and_test(
    plan: Plan, data: RunData, seed: int, predictions: Path, network: FinetunedNetwork,
    ready: Prepared,
) -> dict[str, Any]:  # fmt: skip
    task, precision = plan.task, resolved(plan.config.precision)
    learned_from, dev = ready(data.train), ready(data.dev) if data.dev else None

    def predicted(examples: ExampleSet, encoded: EncodedExamples) -> list[list[str]]:
        return predict(
            network, encoded, examples.examples, data.labels, task.missing_label,
            precision, resolved(plan.config.too_long),
        )  # fmt: skip

    def dev_score() -> float:
        assert data.dev is not None
        assert dev is not None
        return task.score(data.dev.gold, predicted(data.dev, dev))[task.metric]

    epochs = train(
        network, learned_from, training_settings(plan.config), seed,
        dev_score if data.dev is not None else None,
    )  # fmt: skip
    scores: dict[str, dict[str, float]] = {}
    failures: dict[str, str] = {}
    for name, examples in data.evaluation.items():
        try:
            found = predicted(examples, ready(examples))
        except RuntimeError as error:  # out of memory on one long text, say
            failures[name] = " ".join(str(error).split())
            logger.error("seed %d: testing on %s failed: %s; going on", seed, name, failures[name])
            continue
        scores[name] = task.score(examples.gold, found)
        predictions.mkdir(parents=True, exist_ok=True)
        task.write(predictions / f"{name}.{task.extension}", name, examples.examples, found)
        logger.info(
            "seed %d: %s %.1f on %s", seed, task.metric, 100 * scores[name][task.metric], name
        )
    return {"scores": scores, "epochs": epochs, "failures": failures}


def write_gold(plan: Plan, data: RunData, folder: Path) -> None:
    """Write the gold labels beside the predictions, in the same format and order."""
    if plan.task.unit != "words":  # a pair's file has both labels
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, examples in data.evaluation.items():
        file = folder / f"{name}.{plan.task.extension}"
        plan.task.write(file, name, examples.examples, examples.gold)
