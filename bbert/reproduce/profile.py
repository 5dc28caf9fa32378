"""What a Snakemake profile says of the place where its commands run.

`shared-fs-usage` is Snakemake's own list of what that place shares with this machine. Where it is
given and leaves out `software-deployment`, commands run in containers: they see the work folder,
but neither this Python nor this checkout, and call the `bbert` of their image.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bbert.errors import InputError


def in_containers(profile: Path | None) -> bool:
    """Whether the commands of `profile` run with software of their own.

    Raises:
        InputError: they do, and do not share the work folder with this machine.
    """
    shared = None if profile is None else _read(profile).get("shared-fs-usage")
    if shared is None:
        return False
    shared = shared.split() if isinstance(shared, str) else list(shared)
    if "software-deployment" in shared:
        return False
    lacking = {"input-output", "persistence", "sources"} - set(shared)
    if lacking:
        raise InputError(
            f"--profile {profile}: shared-fs-usage lacks {', '.join(sorted(lacking))}; the work "
            "folder must be a volume that this machine and the containers mount at the same path"
        )
    return True


def is_cluster(profile: Path | None) -> bool:
    """Whether the commands of `profile` are jobs of a cluster, no processes of this machine."""
    return profile is not None and _read(profile).get("executor", "local") != "local"


def _read(profile: Path) -> dict[str, Any]:
    """The profile's options; Snakemake itself complains of a file that is wrong.

    Raises:
        InputError: there is no profile.
    """
    import yaml

    paths = [profile] if profile.is_file() else sorted(profile.glob("config*.yaml"))
    if not paths:
        raise InputError(
            f"--profile {profile}: no such folder with a config.yaml; bbert's own are "
            "pipelines/profiles/workstation, slurm and kubernetes"
        )
    options: dict[str, Any] = {}
    for path in paths:
        try:
            found = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError):
            continue
        options |= found if isinstance(found, dict) else {}
    return options
