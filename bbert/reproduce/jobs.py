"""The bbert commands of a plan, and how their runs are named.

Every run is named by its languages and a hash of its options and of what it is made from, so that
two tables that need the same run share it, and a changed option makes another run, which takes what
depends on it along.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from bbert.reproduce.scale import Scale

_COMMANDS = {"corpus": "corpus build", "pretrain": "pretrain", "finetune": "finetune"}
"""Stage → its command; a probe's is in its options."""
_LONGEST_LABEL = 100


@dataclass(frozen=True)
class Job:
    """One bbert command: its stage, the name of its run, its options, and the jobs before it."""

    stage: str
    name: str
    options: Mapping[str, Any]
    needs: tuple[str, ...] = ()
    probe: str = ""

    @property
    def command(self) -> str:
        return _COMMANDS.get(self.stage) or f"probe {self.probe}"

    @property
    def key(self) -> str:
        return f"{self.stage}/{self.name}"


@dataclass
class Plan:
    """All jobs by key, in an order in which they can run, and the tables that they fill."""

    scale: Scale
    jobs: dict[str, Job] = field(default_factory=dict)
    tables: list[dict[str, Any]] = field(default_factory=list)

    def add(self, job: Job) -> Job:
        return self.jobs.setdefault(job.key, job)


def options_that_change(
    chosen: Mapping[str, Any], of_scale: Mapping[str, Any], command: type
) -> dict[str, Any]:
    """The options that change something: neither what the scale says nor what is so anyway.

    Rows that name the usual value ("without language ids") share the runs of those that do not.
    """
    usual = {field.name: field.default for field in fields(command)} | dict(of_scale)
    return {k: v for k, v in chosen.items() if k not in usual or usual[k] != v}


def named_job(
    stage: str,
    words: Sequence[str],
    options: Mapping[str, Any],
    before: Sequence[Job],
    probe: str = "",
) -> Job:
    """A job whose name ends in a hash of its options; those name what it is made from."""
    canonical = json.dumps(options, sort_keys=True, ensure_ascii=False)
    digest = hashlib.sha256(f"{stage} {canonical}".encode()).hexdigest()[:8]
    name = f"{'-'.join(words)[:_LONGEST_LABEL]}-{digest}"
    needs = tuple(job.key for job in before if job.stage)
    return Job(stage, name, dict(options), needs, probe)


def label(job: Job) -> str:
    """A run's name without its hash; of a model made elsewhere, the last part of its name."""
    return job.name.rsplit("-", 1)[0] if job.stage else job.name.rsplit("/", 1)[-1]


def words_of(options: Mapping[str, Any]) -> Iterator[str]:
    """Options as words of a run's name."""
    for key, value in options.items():
        items = value if isinstance(value, (list, tuple)) else [value]
        if isinstance(value, bool):
            yield key.replace("_", "-") if value else f"no-{key.replace('_', '-')}"
        elif key == "preset":
            yield str(value)
        else:
            yield f"{key.replace('_', '-')}-{'+'.join(map(str, items))}".replace("/", "_")
