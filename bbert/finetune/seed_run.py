"""One seed of a run: build, fine-tune, predict every language, score, write the predictions."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

import torch

from bbert.finetune.config import FinetuneConfig, resolved
from bbert.finetune.evaluation import predict
from bbert.finetune.examples import ExampleSet, RunData
from bbert.finetune.network import FinetunedNetwork, NetworkSettings, build_network
from bbert.finetune.plan import Plan
from bbert.finetune.training import TrainingSettings, train
from bbert.processor_threads import set_threads

logger = logging.getLogger(__name__)


def network_settings(config: FinetuneConfig, num_labels: int) -> NetworkSettings:
    """What the options say about the network."""
    return NetworkSettings(
        head=resolved(config.head),
        num_labels=num_labels,
        fusion=config.fusion,
        fusion_layer=int(config.fusion_layer) if config.fusion_layer is not None else None,
        fusion_gate=config.fusion_gate,
        fusion_pool=config.fusion_pool,
        random_init=config.random_init,
        init=config.init,
        freeze=config.freeze,
        dropout=config.dropout,
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
    task, precision = plan.task, resolved(plan.config.precision)
    network, notes = build_network(
        plan.model, network_settings(plan.config, len(data.labels)), seed
    )
    set_threads(network.hidden_size)
    network.to(torch.device("cuda" if torch.cuda.is_available() else "cpu"))

    def predicted(examples: ExampleSet) -> list[list[str]]:
        return predict(
            network, examples.encoded, examples.examples, data.labels, task.missing_label,
            precision, resolved(plan.config.too_long),
        )  # fmt: skip

    def dev_score() -> float:
        assert data.dev is not None
        return task.score(data.dev.gold, predicted(data.dev))[task.metric]

    epochs = train(
        network, data.train.encoded, training_settings(plan.config), seed,
        dev_score if data.dev is not None else None,
    )  # fmt: skip
    scores: dict[str, dict[str, float]] = {}
    failures: dict[str, str] = {}
    for name, examples in data.evaluation.items():
        try:
            found = predicted(examples)
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
    return network, {"scores": scores, "epochs": epochs, "notes": notes, "failures": failures}


def write_gold(plan: Plan, data: RunData, folder: Path) -> None:
    """Write the gold labels beside the predictions, in the same format and order."""
    if plan.task.unit != "words":  # a pair's file has both labels
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, examples in data.evaluation.items():
        file = folder / f"{name}.{plan.task.extension}"
        plan.task.write(file, name, examples.examples, examples.gold)
