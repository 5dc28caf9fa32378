"""Checkpoints are whole or are not read."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import bbert
from bbert.errors import InputError
from bbert.pretrain.checkpoint import (
    best_checkpoint,
    list_checkpoints,
    newest_checkpoint,
    read_checkpoint,
    step_of,
    write_checkpoint,
)

IDENTITY = {"config": "a", "corpus": "b"}


def write(
    folder: Path,
    step: int,
    keep: int = 2,
    identity: dict = IDENTITY,
    loss: float | None = None,
    keep_best: bool = False,
) -> Path:
    tensors = {"weight/x": torch.full((40, 3), float(step)), "exp_avg/x": torch.zeros(40, 3)}
    content = {
        "step": step, "identity": identity, "losses": [[0.1, 1e-300]], "seconds": 1.5,
        "validation_loss": loss,
    }  # fmt: skip
    return write_checkpoint(folder, tensors, content, keep, keep_best)


def test_what_is_written_is_read(tmp_path: Path):
    path = write(tmp_path, 7)
    assert newest_checkpoint(tmp_path, IDENTITY) == path
    checkpoint = read_checkpoint(path)
    assert checkpoint.step == 7
    assert checkpoint.progress["losses"] == [[0.1, 1e-300]]
    assert torch.equal(checkpoint.tensors["weight/x"], torch.full((40, 3), 7.0))
    assert (tmp_path / "latest").read_text() == path.name


def test_the_newest_are_kept_in_the_order_of_steps(tmp_path: Path):
    for step in (8, 9, 10, 100_000_000):
        write(tmp_path, step)
    names = [path.name for path in list_checkpoints(tmp_path)]
    assert names == ["step-00000010", "step-100000000"]


@given(
    losses=st.lists(st.none() | st.integers(0, 3).map(float), min_size=1, max_size=9),
    keep=st.integers(1, 3),
)
@settings(deadline=None, max_examples=25)
def test_the_last_and_the_best_are_kept(losses: list[float | None], keep: int):
    with TemporaryDirectory() as name:
        folder = Path(name)
        for step, loss in enumerate(losses):
            write(folder, step, keep, loss=loss, keep_best=True)
        expected = set(range(len(losses))[-keep:])
        measured = [(loss, -step) for step, loss in enumerate(losses) if loss is not None]
        best = best_checkpoint(folder)
        if measured:
            step = -min(measured)[1]
            expected.add(step)
            assert best is not None
            assert step_of(best) == step
            assert (folder / "best").read_text() == best.name
        else:
            assert best is None
        assert {step_of(path) for path in list_checkpoints(folder)} == expected


def test_a_loss_that_is_no_number_is_not_the_best(tmp_path: Path):
    for step, loss in enumerate((float("nan"), 3.0, 2.0, float("inf")), start=1):
        write(tmp_path, step, keep=4, loss=loss, keep_best=True)
    best = best_checkpoint(tmp_path)
    assert best is not None
    assert step_of(best) == 3
    assert (tmp_path / "best").read_text() == best.name


def test_a_damaged_best_is_none(tmp_path: Path):
    second = write(tmp_path, 1, loss=3.0, keep_best=True)
    best = write(tmp_path, 2, loss=1.0, keep_best=True)
    (best / "state.safetensors").write_bytes(b"")
    assert best_checkpoint(tmp_path) == second


def test_a_link_to_another_place_is_none(tmp_path: Path):
    elsewhere = write(tmp_path / "elsewhere", 9)
    folder = tmp_path / "run"
    own = write(folder, 5)
    (folder / elsewhere.name).symlink_to(elsewhere)
    assert newest_checkpoint(folder, IDENTITY) == own


def test_no_pickle_is_ever_read():
    sources = [path.read_text() for path in Path(bbert.__file__).parent.rglob("pretrain/*.py")]
    assert len(sources) > 20
    words = ("torch.load", "import pickle", "load_checkpoint(", "weights_only")
    assert not [word for word in words for source in sources if word in source]


def test_what_a_killed_process_left_is_cleared_away(tmp_path: Path):
    left = tmp_path / "step-00000003.partial"
    left.mkdir()
    (left / "state.safetensors").write_bytes(bytes(100))
    write(tmp_path, 5)
    assert not left.exists()


def test_an_unfinished_one_is_none(tmp_path: Path):
    write(tmp_path, 5)
    (tmp_path / "step-00000006.partial").mkdir()
    (tmp_path / "step-00000007").mkdir()
    assert newest_checkpoint(tmp_path, IDENTITY) == tmp_path / "step-00000005"
    assert newest_checkpoint(tmp_path / "nowhere", IDENTITY) is None


@pytest.mark.parametrize("name", ["state.safetensors", "progress.json", "checksums.json"])
@pytest.mark.parametrize("harm", ["truncate", "flip", "remove", "empty"])
def test_any_damage_is_found(name: str, harm: str, tmp_path: Path, caplog):
    good, bad = write(tmp_path, 5), write(tmp_path, 6)
    file = bad / name
    content = bytearray(file.read_bytes())
    if harm == "remove":
        file.unlink()
    elif harm == "flip":
        content[len(content) // 2] ^= 4
        file.write_bytes(content)
    else:
        file.write_bytes(content[:-3] if harm == "truncate" else b"")
    assert newest_checkpoint(tmp_path, IDENTITY) == good
    assert str(bad) in caplog.text


def test_where_all_are_damaged_nothing_starts_silently(tmp_path: Path):
    for step in (5, 6):
        (write(tmp_path, step) / "progress.json").write_text("{}")
    with pytest.raises(InputError, match=r"all 2 checkpoints .* damaged") as caught:
        newest_checkpoint(tmp_path, IDENTITY)
    assert "remove that folder" in str(caught.value)


def test_a_damaged_newer_one_does_not_push_out_good_ones(tmp_path: Path):
    write(tmp_path, 5, keep=1)
    write(tmp_path, 9, keep=2)
    (tmp_path / "step-00000009" / "state.safetensors").write_bytes(b"")
    path = write(tmp_path, 6, keep=1)
    assert list_checkpoints(tmp_path) == [path]


def test_one_of_another_run_is_refused(tmp_path: Path):
    write(tmp_path, 5, identity={"config": "a", "corpus": "changed"})
    with pytest.raises(InputError, match="another configuration or corpus") as caught:
        newest_checkpoint(tmp_path, IDENTITY)
    assert f"remove {tmp_path} to start again" in str(caught.value)


def test_a_failed_write_leaves_the_others_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    good = write(tmp_path, 5)

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="checkpoint was not written: No space left") as caught:
        write(tmp_path, 6)
    assert caught.value.errno == 28
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == [good.name]
    assert json.loads((good / "progress.json").read_text())["step"] == 5
