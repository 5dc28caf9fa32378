"""The probes of a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bbert.reproduce.files_of_probe import files_of_probe
from bbert.reproduce.job_languages import source_languages
from bbert.reproduce.jobs import Job, Plan, named_job
from bbert.reproduce.jobs_of_models import named_model
from bbert.reproduce.recipe import PROBES_OF_A_MODEL, TableRecipe


def probe_jobs(
    plan: Plan, recipe: TableRecipe, tuned: Mapping[int, Sequence[Job]], data: Path | None
) -> list[Job]:
    """The probes of a table: of a model once a seed, of finished runs once.

    Args:
        tuned: seed → the table's fine-tunings.
    """
    jobs: list[Job] = []
    for wanted in recipe.probes:
        kind = wanted["probe"]
        told = ("probe", "model", "beside")
        options = {key: value for key, value in wanted.items() if key not in told}
        runs = [job for runs in tuned.values() for job in runs]
        spoken = wanted.get("languages") or source_languages([job.options for job in runs])
        options |= files_of_probe(plan.scale, kind, spoken, data)
        if "model" not in wanted:
            task = options.pop("task", None)
            before = [job for job in runs if task in (None, job.options["task"])]
            if not before:  # without names it would take every run of the folder
                continue
            options["runs"] = [job.name for job in before]
            task_words = [str(task)] if kind == "gap" else []
            if kind == "gap":
                of_models = [job for job in jobs if job.probe in PROBES_OF_A_MODEL]
                options["similarity"] = [job.name for job in of_models]
                before += of_models
            jobs.append(
                plan.add(named_job("probe", [kind, recipe.key, *task_words], options, before, kind))
            )
            continue
        if kind in PROBES_OF_A_MODEL:
            options = {**plan.scale.probe, **options}
        for seed, of_seed in tuned.items():
            model = named_model(plan, wanted["model"], seed, data)
            before = [model]
            given = {**options, "model": model.name, "seed": seed}
            if wanted.get("beside") == "transfer":
                first = next(iter(wanted.get("languages", ())), None)
                own = [job for job in of_seed if first in (None, job.options["train_lang"])]
                given["beside"] = [job.name for job in own]
                before += own
            elif kind == "portrait":
                before += [*of_seed, *jobs]
            jobs.append(
                plan.add(named_job("probe", [kind, recipe.key, f"seed{seed}"], given, before, kind))
            )
    return jobs
