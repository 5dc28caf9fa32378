"""Puts corpus, model and engine of a run together."""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from pathlib import Path

from bbert.pretrain.batches import BatchSource
from bbert.pretrain.checkpoint import CHECKPOINTS
from bbert.pretrain.config import architecture_of, known
from bbert.pretrain.engine import Engine, EngineSettings
from bbert.pretrain.matrix_peak import matrix_peak
from bbert.pretrain.model import BertForPretraining
from bbert.pretrain.multilinguality import Multilinguality
from bbert.pretrain.parallel_text import parallel_texts, say_what_is_not_read
from bbert.pretrain.plan import Plan
from bbert.pretrain.process_group import ProcessGroup
from bbert.pretrain.row_shares import micro_batches, rows_of
from bbert.pretrain.saving import Saving
from bbert.pretrain.schedule import Schedule
from bbert.pretrain.training import Training
from bbert.processor_threads import set_threads

logger = logging.getLogger(__name__)

_VOCAB_MULTIPLE_ON_GPU = 128
"""Tensor cores take whole tiles: 60,000 entries get room for 60,032."""


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
    multilinguality = _multilinguality(plan, source, validation)
    schedule = Schedule(
        steps=known(config.steps),
        warmup_steps=known(config.warmup_steps),
        learning_rate=known(config.learning_rate),
        log_every=known(config.log_every),
        eval_every=known(config.eval_every),
        save_every=known(config.save_every),
        probe_every=known(config.probe_every) if multilinguality else None,
    )
    engine = Engine(new_model(plan), engine_settings, group)
    saving = Saving(
        run_path / CHECKPOINTS, plan.identity, group, config.keep_last, config.keep_best
    )
    tokenizer_dir = plan.corpus.path / "tokenizer"
    return Training(
        engine, source, validation, schedule, rows, group, run_path, tokenizer_dir, saving,
        _peak_tokens_per_second(plan, engine, source, group), multilinguality,
    )  # fmt: skip


def _peak_tokens_per_second(
    plan: Plan, engine: Engine, source: BatchSource, group: ProcessGroup
) -> float:
    """Tokens/s of the group if every process multiplied as fast as the leader's machine can.

    Infinite in the other processes, which write nothing.
    """
    if not group.leads:
        return math.inf
    seq_len = source.settings.seq_len
    share = predictions_per_row(plan, source) / seq_len
    flops = engine.model.architecture.training_flops_per_token(seq_len, share)
    return group.size * matrix_peak(plan.config.precision, engine.device) / flops


def predictions_per_row(plan: Plan, source: BatchSource) -> float:
    """Positions of a row that pass through the MLM head: all slots where shapes have to be fixed.

    On a CPU those that are left over are passed over, unless the model is compiled.
    """
    if plan.config.device == "cuda" or plan.config.compile == "on":
        return source.num_slots
    return source.settings.mlm_probability * source.settings.row_length


def _multilinguality(
    plan: Plan, source: BatchSource, validation: BatchSource
) -> Multilinguality | None:
    """What the live curves measure; None where they are off or there is no parallel text."""
    if not plan.config.probe:
        if plan.config.probe_parallel:
            logger.info("--no-probe: the files of --probe-parallel are not read")
        return None
    files = plan.parallel_files()
    texts = parallel_texts(plan.corpus.path, plan.languages, validation.held_out_sentences, files)
    if plan.config.probe_parallel:
        say_what_is_not_read(files, texts)
    prepared = Multilinguality.prepare(
        texts,
        plan.corpus.path / "tokenizer",
        source.language_separators,
        known(plan.config.seq_len),
    )
    return prepared if prepared.comparisons else None


def new_model(plan: Plan) -> BertForPretraining:
    """The model with fresh weights."""
    architecture = architecture_of(plan.config, plan.vocab_size())
    multiple = _VOCAB_MULTIPLE_ON_GPU if plan.config.device == "cuda" else 1
    return BertForPretraining(architecture, len(plan.languages), plan.config.seed, multiple)
