"""Puts corpus, model and engine of a run together."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from bbert.pretrain.batches import BatchSource
from bbert.pretrain.config import architecture_of, known, micro_batches, rows_of
from bbert.pretrain.engine import Engine, EngineSettings
from bbert.pretrain.model import BertForPretraining
from bbert.pretrain.plan import Plan
from bbert.pretrain.process_group import ProcessGroup
from bbert.pretrain.training import Schedule, Training
from bbert.processor_threads import set_threads


def assemble(plan: Plan, run_path: Path, group: ProcessGroup) -> Training:
    """A training at step 0, in one of the processes, which must have been connected.

    Raises:
        InputError: the corpus is damaged or too small.
    """
    config, languages = plan.config, plan.languages
    set_threads(known(config.hidden))
    settings = plan.batch_settings()
    count = micro_batches(settings.batch_size, group.size, config.micro_batch_size)
    rows = rows_of(settings.batch_size, group.size, count, group.rank)
    most_rows = math.ceil(math.ceil(settings.batch_size / group.size) / count)
    source = BatchSource(plan.corpus.path, languages, settings, config.seed)
    validation = BatchSource(
        plan.corpus.path,
        languages,
        replace(settings, batch_size=most_rows),
        config.seed,
        split="validation",
    )
    engine_settings = EngineSettings(
        micro_batches=count,
        rows=most_rows,
        weight_decay=config.weight_decay,
        zero_stage=config.zero_stage,
        precision=config.precision,
        device=config.device,
        compile=config.compile,
        steps=known(config.steps),
        seed=config.seed,
    )
    schedule = Schedule(
        steps=known(config.steps),
        warmup_steps=known(config.warmup_steps),
        learning_rate=known(config.learning_rate),
        log_every=known(config.log_every),
        eval_every=known(config.eval_every),
        save_every=known(config.save_every),
        keep_checkpoints=config.keep_checkpoints,
    )
    engine = Engine(new_model(plan), engine_settings, group)
    return Training(engine, source, validation, schedule, rows, group, run_path, plan.identity)


def new_model(plan: Plan) -> BertForPretraining:
    """The model with fresh weights."""
    architecture = architecture_of(plan.config, plan.vocab_size())
    return BertForPretraining(architecture, len(plan.languages), plan.config.seed)
