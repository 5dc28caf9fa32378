"""Snakemake whose Kubernetes executor knows that its pods mount this machine's work folder.

    python -m bbert.reproduce.shared_volume [options of snakemake]

The executor (snakemake-executor-plugin-kubernetes 0.5) declares that nothing is ever shared.
Snakemake then sets the profile's `shared-fs-usage` aside and refuses to start without a storage
provider, which would copy every file, install itself with pip in every pod and want rsync there,
all for files that the volume shows anyway. Here the declaration is another, and `shared-fs-usage`
holds.

The executor also asks for the log of a failed pod's previous container. There is none where a pod
is never restarted; the server refuses, and the refusal would end the whole workflow.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from typing import Any

_PLUGIN = "snakemake_executor_plugin_kubernetes"


def trust_shared_volumes(plugin: Any) -> None:
    """Change what the executor's module `plugin` declares, and how it reads logs."""
    plugin.common_settings = replace(
        plugin.common_settings,
        implies_no_shared_fs=False,
        job_deploy_sources=False,
        auto_deploy_default_storage_provider=False,
    )

    class SharedVolumeExecutor(plugin.Executor):
        def __post_init__(self) -> None:
            super().__post_init__()
            self.kubeapi.read_namespaced_pod_log = _patient(
                self.kubeapi.read_namespaced_pod_log, plugin.kubernetes.client.ApiException
            )

    plugin.Executor = SharedVolumeExecutor


def _patient(read_log: Callable[..., str], refusal: type[Exception]) -> Callable[..., str]:
    """`read_log` of the container that there is; where that is refused too, the reason."""

    def read(**options: Any) -> str:
        try:
            return read_log(**{**options, "previous": False})
        except refusal as error:
            return f"no log of {options.get('name')}: {error}"

    return read


def main() -> None:
    """Run Snakemake; without the executor it says itself that there is none."""
    if importlib.util.find_spec(_PLUGIN):
        trust_shared_volumes(importlib.import_module(_PLUGIN))
    from snakemake.cli import main as snakemake

    snakemake()


if __name__ == "__main__":
    main()
