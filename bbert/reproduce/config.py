"""Options of `bbert reproduce`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import tyro

from bbert.stage_config import EXECUTION, StageConfig, Switch


@dataclass(frozen=True)
class ReproduceConfig(StageConfig):
    """Run what published tables need, and put the measurements beside them.

    The same command goes on after an interruption; what another table ran already is shared.
    """

    paper: tyro.conf.Positional[str | None] = None
    """k2020, chen2022, pires2019 or muller2021; all of them without it."""
    table: tuple[str, ...] = ()
    """Numbers of the tables; all of the paper's that have a recipe without it."""
    scale: Literal["sample", "laptop", "small", "paper"] = "sample"
    """How large: the embedded sample in minutes, real text without a GPU in hours, real text and
    one GPU, or as published."""
    task: tuple[str, ...] = ()
    """Tasks of these tables to reproduce, where the data of others are not at hand; all of them
    without it."""
    rows: tuple[str, ...] = ()
    """Rows of these tables to reproduce, by what tells them apart: target=es permute=0 permute=1
    (a name that is not there is refused with those that are); all of them without it."""
    seeds: int | None = None
    """Seeds of the whole chain, pretraining and one fine-tuning each, from --seed on; as the
    scale says without it. Runs of seeds that are there are shared."""
    data: Path | None = None
    """Folder with the files that the scale needs; the sample needs none."""
    force: Switch = field(default=False, metadata=EXECUTION)
    """Make again the runs that were made from files which have changed since, and what is made from
    them; they are refused without it."""
    list: Switch = field(default=False, metadata=EXECUTION)
    """Show which tables have a recipe, what each costs and what was run here; run nothing."""
    rehearse: Switch = field(default=False, metadata=EXECUTION)
    """Run every command of the plan on its real files, but with few steps and examples and one
    seed, below WORK/rehearsal: what would fail after hours shows in minutes."""
    cores: int | None = field(default=None, metadata=EXECUTION)
    """Processors of this machine to use; without it all that this process may use, or as many as a
    --profile of this machine says."""
    profile: Path | None = field(default=None, metadata=EXECUTION)
    """Snakemake profile of a cluster (pipelines/profiles has some)."""
    nodes: int = field(default=1, metadata=EXECUTION)
    """Nodes of one pretraining on a cluster."""
    tasks_per_node: int = field(default=1, metadata=EXECUTION)
    """Processes of one pretraining on each node, one for each of its GPUs."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.table and self.paper is None:
            raise ValueError("--table needs the paper: bbert reproduce k2020 --table 2")
        for name in ("seeds", "cores", "nodes", "tasks_per_node"):
            flag, value = "--" + name.replace("_", "-"), getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{flag} {value} must be at least 1")
        for name in ("nodes", "tasks_per_node"):
            flag, value = "--" + name.replace("_", "-"), getattr(self, name)
            if value > 1 and self.profile is None:
                raise ValueError(f"{flag} {value} needs the --profile of a cluster")
