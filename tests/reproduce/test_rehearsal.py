"""A rehearsal: the same commands as the real plan, in few steps, apart from the real runs."""

from __future__ import annotations

import json

import pytest

from bbert.pretrain.config import PretrainConfig
from bbert.pretrain.resolve import Machine, resolve
from bbert.reproduce.config import ReproduceConfig
from bbert.reproduce.jobs import Plan
from bbert.reproduce.plan import make_plan
from bbert.reproduce.recipe import load_recipes
from bbert.reproduce.rehearsal import FOLDER as REHEARSAL_FOLDER
from bbert.reproduce.rehearsal import rehearsed
from bbert.reproduce.run import run
from bbert.reproduce.scale import Scale, load_scale
from bbert.reproduce.shipped import pipelines_folder

FOLDER = pipelines_folder()
SCALES = [load_scale(FOLDER / "scales", name) for name in ("sample", "laptop", "small", "paper")]
KNOBS = ("depth", "heads", "hidden", "intermediate", "nsp", "lang_id", "precision")


def plan_of(scale: Scale, data) -> Plan:
    recipes = load_recipes(FOLDER / "recipes", scale)
    return make_plan((t for tables in recipes.values() for t in tables.values()), scale, data)


def architectures(plan: Plan) -> set[tuple]:
    """What is pretrained, by what stays as it is."""
    configs = [resolve(PretrainConfig(**job.options), "corpus", {}, Machine())
               for job in plan.jobs.values() if job.stage == "pretrain"]  # fmt: skip
    return {tuple(getattr(config, knob) for knob in KNOBS) for config in configs}


@pytest.mark.parametrize("scale", SCALES, ids=lambda scale: scale.name)
def test_every_command_of_one_seed_is_there_in_few_steps(scale, tmp_path):
    data = tmp_path if scale.data else None
    real, few = plan_of(scale.with_seeds(scale.seeds[0], 1), data), plan_of(rehearsed(scale), data)
    assert architectures(real) == architectures(few)
    for job in few.jobs.values():
        if job.stage == "pretrain":
            assert (job.options["steps"], job.options["batch_size"]) == (4, 8)
        if job.stage == "finetune":
            assert (job.options["epochs"], job.options["max_train_examples"]) == (1, 64)
    for before, after in zip(real.tables, few.tables, strict=True):
        assert len(before["cells"]) == len(after["cells"])
        assert before["claims"] == after["claims"]
        assert "whose scores mean nothing" in after["scale_says"]


def test_a_rehearsal_is_never_taken_for_a_result():
    """Its runs have other names, and lie in a folder of their own."""
    scale = SCALES[0]
    real, few = plan_of(scale, None), plan_of(rehearsed(scale), None)
    shared = real.jobs.keys() & few.jobs.keys()
    assert {real.jobs[key].stage for key in shared} == {"corpus"}


@pytest.mark.realdata
@pytest.mark.slow
def test_tables_of_the_small_scale_on_real_text(real_data, tmp_path):
    """A table and two figures: text, inference, entities and probes as they lie in real files."""
    for paper, table in (("k2020", "3"), ("muller2021", "figure-4"), ("pires2019", "figure-3")):
        done = run(
            ReproduceConfig(
                paper=paper, table=(table,), scale="small", data=real_data, work=tmp_path,
                rehearse=True,
            )
        )  # fmt: skip
        assert done.exit_code == 0, done.failed
        report = json.loads((done.report.path / "report.json").read_text())
        assert done.report.path.is_relative_to(tmp_path / REHEARSAL_FOLDER)
        assert report["title"].endswith("-small-rehearsal")
