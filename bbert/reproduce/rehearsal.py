"""A scale in a few steps: every command of a plan on the real files, before a GPU is paid for it.

What a plan may trip over hours later, a test set in another layout, a size that the heads do not
divide, a probe without its text, shows in minutes. Designs and the models' sizes stay; text, steps,
batches and examples shrink until a command takes seconds. Its scores mean nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bbert.reproduce.scale import Scale

FOLDER = "rehearsal"
"""Below the work folder: what was rehearsed is never taken for a result."""

_CORPUS = {"max_bytes": 1_000_000, "vocab_size": 2_000}
_PRETRAIN = {"steps": 4, "batch_size": 8, "warmup_steps": 1}
_TRANSFER = {"seeds": 1, "epochs": 1, "max_train_examples": 64, "max_eval_examples": 64}
_PROBE = {"max_sentences": 64}
_SECONDS = {"corpus": 15.0, "pretrain": 20.0, "finetune": 10.0, "probe": 10.0}
_MEGABYTES = {"corpus": 10.0, "pretrain": 2_000.0, "finetune": 500.0, "probe": 1.0}  # at most


def rehearsed(scale: Scale) -> Scale:
    """`scale` with its first seed alone and a few steps of everything.

    The sample's corpora are kept: they take seconds, and smaller ones are none of its kind.
    """
    from bbert.finetune.tasks import TASKS
    from bbert.pretrain.presets import PRESETS

    presets = {**PRESETS, **scale.presets}
    corpus = _CORPUS if scale.data else {}
    return replace(
        scale,
        says=f"a rehearsal in {_PRETRAIN['steps']} steps, whose scores mean nothing; {scale.says}",
        seeds=tuple(scale.seeds[:1]),
        corpus={**scale.corpus, **corpus},
        pretrain={**scale.pretrain, **_PRETRAIN},
        presets={name: _smaller(options) for name, options in presets.items()},
        models={name: _smaller_model(options) for name, options in scale.models.items()},
        transfer={task: {**scale.transfer.get(task, {}), **_TRANSFER} for task in TASKS},
        transfer_of={
            paper: {task: {**options, **_TRANSFER} for task, options in of.items()}
            for paper, of in scale.transfer_of.items()
        },
        probe={**scale.probe, **_PROBE},
        seconds={stage: min(_SECONDS[stage], cost) for stage, cost in scale.seconds.items()},
        megabytes={stage: min(_MEGABYTES[stage], cost) for stage, cost in scale.megabytes.items()},
    )


def _smaller(pretrain: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a pretraining without those that a rehearsal sets."""
    return {key: value for key, value in pretrain.items() if key not in _PRETRAIN}


def _smaller_model(model: Mapping[str, Any]) -> dict[str, Any]:
    if "pretrain" not in model:
        return dict(model)
    return {**model, "pretrain": _smaller(model["pretrain"])}
