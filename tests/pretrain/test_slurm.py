"""Slurm's variables name the task, inside srun only."""

from __future__ import annotations

import os

import pytest

from bbert.errors import InputError
from bbert.pretrain.meeting import meeting_point
from bbert.pretrain.process_group import ProcessGroup, launched_group
from bbert.pretrain.slurm import first_host, slurm_task

# As Slurm 22.05 sets them: in a batch script, and in the second task of a step on two nodes.
BATCH = {
    "SLURM_JOB_ID": "1234", "SLURM_JOB_NODELIST": "gpu[07-08]", "SLURM_NNODES": "2",
    "SLURM_NTASKS": "4", "SLURM_PROCID": "0", "SLURM_LOCALID": "0",
}  # fmt: skip
STEP = BATCH | {
    "SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "4", "SLURM_STEP_NUM_NODES": "2",
    "SLURM_STEP_NODELIST": "gpu[07-08]", "SLURM_PROCID": "3", "SLURM_LOCALID": "1",
}  # fmt: skip


@pytest.fixture(autouse=True)
def no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
    for name in [*names, *(name for name in os.environ if name.startswith("SLURM_"))]:
        monkeypatch.delenv(name, raising=False)


def set_all(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_a_task_of_a_step_knows_its_place_and_the_first_host(monkeypatch: pytest.MonkeyPatch):
    set_all(monkeypatch, STEP)
    assert launched_group() == ProcessGroup(3, 4, 1)
    address, port = meeting_point()
    assert address == "gpu07"
    assert 15_000 <= port < 30_000


def test_in_a_batch_script_and_elsewhere_bbert_is_alone(monkeypatch: pytest.MonkeyPatch):
    assert slurm_task() is None
    set_all(monkeypatch, BATCH)
    assert slurm_task() is None
    set_all(monkeypatch, STEP | {"SLURM_STEP_NUM_TASKS": "1"})
    assert slurm_task() is None


def test_three_variables_are_enough(monkeypatch: pytest.MonkeyPatch):
    set_all(monkeypatch, {"SLURM_PROCID": "1", "SLURM_NTASKS": "2", "SLURM_LOCALID": "1"})
    assert launched_group() == ProcessGroup(1, 2, 1)
    assert meeting_point()[0] == "127.0.0.1"


def test_a_launcher_within_srun_wins(monkeypatch: pytest.MonkeyPatch):
    set_all(monkeypatch, STEP | {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0"})
    set_all(monkeypatch, {"MASTER_ADDR": "head", "MASTER_PORT": "29500"})
    assert launched_group() == ProcessGroup(0, 2, 0)
    assert meeting_point() == ("head", 29500)


def test_steps_of_one_job_get_different_ports(monkeypatch: pytest.MonkeyPatch):
    ports = []
    for step in "0", "1":
        set_all(monkeypatch, STEP | {"SLURM_STEP_ID": step})
        ports.append(meeting_point()[1])
    assert len(set(ports)) == 2


def test_nonsense_is_refused(monkeypatch: pytest.MonkeyPatch):
    set_all(monkeypatch, STEP | {"SLURM_PROCID": "first"})
    with pytest.raises(InputError, match="SLURM_PROCID"):
        launched_group()


def test_a_launcher_without_an_address_is_refused(monkeypatch: pytest.MonkeyPatch):
    set_all(monkeypatch, {"RANK": "0", "WORLD_SIZE": "2"})
    with pytest.raises(InputError, match="MASTER_ADDR"):
        meeting_point()


@pytest.mark.parametrize(
    ("nodes", "first"),
    [
        ("n1", "n1"),
        ("n1,n2", "n1"),
        ("gpu[07-09,12],login", "gpu07"),
        ("rack[1,3]-node[04-05]", "rack1-node04"),
        ("a.b.example,c", "a.b.example"),
    ],
)
def test_the_first_host_of_a_node_list(nodes: str, first: str):
    assert first_host(nodes) == first
