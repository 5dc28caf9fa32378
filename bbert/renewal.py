"""Runs that only put finished runs together are written anew when those have changed.

They hold no work that could be lost, and a run that was added would otherwise make the same command
a refused one.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from bbert.provenance import fingerprint
from bbert.run_directory import RunDirectory, read_json
from bbert.stage_config import StageConfig, identity

logger = logging.getLogger(__name__)

Config = TypeVar("Config", bound=StageConfig)


def renewing(config: Config, final: Path, inputs: list[Path]) -> Config:
    """The configuration with `force` where the same run exists and only its inputs changed."""
    if config.force or not RunDirectory.is_run(final):
        return config
    before = read_json(final / "manifest.json")
    if before.get("config") != identity(config):
        return config  # refused by the stage contract, naming the options
    old = {entry["path"]: entry["sha256"] for entry in before.get("inputs", ())}
    new = {e["path"]: e["sha256"] for e in fingerprint(inputs, known=before.get("inputs", ()))}
    if old == new:
        return config
    logger.info("%s: its runs changed; writing it anew", final)
    return replace(config, force=True)
