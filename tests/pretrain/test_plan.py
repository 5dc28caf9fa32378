"""From options to a training: each of them arrives where it is meant for."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import commands  # noqa: F401 - sets DeepSpeed's accelerator
import numpy as np
import pytest
import torch
from tiny_corpus import build_tiny_corpus

from bbert.pretrain.assemble import assemble
from bbert.pretrain.batches import BatchSettings
from bbert.pretrain.config import PretrainConfig
from bbert.pretrain.plan import make_plan
from bbert.pretrain.process_group import ProcessGroup, connect
from bbert.pretrain.training import Training

OTHER = {
    "batch_size": 12, "seq_len": 20, "nsp_negatives": "same-language", "lang_id": True,
    "batching": "one-language", "short_seq_probability": 0.25, "masks": "released",
    "mlm_probability": 0.3, "mlm_random": "none", "whole_word_mask": False,
}  # fmt: skip


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    work = tmp_path / "work"
    folder = build_tiny_corpus(work, documents=8)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["config"] = {"smoothing": 0.25}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return work


def test_rows_are_made_as_the_options_say(tiny: Path):
    found = make_plan(PretrainConfig(work=tiny, device="cpu", **OTHER)).batch_settings()
    usual = BatchSettings()
    for name, value in OTHER.items():
        assert getattr(found, name) == value != getattr(usual, name), name
    assert found.smoothing == 0.25, "as the corpus was told to"
    found = make_plan(
        PretrainConfig(work=tiny, device="cpu", nsp=False, packing="full-sentences")
    ).batch_settings()
    assert (found.nsp, found.packing) == (False, "full-sentences")
    assert {field.name for field in fields(BatchSettings)} == {
        *OTHER,
        "nsp",
        "packing",
        "smoothing",
    }


def assembled(work: Path, **options) -> Training:
    """A training at step 0 of a model of one layer."""
    sizes = {"depth": 1, "heads": 1, "hidden": 8, "seq_len": 16, "batch_size": 4, "steps": 40}
    plan = make_plan(PretrainConfig(work=work, device="cpu", probe=False, **sizes, **options))
    group = ProcessGroup()
    connect(group, "cpu")
    return assemble(plan, work / "run", group)


def test_the_seed_reaches_first_weights_and_rows_but_not_the_held_out_ones(tiny: Path):
    first, again, other = (assembled(tiny, seed=seed) for seed in (5, 5, 6))
    for one, same in ((again, True), (other, False)):
        weights = [t.engine.model.embeddings.word.weight for t in (first, one)]
        assert torch.equal(*weights) == same
        rows = [t.source.batch(0).input_ids_BT for t in (first, one)]
        assert np.array_equal(*rows) == same
        held_out = [t.validation.batch(0).input_ids_BT for t in (first, one)]
        assert np.array_equal(*held_out)


def test_the_optimisers_options_reach_it(tiny: Path):
    training = assembled(tiny, weight_decay=0.3, learning_rate=0.02, warmup_steps=7)
    matrices, vectors = training.engine._deepspeed.basic_optimizer.param_groups
    assert (matrices["weight_decay"], vectors["weight_decay"]) == (0.3, 0.0)
    assert training.schedule.rate(8) == 0.02
    assert training.schedule.rate(7) == pytest.approx(0.02 * 6 / 7)
    assert training.schedule.steps == 40
