"""`bbert finetune`: encoder → scores per language.

    transfer/<name>/results.json      every value per seed and language
    transfer/<name>/predictions/      of the first seed; of the others in seed-<n>/; gold/ beside
    transfer/<name>/model/            of the first seed that did not fail; not of a model whose own
                                      code runs (`--trust-remote-code`)
    transfer/<name>/metrics.jsonl     loss and learning rate per seed and epoch

A killed run goes on with the first seed that was not finished. A seed that fails (its loss
explodes, say) is named in results.json and loses nothing of the others. An option with several
values makes one run per value, see `grid.py`.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bbert.cards.card import write_transfer_card
from bbert.finetune.averages import averages, groups_of
from bbert.finetune.config import FinetuneConfig, resolved
from bbert.finetune.grid import Grid, cells_of
from bbert.finetune.model_folder import find_model
from bbert.finetune.plan import NVIDIA_DRIVER, Plan, make_plan
from bbert.finetune.recipes import overruled
from bbert.finetune.truncation_notes import truncation_notes
from bbert.json_files import read_json, write_json_atomically
from bbert.processor_precision import warn_of_slow_bf16
from bbert.run_directory import Run, RunDirectory, open_run
from bbert.stage_config import DryRun

if TYPE_CHECKING:
    from bbert.finetune.examples import RunData

logger = logging.getLogger(__name__)

LastData = dict[str, Any]
"""Filled by `load_data_once`: what the run before was trained and tested on."""


def run(config: FinetuneConfig) -> RunDirectory | DryRun | Grid:
    """Fine-tune, test and write the run directory, or say what that would cost."""
    model = find_model(config.work, config.model, config.allow_pickle, config.trust_remote_code)
    cells = cells_of(config, model.depth)
    if len(cells) == 1:
        return run_cell(make_plan(cells[0][1], model))
    plans = [(place, make_plan(cell, model)) for place, cell in cells]  # before the first one runs
    if config.dry_run:
        return _dry_run_of_grid(config, plans)
    runs: list[tuple[Mapping[str, Any], RunDirectory]] = []
    failures: dict[str, str] = {}
    last_data: LastData = {}
    for place, plan in plans:
        try:
            directory = run_cell(plan, last_data)
            assert isinstance(directory, RunDirectory)
            runs.append((place, directory))
        except Exception as error:
            if config.debug:
                raise
            failures[plan.name] = " ".join(str(error).split()) or type(error).__name__
            logger.error("%s failed: %s; going on", plan.name, failures[plan.name])
    return Grid(runs, failures)


def _dry_run_of_grid(
    typed: FinetuneConfig, plans: Sequence[tuple[Mapping[str, Any], Plan]]
) -> DryRun:
    """What all cells cost; the configuration is what they share, with the axes as typed."""
    from bbert.finetune.estimate import grid_estimates

    place, first = plans[0]
    as_typed = {option: getattr(typed, option) for option in (*place, "name")}
    drawn = next((plan.config.init for _, plan in plans if plan.config.init), None)
    shared = replace(first.config, **as_typed, init=drawn)  # a cell may draw nothing afresh
    return DryRun(shared, typed.work / "transfer", grid_estimates([plan for _, plan in plans]))


def run_cell(plan: Plan, last_data: LastData | None = None) -> RunDirectory | DryRun:
    """One run directory; `last_data` keeps the encoded examples for a next run on the same ones."""
    config = plan.config
    _announce(plan)
    if config.dry_run:
        from bbert.finetune.estimate import estimates

        folder = config.work / "transfer" / plan.name
        return DryRun(plan.config, folder, estimates(plan))
    with open_run("finetune", plan.name, plan.config, plan.inputs) as run:
        if run.up_to_date:
            _average_again(plan, run.directory)
        else:
            _finetune(plan, run, {} if last_data is None else last_data)
            run.finish()
    return run.directory


def _average_again(plan: Plan, directory: RunDirectory) -> None:
    """Bring the averages of a finished run to what is asked for now; the scores are there."""
    file = directory.path / "results.json"
    content = read_json(file)
    groups = groups_of(plan.config.average, content["languages"])
    # From the plan, which is that of the run: results of an older version may not say them.
    found = averages(content["languages"], plan.training_languages, groups)
    if groups and found != content.get("averages"):
        write_json_atomically(file, content | {"averages": found})
        logger.info("%s: averages of %s", directory.name, ", ".join(groups))


def _announce(plan: Plan) -> None:
    config = plan.config
    fusion = resolved(config.fusion)
    if config.fusion_layer:
        fusion += f" of layer {config.fusion_layer}"
    if config.fusion_gate:
        fusion += f" (gate {config.fusion_gate}, pool {config.fusion_pool})"
    logger.info(
        "fine-tuning %s on %s %s, testing on %s; fusion %s, head %s",
        plan.model.name, plan.learned_from, plan.task.name,
        " ".join(plan.evaluation), fusion, config.head,
    )  # fmt: skip
    if lost := overruled(config.recipe, config.task, vars(config)):
        given = ", ".join(f"{name} {getattr(config, name)}" for name in lost)
        own = ", ".join(f"{name} {value}" for name, value in lost.items())
        logger.warning("--recipe %s: %s win over the recipe's %s", config.recipe, given, own)
    if plan.model.runs_own_code:
        logger.warning(
            "%s runs Python code of its own: scores and predictions are kept, but no weights, for "
            "no class of transformers or bbert could load them again", plan.model.name,
        )  # fmt: skip
    if config.precision == "bf16" and not NVIDIA_DRIVER.exists():
        warn_of_slow_bf16()
    on_dev = [name for name, files in plan.evaluation.items() if files.split == "dev"]
    if on_dev:
        logger.info("no test file for %s: testing on dev", " ".join(on_dev))


def _finetune(plan: Plan, run: Run, last_data: LastData) -> None:
    from bbert.finetune.contamination import contamination_once, report
    from bbert.finetune.examples import load_data_once
    from bbert.finetune.results import predictions_folder, results
    from bbert.finetune.seed_run import run_seed, write_gold

    first = plan.config.seed
    data = load_data_once(plan, last_data)
    _warn_of_cuts(plan, data)
    with run.step("contamination") as checked:
        if not checked.done:
            checked.counts.update(contamination_once(plan, data, last_data))
            report(checked.counts)
    outcomes: dict[int, dict[str, Any]] = {}
    failures: dict[str, str] = {}
    for seed in range(first, first + resolved(plan.config.seeds)):
        try:
            with run.step(f"seed-{seed}") as step:
                if not step.done:
                    folder = run.path / predictions_folder(seed, first)
                    network, outcome = run_seed(plan, data, seed, folder)
                    if not outcomes and not plan.model.runs_own_code:
                        _save(plan, run, network, data.labels, seed)
                    step.counts.update(outcome)
                outcomes[seed] = step.counts
        except FloatingPointError as error:
            if plan.config.seeds == 1:
                raise
            failures[f"seed {seed}"] = str(error)
            logger.error("%s; the other seeds go on", error)
    if not outcomes:
        raise FloatingPointError(next(iter(failures.values())))
    notes = next(iter(outcomes.values()))["notes"]
    for seed, outcome in outcomes.items():
        failures |= {f"seed {seed}, {name}": why for name, why in outcome["failures"].items()}
    write_gold(plan, data, run.path / "predictions" / "gold")
    with (run.path / "metrics.jsonl").open("w", encoding="utf-8") as stream:
        for outcome in outcomes.values():
            stream.writelines(json.dumps(row) + "\n" for row in outcome["epochs"])
    scores = {seed: outcome["scores"] for seed, outcome in outcomes.items()}
    content = results(plan, data, scores, notes, failures)
    content["contamination"] = checked.counts
    if plan.model.runs_own_code:
        content["network"]["weights"] = "not saved: the model runs code of its own"
    write_json_atomically(run.path / "results.json", content)
    run.extra = {
        "model": str(plan.model.path),
        "sample": str(plan.model.sample) if plan.model.sample else None,
        "task": plan.task.name,
    }
    run.counts = {
        "train_examples": len(data.train.examples),
        "parameters": notes["parameters"],
        **{f"eval_examples/{name}": entry["n"] for name, entry in content["languages"].items()},
    }
    run.metrics = {
        f"{plan.task.metric}/{name}": entry["mean"] for name, entry in content["languages"].items()
    }
    if not plan.model.runs_own_code:
        write_transfer_card(run, run.path / "model", content)


def _warn_of_cuts(plan: Plan, data: RunData) -> None:
    """Before the training: what counts as wrong whatever is learned."""
    from bbert.finetune.results import counts_of

    too_long = resolved(plan.config.too_long)
    counts = {name: counts_of(examples) for name, examples in data.evaluation.items()}
    for sentence in truncation_notes(too_long, counts) if too_long == "wrong" else ():
        logger.warning("%s; a longer --max-length or another --too-long scores them", sentence)


def _save(plan: Plan, run: Run, network: Any, labels: tuple[str, ...], seed: int) -> None:
    from bbert.finetune.encoder import PieceIds
    from bbert.finetune.export import export
    from bbert.finetune.seed_run import network_settings

    directory = run.path / "model"
    shutil.rmtree(directory, ignore_errors=True)  # of a process that was killed while it saved
    notes = {
        "task": plan.task.name,
        "train_language": plan.learned_from,
        "model": plan.model.name,
        "seed": seed,
        "max_length": plan.config.max_length,
    }
    settings = network_settings(plan.config, len(labels))
    tokenizer = PieceIds(plan.model).tokenizer
    export(network, settings, labels, tokenizer, directory, notes)
