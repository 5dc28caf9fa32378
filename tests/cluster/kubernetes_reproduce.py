"""`bbert reproduce` with Snakemake's Kubernetes executor and a stand-in for the cluster.

    python tests/cluster/kubernetes_reproduce.py

Needs snakemake-executor-plugin-kubernetes beside Snakemake. The executor and the Snakemake inside
of every pod are real; the API server (kubernetes_server.py) runs a pod's command on this machine,
and the `bbert` of the image is a script that notes how it is called. Nothing is trained. Not a part
of `make test`.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml
from kubernetes_server import Cluster, serve
from tiny_reproduce import write_pipelines

import bbert.reproduce.run as reproduce
from bbert.reproduce.config import ReproduceConfig
from bbert.run_directory import STAGE_FOLDERS

PROFILE = Path(__file__).resolve().parents[2] / "pipelines" / "profiles" / "kubernetes"
RIGHTS = {
    "create jobs", "delete jobs", "get jobs/status", "list pods", "delete pods", "get pods/log",
    "create secrets", "delete secrets",
}  # fmt: skip
"""What docs/how-to/reproduce.md lets the executor do."""
IMAGE_BBERT = """#!/bin/sh
# The image's bbert: notes its words, fails once in every fine-tuning, hangs where it is told to.
echo "OMP_NUM_THREADS=$OMP_NUM_THREADS $*" >>'{folder}/calls'
if [ -e '{folder}/hang' ]; then sleep 600; fi
while [ $# -gt 0 ]; do if [ "$1" = --config ]; then config=$2; fi; shift; done
stage=$(basename "$(dirname "$config")")
name=$(basename "$config" .yaml)
case $stage in {folders} esac
if [ "$stage" = finetune ] && ! [ -e "{folder}/failed-$name" ]; then
    touch "{folder}/failed-$name"
    exit 3
fi
mkdir -p "{work}/$into/$name"
echo '{{}}' >"{work}/$into/$name/manifest.json"
"""


def write_program(path: Path, text: str) -> None:
    """An executable script."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def prepare(folder: Path) -> None:
    """Pipelines of one cell on GPUs, the profile with this folder as its volume, and the image."""
    write_pipelines(folder / "pipelines")
    scale = folder / "pipelines" / "scales" / "sample.yaml"
    scale.write_text(yaml.safe_dump(yaml.safe_load(scale.read_text()) | {"gpu": True}))
    shutil.copytree(PROFILE, folder / "profile")
    profile = folder / "profile" / "config.yaml"
    text = profile.read_text().replace("bbert-work:/work", f"bbert-work:{folder}/work")
    text = text.replace("seconds-between-status-checks: 20", "seconds-between-status-checks: 1")
    profile.write_text(text)
    folders = " ".join(f"{stage}) into={into};;" for stage, into in STAGE_FOLDERS.items())
    program = IMAGE_BBERT.format(folder=folder, folders=folders, work=folder / "work")
    write_program(folder / "bin" / "bbert", program)
    write_program(folder / "bin" / "python", f'#!/bin/sh\nexec {sys.executable} "$@"\n')


def check_manifest(manifest: dict[str, Any], work: Path) -> str:
    """What a pod asks for, against the profile; returns its stage."""
    pod = manifest["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    (command,) = container["args"][1:]
    words = shlex.split(command)
    stage = words[words.index("--allowed-rules") + 1]
    assert container["image"] == "bbert:cuda"
    assert words[:3] == ["python", "-m", "snakemake"], words[:3]
    claims = {
        volume["name"]: volume["persistentVolumeClaim"]["claimName"]
        for volume in pod["volumes"]
        if "persistentVolumeClaim" in volume
    }
    assert claims == {"bbert-work": "bbert-work", "bbert-data": "bbert-data"}
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounts == {"workdir": "/workdir", "bbert-work": str(work), "bbert-data": "/data"}
    outside = [word for word in words if word.startswith("/") and Path(word) != work
               and work not in Path(word).parents]  # fmt: skip
    assert not outside, f"a pod does not see {outside}"
    assert str(sys.executable) not in command
    requests, limits = container["resources"]["requests"], container["resources"]["limits"]
    if stage == "corpus":
        assert not [name for name in {**requests, **limits} if "gpu" in name]
        assert "tolerations" not in pod
    else:
        assert requests["nvidia.com/gpu"] == limits["nvidia.com/gpu"] == "1"
        assert pod["tolerations"][0]["key"] == "nvidia.com/gpu"
    cores = {"corpus": 8, "pretrain": 8, "finetune": 4, "probe": 4}[stage]
    assert limits["cpu"] == f"{cores}000m"
    assert limits["memory"] == "32000M"
    return stage


def run_the_plan(folder: Path, cluster: Cluster) -> None:
    """All commands as jobs; those that fail once are tried again and the rest goes on."""
    work = folder / "work"
    reproduce.pipelines_folder = lambda: folder / "pipelines"
    reproduce._report = lambda config, name, plan, failed: plan  # the runs are empty
    done = reproduce.run(ReproduceConfig(paper="k2020", work=work, profile=folder / "profile"))
    assert isinstance(done, reproduce.Reproduced)
    assert done.exit_code == 0, (done.failed, done.num_waiting)
    stages = [check_manifest(manifest, work) for manifest in cluster.manifests.values()]
    calls = (folder / "calls").read_text().splitlines()
    assert len(calls) == len(stages)
    threads = min(8, len(os.sched_getaffinity(0)))  # as many as the node has
    assert calls[0].startswith(f"OMP_NUM_THREADS={threads} corpus build --work"), calls[0]
    failures = list(folder.glob("failed-*"))
    assert len(failures) == stages.count("finetune") / 2 > 0, "every one was tried twice"
    kept = list((work / ".snakemake" / "auxiliary" / "kubernetes-logs").glob("*.log"))
    assert len(kept) == len(failures)
    assert all("exited with non-zero" in path.read_text() or "exit code" in path.read_text()
               for path in kept)  # fmt: skip
    assert sorted(cluster.deleted) == sorted(cluster.jobs)
    assert not cluster.secrets
    print(f"{len(stages)} jobs: {', '.join(sorted(set(stages)))}; {len(failures)} tried again")


def stop_in_the_middle(folder: Path, cluster: Cluster) -> None:
    """SIGTERM to bbert deletes the pods that run."""
    (folder / "hang").touch()
    (folder / "calls").unlink()
    script = Path(__file__).with_name("tiny_reproduce.py")
    options = ["--work", str(folder / "work"), "--profile", str(folder / "profile")]
    shutil.rmtree(folder / "work")
    process = subprocess.Popen([sys.executable, str(script), str(folder), *options])
    deadline = time.monotonic() + 300
    while not (folder / "calls").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.2)
    running = cluster.running()
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=120) == 1
    assert not cluster.running()
    assert set(running) <= set(cluster.deleted)
    assert not cluster.secrets
    print(f"stopped: {len(running)} pod deleted after {time.monotonic() - began:.0f} s")


def main() -> None:
    """Run a plan to its end, then stop one."""
    with tempfile.TemporaryDirectory(prefix="bbert-kubernetes.") as name:
        folder = Path(name).resolve()
        prepare(folder)
        tempfile.tempdir = name
        cluster = Cluster(f"{folder}/bin:/usr/bin:/bin")
        server = serve(cluster, folder / "kubeconfig")
        os.environ |= {"KUBECONFIG": str(folder / "kubeconfig"), "NO_PROXY": "127.0.0.1"}
        try:
            run_the_plan(folder, cluster)
            stop_in_the_middle(folder, cluster)
        except BaseException:
            for log in sorted((folder / "work" / "logs").rglob("*.log")):
                print(f"== {log}\n{log.read_text()[-4000:]}", file=sys.stderr)
            raise
        finally:
            server.shutdown()
            for job in cluster.running():
                cluster.delete(job)
        assert cluster.asked == RIGHTS, cluster.asked ^ RIGHTS
        print("rights used: " + ", ".join(sorted(cluster.asked)))


if __name__ == "__main__":
    main()
