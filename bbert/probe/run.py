"""`bbert probe …`: a model, finished runs or texts → measurements.

probes/<name>/results.json   every value with n, seed, interval, floor and variant
probes/<name>/*.csv          the same as tidy tables
"""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from bbert.json_files import read_json
from bbert.probe.config import CodeSwitchConfig, ModelProbeConfig
from bbert.probe.runs_config import (
    GapConfig,
    OverlapConfig,
    PortraitConfig,
    RunsProbeConfig,
    TypologyConfig,
)
from bbert.run_directory import STAGE_FOLDERS, RunDirectory, open_run
from bbert.stage_config import DryRun, StageConfig

logger = logging.getLogger(__name__)


def run(config: StageConfig) -> RunDirectory | DryRun:
    """Measure and write the run directory, or say what that would cost."""
    plan, measure, estimates, version = _planned(config)
    if config.dry_run:
        folder = config.work / STAGE_FOLDERS["probe"] / plan.name
        return DryRun(plan.config, folder, estimates)
    typed = plan.config
    of_runs = isinstance(typed, (RunsProbeConfig, PortraitConfig))
    if of_runs:
        folder = config.work / STAGE_FOLDERS["probe"] / plan.name
        # They only put finished runs together, by name: nothing is lost where those have changed.
        typed = _of_this_version(replace(typed, renew=True), folder, version)
    with open_run("probe", plan.name, typed, plan.inputs, paths_count=of_runs) as opened:
        if not opened.up_to_date:
            measure(plan, opened)
            opened.finish()
    return opened.directory


def _of_this_version(config: StageConfig, final: Path, version: int) -> StageConfig:
    """The configuration with `force` where the same run exists as an older version computed it:
    finished runs are read again in a moment."""
    if config.force or not RunDirectory.is_run(final):
        return config
    there = read_json(final / "results.json").get("version", 1)
    if not RunDirectory(final).is_of(config) or there >= version:
        return config
    logger.info("%s: as an older version computed it; writing it anew", final)
    return replace(config, force=True)


def _planned(config: StageConfig) -> tuple[Any, Any, dict[str, str], int]:
    """The plan of a probe, what carries it out, what it is expected to cost, and the version of its
    results."""
    if isinstance(config, ModelProbeConfig):
        from bbert.probe.estimate import estimates
        from bbert.probe.layer_plan import make_plan
        from bbert.probe.layer_run import measure_all

        plan = make_plan(config)
        return plan, measure_all, estimates(plan), 1
    cost = {"time": "seconds", "memory": "below 1 GB", "disk": "below 1 MB"}
    if isinstance(config, OverlapConfig):
        from bbert.probe import overlap as probe
    elif isinstance(config, TypologyConfig):
        from bbert.probe import typology as probe
    elif isinstance(config, GapConfig):
        from bbert.probe import gap as probe
    elif isinstance(config, PortraitConfig):
        from bbert.probe import portrait as probe
    else:
        assert isinstance(config, CodeSwitchConfig)
        from bbert.probe import code_switch as probe
    module: Any = probe
    version = getattr(module, "RESULTS_VERSION", 1)
    return module.make_plan(config), module.measure, cost, version
