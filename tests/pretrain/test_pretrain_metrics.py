"""Loss tables, rows of metrics, and the file they go to."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from bbert.pretrain.metrics import (
    LossNotFinite,
    LossTable,
    check_finite,
    losses,
    training_row,
    validation_columns,
)
from bbert.pretrain.metrics_log import MetricsLog, read_metrics
from bbert.pretrain.process_group import ProcessGroup

LANGUAGES = ["enfake", "en"]


def outputs(seed: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    number = torch.rand(7, generator=generator)
    return {
        "loss": number[0], "mlm_loss_L": number[1:3] * 9, "mlm_count_L": torch.tensor([2.0, 3.0]),
        "nsp_loss": number[3] * 4, "nsp_count": torch.tensor(4.0), "nsp_correct": torch.tensor(3.0),
    }  # fmt: skip


def filled(lines: int, parts: int = 2) -> LossTable:
    table = LossTable(2, True, 10, ProcessGroup(), "cpu")
    for line in range(lines):
        for part in range(parts):
            table.add_outputs(outputs(line * parts + part))
        table.end_line(float(line))
    return table


def test_losses_are_means_over_what_was_counted():
    total_SC = filled(3).total()
    seen = [outputs(i) for i in range(6)]
    values = losses(total_SC, LANGUAGES, nsp=True)
    mlm = sum(float(o["mlm_loss_L"].sum()) for o in seen) / (6 * 5)
    nsp = sum(float(o["nsp_loss"]) for o in seen) / (6 * 4)
    assert values["mlm_loss"] == pytest.approx(mlm)
    assert values["loss"] == pytest.approx(mlm + nsp)
    assert values["nsp_accuracy"] == 0.75
    en = sum(float(o["mlm_loss_L"][1]) for o in seen) / (6 * 3)
    assert values["loss/en"] == pytest.approx(en)


def test_a_row_has_the_names_that_others_rely_on():
    row = training_row(30, filled(3).total(), LANGUAGES, True, 1e-3, 1234.56, 5000.0)
    assert list(row) == [
        "step", "loss", "mlm_loss", "nsp_loss", "nsp_accuracy", "loss/enfake", "loss/en",
        "learning_rate", "grad_norm", "tokens_per_second", "peak_share",
    ]  # fmt: skip
    assert row["peak_share"] == pytest.approx(1234.56 / 5000, abs=1e-4)
    assert row["grad_norm"] == 2.0
    without = training_row(
        30, filled(3).total()[:, [0, 1, 2, 3, 7]], LANGUAGES, False, 1e-3, 1.0, 2.0
    )
    assert not any("nsp" in name for name in without)
    assert without["loss"] == without["mlm_loss"]


def test_perplexity_is_the_exponential_of_the_loss():
    columns = validation_columns(filled(2).total(), LANGUAGES, nsp=True)
    loss = columns["validation_loss/en"]
    assert columns["validation_perplexity/en"] == pytest.approx(math.exp(loss))


def test_an_interrupted_table_ends_as_one_that_was_not():
    whole = filled(5).total()
    half = filled(3)
    restored = LossTable(2, True, 10, ProcessGroup(), "cpu")
    restored.restore(np.array(json.loads(json.dumps(half.total().tolist()))))
    for line in range(3, 5):
        for part in range(2):
            restored.add_outputs(outputs(line * 2 + part))
        restored.end_line(float(line))
    assert np.array_equal(restored.total(), whole)


@pytest.mark.parametrize(("column", "word"), [(0, "loss"), (-1, "gradient")])
def test_a_loss_that_is_not_finite_names_its_step(column: int, word: str):
    total_SC = filled(5).total()
    check_finite(total_SC, last_step=105)
    total_SC[3, column] = math.inf
    with pytest.raises(LossNotFinite, match=f"{word} is not finite at step 104"):
        check_finite(total_SC, last_step=105)


def test_the_log_is_cut_back_to_the_checkpoint(tmp_path: Path):
    with MetricsLog(tmp_path, 0) as log:
        for step in (10, 20, 30):
            log.write({"step": step, "loss": 1 / step})
    path = tmp_path / "metrics.jsonl"
    path.write_text(path.read_text() + '{"step": 40, "lo')
    assert [row["step"] for row in read_metrics(path)] == [10, 20, 30]
    with MetricsLog(tmp_path, 26) as log:
        log.write({"step": 30, "loss": 0.5})
    assert [row["step"] for row in read_metrics(path)] == [10, 20, 30]
    assert read_metrics(path)[-1]["loss"] == 0.5
    assert list((tmp_path / "tensorboard").iterdir())
