"""TensorBoard reads what was written, once, however often the run was killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from bbert.pretrain.metrics_log import MetricsLog, read_metrics


def curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard shows."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0})
    board.Reload()
    tags = board.Tags()
    assert not tags["tensors"] or not tags["scalars"]
    return {tag: [(e.step, e.value) for e in board.Scalars(tag)] for tag in tags["scalars"]}


def raw_steps(folder: Path) -> list[int]:
    """Steps of every record, without what TensorBoard forgets on its own."""
    from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

    return [
        event.step
        for path in sorted(folder.glob("events*"))
        for event in LegacyEventFileLoader(str(path)).Load()
        if event.HasField("summary")
    ]


def log_rows(run: Path, first: int, steps: range, finish: bool = True) -> None:
    log = MetricsLog(run, first)
    for step in steps:
        log.write({"step": step, "loss": 100 / (step + 1), "learning_rate": 0.5})
    if finish:
        log.__exit__(None, None, None)


def test_tensorboard_shows_every_row(tmp_path):
    log_rows(tmp_path, 0, range(0, 50, 10))
    shown = curves(tmp_path / "tensorboard")
    assert shown.keys() == {"loss", "learning_rate"}
    rows = read_metrics(tmp_path / "metrics.jsonl")
    assert [step for step, _ in shown["loss"]] == [0, 10, 20, 30, 40]
    assert [value for _, value in shown["loss"]] == pytest.approx([row["loss"] for row in rows])


def test_a_killed_run_leaves_no_step_out_and_shows_none_twice(tmp_path):
    log_rows(tmp_path, 0, range(10, 60, 10), finish=False)  # killed; the checkpoint was at 30
    log_rows(tmp_path, 31, range(40, 80, 10), finish=False)  # killed; the checkpoint was at 70
    log_rows(tmp_path, 71, range(80, 100, 10))
    steps = list(range(10, 100, 10))
    assert [row["step"] for row in read_metrics(tmp_path / "metrics.jsonl")] == steps
    assert [step for step, _ in curves(tmp_path / "tensorboard")["loss"]] == steps
    assert raw_steps(tmp_path / "tensorboard") == steps


def test_a_run_without_a_checkpoint_starts_anew(tmp_path):
    log_rows(tmp_path, 0, range(0, 60, 10), finish=False)
    log_rows(tmp_path, 0, range(0, 30, 10))
    assert [row["step"] for row in read_metrics(tmp_path / "metrics.jsonl")] == [0, 10, 20]
    assert raw_steps(tmp_path / "tensorboard") == [0, 10, 20]


@pytest.mark.parametrize("cut", [1, 5, 11, 13, 60])
def test_a_record_that_was_cut_off_is_dropped(tmp_path, cut):
    log_rows(tmp_path, 0, range(10, 60, 10))
    (path,) = (tmp_path / "tensorboard").glob("events*")
    path.write_bytes(path.read_bytes()[:-cut])
    log_rows(tmp_path, 41, range(50, 80, 10))
    assert raw_steps(tmp_path / "tensorboard") == [10, 20, 30, 40, 50, 60, 70]


def test_a_live_board_forgets_what_was_cut(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log_rows(tmp_path, 0, range(10, 60, 10), finish=False)
    board = EventAccumulator(str(tmp_path / "tensorboard"), size_guidance={"scalars": 0})
    board.Reload()
    assert [e.step for e in board.Scalars("loss")] == [10, 20, 30, 40, 50]
    log_rows(tmp_path, 21, range(30, 50, 10))
    board.Reload()
    assert [e.step for e in board.Scalars("loss")] == [10, 20, 30, 40]


def test_rows_that_a_full_disk_did_not_take_are_written_later(tmp_path, caplog):
    log = MetricsLog(tmp_path, 0)
    log.write({"step": 10, "loss": 1.0})
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("needs /dev/full")
    streams = [log._file, log._board._file]
    real = [stream._stream for stream in streams]
    for stream in streams:
        stream._stream = full.open("wb", buffering=0)
    log.write({"step": 20, "loss": 0.5})
    assert "its rows wait in memory" in caplog.text
    with pytest.raises(OSError, match="No space left"):
        log.sync()
    for stream, file in zip(streams, real, strict=True):
        stream._stream.close()
        stream._stream = file
    log.write({"step": 30, "loss": 0.25})
    log.__exit__(None, None, None)
    assert [row["step"] for row in read_metrics(tmp_path / "metrics.jsonl")] == [10, 20, 30]
    assert raw_steps(tmp_path / "tensorboard") == [10, 20, 30]
