"""What a finished training leaves in its run: the exported model, counts, metrics and cards."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from bbert.cards.card import write_model_card
from bbert.pretrain.checkpoint import CHECKPOINTS, best_checkpoint, disk_errors, read_checkpoint
from bbert.pretrain.config import known
from bbert.pretrain.plan import Plan
from bbert.run_directory import Run

if TYPE_CHECKING:
    from bbert.pretrain.training import Training

MODEL = "model"
BEST_MODEL = "model-best"


def leave_behind(plan: Plan, opened: Run, training: Training) -> None:
    """Export the last weights (and the best, with `keep_best`) and say what was measured.

    Raises:
        OSError: the disk is full or not writable.
    """
    _export(plan, opened, training)
    _describe(plan, opened, training)
    write_model_cards(plan, opened)


def _export(plan: Plan, opened: Run, training: Training) -> None:
    """The `transformers` folder that the later stages read."""
    from bbert.pretrain.export import to_hugging_face

    config, languages = plan.config, plan.languages
    extra: dict[str, Any] = {
        "languages": languages,
        "lang_id": config.lang_id,
        "nsp": config.nsp,
        "depth": config.depth,
        "seq_len": config.seq_len,
        "corpus": plan.corpus.name,
    }
    if config.lang_id:
        extra["language_separators"] = training.source.language_separators
    model, tokenizer = training.engine.model, plan.corpus.path / "tokenizer"
    folder = opened.path / MODEL
    shutil.rmtree(folder, ignore_errors=True)  # half of one, from a killed process
    with disk_errors(folder):
        to_hugging_face(model, tokenizer, folder, extra)
    best = best_checkpoint(opened.path / CHECKPOINTS) if config.keep_best else None
    if best is None:
        return
    folder = opened.path / BEST_MODEL
    shutil.rmtree(folder, ignore_errors=True)
    checkpoint = read_checkpoint(best)
    model.load_state_dict(
        {
            name: model.padded(name, checkpoint.tensors[f"weight/{name}"])
            for name, _ in model.named_parameters()
        },
        strict=False,
    )
    with disk_errors(folder):
        to_hugging_face(model, tokenizer, folder, extra | {"step": checkpoint.step})
    opened.metrics["best_step"] = checkpoint.step
    opened.metrics["best_validation_loss"] = checkpoint.progress["validation_loss"]


def _describe(plan: Plan, opened: Run, training: Training) -> None:
    """Counts, metrics and what else the manifest says."""
    from bbert.pretrain.metrics_log import METRICS, read_metrics
    from bbert.pretrain.unigram_perplexity import unigram_perplexities

    config, manifest = plan.config, plan.corpus.manifest
    steps, batch_size = known(config.steps), known(config.batch_size)
    rows, tokens = steps * batch_size, steps * batch_size * known(config.seq_len)
    source = training.source
    opened.counts |= {
        "steps": steps,
        "rows": rows,
        "tokens": tokens,
        "passes": {
            language: round(rows * float(share) / per_pass, 2)
            for language, share, per_pass in zip(
                source.languages, source.language_shares, source.rows_per_pass, strict=True
            )
        },
    }
    logged = read_metrics(opened.path / METRICS)
    times = {"step", "tokens_per_second", "peak_share", "learning_rate", "grad_norm"}
    opened.metrics |= {key: value for key, value in logged[-1].items() if key not in times}
    for language, value in unigram_perplexities(plan.corpus.path, plan.languages).items():
        opened.metrics[f"unigram_perplexity/{language}"] = round(value, 2)
    opened.metrics["first_loss"] = next(row["loss"] for row in logged if "loss" in row)
    if training.multilinguality is not None:
        opened.metrics["probe_seconds"] = round(training.probe_cost.seconds, 3)
    opened.metrics["training_seconds"] = round(training.seconds, 3)
    speed = tokens / training.seconds
    opened.metrics["tokens_per_second"] = round(speed, 1)
    opened.metrics["peak_share"] = round(speed / training.peak_tokens_per_second, 4)
    opened.extra |= {
        "languages": plan.languages,
        "sample": manifest.get("sample"),
        "corpus": str(plan.corpus.path),
        "parameters": training.engine.model.architecture.parameter_count(),
    }


def write_model_cards(plan: Plan, opened: Run) -> None:
    """A card beside the last weights, and beside the best ones."""
    from bbert.pretrain.metrics_log import METRICS, read_metrics

    write_model_card(opened, opened.path / MODEL, known(plan.config.steps), opened.metrics)
    step = opened.metrics.get("best_step")
    if step is not None:
        logged = read_metrics(opened.path / METRICS)
        row = next((row for row in logged if row["step"] == step), {})
        write_model_card(opened, opened.path / BEST_MODEL, step, row)
