"""`bbert finetune`: encoder → scores per language.

    transfer/<name>/results.json      every value per seed and language
    transfer/<name>/predictions/      of the first seed; of the others in seed-<n>/; gold/ beside
    transfer/<name>/model/            of the first seed
    transfer/<name>/metrics.jsonl     loss and learning rate per seed and epoch

A killed run goes on with the first seed that was not finished.
"""

from __future__ import annotations

import json
import logging
import shutil
from typing import Any

from bbert.finetune.config import FinetuneConfig, resolved
from bbert.finetune.plan import Plan, make_plan
from bbert.run_directory import Run, RunDirectory, open_run, write_json_atomically
from bbert.stage_config import DryRun

logger = logging.getLogger(__name__)


def run(config: FinetuneConfig) -> RunDirectory | DryRun:
    """Fine-tune, test and write the run directory, or say what that would cost."""
    plan = make_plan(config)
    _announce(plan)
    if config.dry_run:
        from bbert.finetune.estimate import estimates

        folder = config.work / "transfer" / plan.name
        return DryRun(plan.config, folder, estimates(plan))
    with open_run("finetune", plan.name, plan.config, plan.inputs) as run:
        if not run.up_to_date:
            _finetune(plan, run)
            run.finish()
    return run.directory


def _announce(plan: Plan) -> None:
    config = plan.config
    fusion = config.fusion
    if config.fusion_layer:
        fusion += f" of layer {config.fusion_layer}"
        fusion += f" (gate {config.fusion_gate}, pool {config.fusion_pool})"
    logger.info(
        "fine-tuning %s on %s %s, testing on %s; fusion %s, head %s",
        plan.model.name, plan.train_language.name, plan.task.name,
        " ".join(plan.evaluation), fusion, config.head,
    )  # fmt: skip
    on_dev = [name for name, files in plan.evaluation.items() if files.split == "dev"]
    if on_dev:
        logger.info("no test file for %s: testing on dev", " ".join(on_dev))


def _finetune(plan: Plan, run: Run) -> None:
    from bbert.finetune.examples import load_data
    from bbert.finetune.results import predictions_folder, results
    from bbert.finetune.seed_run import run_seed, write_gold

    first = plan.config.seed
    data = load_data(plan)
    outcomes: dict[int, dict[str, Any]] = {}
    for seed in range(first, first + resolved(plan.config.seeds)):
        with run.step(f"seed-{seed}") as step:
            if not step.done:
                folder = run.path / predictions_folder(seed, first)
                network, outcome = run_seed(plan, data, seed, folder)
                if seed == first:
                    _save(plan, run, network, data.labels)
                step.counts.update(outcome)
            outcomes[seed] = step.counts
    write_gold(plan, data, run.path / "predictions" / "gold")
    with (run.path / "metrics.jsonl").open("w", encoding="utf-8") as stream:
        for outcome in outcomes.values():
            stream.writelines(json.dumps(row) + "\n" for row in outcome["epochs"])
    scores = {seed: outcome["scores"] for seed, outcome in outcomes.items()}
    content = results(plan, data, scores, outcomes[first]["notes"])
    write_json_atomically(run.path / "results.json", content)
    run.extra = {
        "model": str(plan.model.path),
        "sample": str(plan.model.sample) if plan.model.sample else None,
        "task": plan.task.name,
    }
    run.counts = {
        "train_examples": len(data.train.examples),
        "parameters": outcomes[first]["notes"]["parameters"],
        **{f"eval_examples/{name}": entry["n"] for name, entry in content["languages"].items()},
    }
    run.metrics = {
        f"{plan.task.metric}/{name}": entry["mean"] for name, entry in content["languages"].items()
    }


def _save(plan: Plan, run: Run, network: Any, labels: tuple[str, ...]) -> None:
    from bbert.finetune.encoder import PieceIds
    from bbert.finetune.export import export
    from bbert.finetune.seed_run import network_settings

    directory = run.path / "model"
    shutil.rmtree(directory, ignore_errors=True)  # of a process that was killed while it saved
    notes = {
        "task": plan.task.name,
        "train_language": plan.train_language.name,
        "model": plan.model.name,
        "seed": plan.config.seed,
        "max_length": plan.config.max_length,
    }
    settings = network_settings(plan.config, len(labels))
    tokenizer = PieceIds(plan.model).tokenizer
    export(network, settings, labels, tokenizer, directory, notes)
