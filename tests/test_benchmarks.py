"""The benchmarks that need a GPU run on a CPU at toy sizes, so that they work when there is one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DS_ACCELERATOR", "cpu")
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    before = sys.modules.pop("pretrain", None)  # the tests of that name
    import pretrain_cuda_check

    yield pretrain_cuda_check
    for name in ("pretrain_cuda_check", "pretrain", "machine"):
        sys.modules.pop(name, None)
    if before is not None:
        sys.modules["pretrain"] = before


def test_the_check_for_gpus_passes_on_a_cpu(check, tmp_path: Path):
    table = check.Table()
    sizes = check.Sizes("cpu", "tiny", 1, 1, check.HEAD_SIZES, ("off",))
    check.measure(sizes, tmp_path, table, trainer=False)
    assert not table.failed, table.markdown()
    checked = [row for row in table.rows if row[2] == "ok"]
    assert len(checked) == 8  # three head sizes with and without padding, masks, bf16
    named = {row[0].split(",")[0] for row in table.rows}
    assert {"step", "attention", "no_sync saves", "foreach clipping saves"} <= named
    assert "tokens/s" in table.markdown()


def test_a_wrong_model_fails_the_check(check, monkeypatch: pytest.MonkeyPatch):
    from bbert.pretrain.attention import SelfAttention

    whole = SelfAttention.forward
    monkeypatch.setattr(SelfAttention, "forward", lambda self, *inputs: 1.01 * whole(self, *inputs))
    table = check.Table()
    check.check_forward(check.Sizes("cpu", "tiny", 1, 1, (64,), ("off",)), 64, table)
    assert table.failed
    assert "FAILED" in table.markdown()
