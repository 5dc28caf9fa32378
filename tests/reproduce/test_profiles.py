"""Where the commands of a profile run, and what the profile of Kubernetes asks for."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from bbert import usable_processors
from bbert.cli import main
from bbert.errors import InputError
from bbert.reproduce.config import ReproduceConfig
from bbert.reproduce.profile import in_containers, is_cluster
from bbert.reproduce.run import run
from bbert.reproduce.shared_volume import trust_shared_volumes
from bbert.reproduce.shipped import pipelines_folder
from bbert.reproduce.workflow import _command, _fast_start, _interruptible
from bbert.reproduce.written_plan import WrittenPlan

PROFILES = pipelines_folder() / "profiles"
KUBERNETES = yaml.safe_load((PROFILES / "kubernetes" / "config.yaml").read_text(encoding="utf-8"))
ROOT = Path(__file__).resolve().parents[2]


def test_only_the_profile_of_kubernetes_runs_in_containers():
    assert in_containers(PROFILES / "kubernetes")
    assert in_containers(PROFILES / "kubernetes" / "config.yaml"), "a file is a profile as well"
    assert not in_containers(PROFILES / "slurm")
    assert not in_containers(PROFILES / "workstation")
    assert not in_containers(None)


def test_only_jobs_of_a_cluster_are_cancelled():
    assert is_cluster(PROFILES / "kubernetes")
    assert is_cluster(PROFILES / "slurm")
    assert not is_cluster(PROFILES / "workstation")
    assert not is_cluster(None)


def test_snakemake_hears_sigint_also_where_bbert_does_not():
    """A script that starts a command with `&` has SIGINT ignored in it."""
    code = "import signal; print(repr(signal.getsignal(signal.SIGINT)))"
    ask = [sys.executable, "-c", code]
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert "IGN" in subprocess.run(ask, capture_output=True, text=True, check=True).stdout
        with _interruptible():
            told = subprocess.run(ask, capture_output=True, text=True, check=True).stdout
        assert "default_int_handler" in told
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("usage", "contained"),
    [
        ("[persistence, input-output, sources]", True),
        ("persistence input-output sources source-cache", True),
        ("[persistence, input-output, sources, software-deployment]", False),
    ],
)
def test_shared_software_decides(tmp_path, usage, contained):
    (tmp_path / "config.v8+.yaml").write_text(f"shared-fs-usage: {usage}\n")
    assert in_containers(tmp_path) is contained


@pytest.mark.parametrize("usage", ["none", "[persistence, sources]"])
def test_containers_that_do_not_see_the_work_folder_are_refused(tmp_path, usage):
    (tmp_path / "config.yaml").write_text(f"shared-fs-usage: {usage}\n")
    with pytest.raises(InputError, match="shared-fs-usage lacks input-output"):
        in_containers(tmp_path)


def test_a_container_calls_its_own_bbert_and_reads_only_the_work_folder(tmp_path):
    work = tmp_path / "work"
    written = WrittenPlan(work / "plans" / "x.json", work / "plans" / "x.jobs.json")
    profile = PROFILES / "kubernetes"
    with _fast_start(0, profile, True) as program:
        snakefile = work / "plans" / "Snakefile"
        command = _command(written, work, snakefile, 2, 0, profile, program, True)
    assert command[2] == "bbert.reproduce.shared_volume"
    assert command[-1] == "bbert=bbert"
    for word in command[3:-1]:
        path = word.partition("=")[2] or word
        if path.startswith("/") and path != str(profile):
            assert Path(path).is_relative_to(work), path


@pytest.mark.parametrize(("cores", "told"), [(3, ["--cores", "3"]), (None, [])])
def test_typed_cores_win_over_a_profile_of_this_machine(tmp_path, cores, told):
    written = WrittenPlan(tmp_path / "x.json", tmp_path / "x.jobs.json")
    profile = PROFILES / "workstation"
    command = _command(written, tmp_path, tmp_path / "S", cores, 0, profile, "bbert", False)
    after = command[command.index("--profile") + 2 : command.index("--config")]
    assert list(after) == told


@pytest.mark.parametrize("profile", ["slurm", "kubernetes"])
def test_cores_of_a_cluster_are_refused(tmp_path, capsys, profile):
    path = str(PROFILES / profile)
    command = ["reproduce", "k2020", "--table", "11", "--work", str(tmp_path / "w")]
    assert main([*command, "--profile", path, "--cores", "2"]) == 2
    assert f"--cores 2 is of this machine, --profile {path} of a cluster" in capsys.readouterr().err
    assert not (tmp_path / "w").exists()


def test_the_quota_of_a_container_bounds_the_processors(tmp_path, monkeypatch):
    (tmp_path / "cpu.max").write_text("100000 100000\n")
    monkeypatch.setattr(usable_processors, "CPU_MAX", tmp_path / "cpu.max")
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: range(64), raising=False)
    config = ReproduceConfig(paper="k2020", table=("11",), work=tmp_path / "w", dry_run=True)
    planned = [run(replace(config, cores=cores)) for cores in (None, 1, 64)]
    times = [one.estimates["time"] for one in planned]
    assert times[0] == times[1] != times[2]


def test_several_processes_in_containers_are_refused_before_anything_is_written(tmp_path):
    profile = PROFILES / "kubernetes"
    config = ReproduceConfig(
        paper="k2020", table=("11",), work=tmp_path / "w", profile=profile, nodes=2
    )
    with pytest.raises(InputError, match="need srun"):
        run(config)
    assert not (tmp_path / "w").exists()


def test_nodes_without_a_cluster_are_refused_before_anything_is_written(tmp_path):
    for number in ({"tasks_per_node": 2}, {"nodes": 2}):
        config = ReproduceConfig(
            paper="k2020", table=("11",), work=tmp_path / "w", profile=PROFILES / "workstation",
            **number,
        )  # fmt: skip
        with pytest.raises(InputError, match="workstation is of this machine"):
            run(config)
    assert not (tmp_path / "w").exists()


def test_a_profile_that_is_not_there_is_refused_before_anything_is_written(tmp_path):
    config = ReproduceConfig(
        paper="k2020", table=("11",), work=tmp_path / "w", profile=tmp_path / "slurm"
    )
    with pytest.raises(InputError, match="no such folder with a config"):
        run(config)
    assert not (tmp_path / "w").exists()


def test_the_executor_is_told_that_volumes_are_shared():
    settings = pytest.importorskip("snakemake_interface_executor_plugins.settings")
    declared = settings.CommonSettings(
        non_local_exec=True, implies_no_shared_fs=True, job_deploy_sources=True
    )

    def read(name: str, previous: bool) -> str:
        if previous or name == "gone":
            raise ConnectionError("not found")
        return "its log"

    class Executor:
        def __post_init__(self):
            self.kubeapi = SimpleNamespace(read_namespaced_pod_log=read)

    client = SimpleNamespace(client=SimpleNamespace(ApiException=ConnectionError))
    plugin = SimpleNamespace(common_settings=declared, Executor=Executor, kubernetes=client)
    trust_shared_volumes(plugin)
    assert plugin.common_settings == replace(
        declared, implies_no_shared_fs=False, job_deploy_sources=False,
        auto_deploy_default_storage_provider=False,
    )  # fmt: skip
    executor = plugin.Executor()
    executor.__post_init__()
    read_log = executor.kubeapi.read_namespaced_pod_log
    assert read_log(name="pod", previous=True) == "its log"
    assert read_log(name="gone", previous=True) == "no log of gone: not found"


def test_the_profile_of_kubernetes_asks_for_what_the_executor_reads():
    volumes = dict(volume.split(":") for volume in KUBERNETES["kubernetes-persistent-volumes"])
    assert set(volumes.values()) == {"/work", "/data"}
    assert all(re.fullmatch(r"[a-z0-9-]{1,63}", claim) for claim in volumes), "also a volume's name"
    name, target = KUBERNETES["container-image"].split(":")
    assert name == "bbert"
    assert f" AS {target}" in (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")
    resources = dict(line.split("=", 1) for line in KUBERNETES["default-resources"])
    assert resources["gpu_manufacturer"] == '"nvidia"'
    assert resources["scale"] == "0", "without limits a pod gets no GPU"
    assert "gpu" not in resources, "which rules take one is the Snakefile's"


def test_every_rule_that_asks_for_gpus_goes_where_they_are():
    """Slurm's profile names rules; a rule that it does not name lands in the partition `cpu`."""
    snakefile = (pipelines_folder() / "Snakefile").read_text(encoding="utf-8")
    names = re.findall(r"^ *rule (\w+):", snakefile, re.MULTILINE)
    bodies = re.split(r"^ *rule \w+:", snakefile, flags=re.MULTILINE)[1:]
    rules = dict(zip(names, bodies, strict=True))
    assert {"corpus", "pretrain", "pretrain_on_nodes", "finetune", "probe"} <= rules.keys()
    asking = {name for name, body in rules.items() if re.search(r"\*\*gpus\(|gres=", body)}
    asking.remove("corpus")  # of which a plan says 0
    profile = yaml.safe_load((PROFILES / "slurm" / "config.yaml").read_text(encoding="utf-8"))
    assert 'slurm_partition="cpu"' in profile["default-resources"]
    named = profile["set-resources"]
    assert {name for name, options in named.items() if "gpu" in options["slurm_partition"]} == (
        asking
    )
    assert named["pretrain_on_nodes"] == named["pretrain"], "time, and a signal before it is up"


def test_the_executor_of_every_profile_is_an_extra():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for path in PROFILES.glob("*/config.yaml"):
        executor = yaml.safe_load(path.read_text(encoding="utf-8")).get("executor")
        if executor:
            (requirement,) = project["optional-dependencies"][executor]
            assert requirement.startswith(f"snakemake-executor-plugin-{executor}>=")
