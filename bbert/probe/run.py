"""`bbert probe …`: a model, finished runs or texts → measurements.

probes/<name>/results.json   every value with n, seed, interval, floor and variant
probes/<name>/*.csv          the same as tidy tables
"""

from __future__ import annotations

from typing import Any

from bbert.probe.config import CodeSwitchConfig, ModelProbeConfig
from bbert.probe.runs_config import (
    GapConfig,
    OverlapConfig,
    PortraitConfig,
    RunsProbeConfig,
    TypologyConfig,
)
from bbert.renewal import renewing
from bbert.run_directory import STAGE_FOLDERS, RunDirectory, open_run
from bbert.stage_config import DryRun, StageConfig


def run(config: StageConfig) -> RunDirectory | DryRun:
    """Measure and write the run directory, or say what that would cost."""
    plan, measure, estimates = _planned(config)
    if config.dry_run:
        folder = config.work / STAGE_FOLDERS["probe"] / plan.name
        return DryRun(plan.config, folder, estimates)
    typed = plan.config
    if isinstance(typed, (RunsProbeConfig, PortraitConfig)):
        typed = renewing(typed, config.work / STAGE_FOLDERS["probe"] / plan.name, plan.inputs)
    with open_run("probe", plan.name, typed, plan.inputs) as opened:
        if not opened.up_to_date:
            measure(plan, opened)
            opened.finish()
    return opened.directory


def _planned(config: StageConfig) -> tuple[Any, Any, dict[str, str]]:
    """The plan of a probe, what carries it out, and what it is expected to cost."""
    if isinstance(config, ModelProbeConfig):
        from bbert.probe.estimate import estimates
        from bbert.probe.layer_plan import make_plan
        from bbert.probe.layer_run import measure_all

        plan = make_plan(config)
        return plan, measure_all, estimates(plan)
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
    return module.make_plan(config), module.measure, cost
