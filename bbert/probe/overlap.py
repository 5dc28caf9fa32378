"""Does transfer live on shared word-pieces? Overlap of entities against F1, or of any texts.

For transfer runs of named entities: E_train and E_eval are the word-pieces in the entities that the
run was trained and is tested on, cut by its own tokenizer, and overlap is |E_train ∩ E_eval| over
|E_train ∪ E_eval| (Pires et al. 2019, figure 1). A row is a run and a test set. What
is correlated are pairs of languages in zero-shot transfer, each the mean over its seeds and test
sets: repetitions are no further languages. Without runs, every two texts are compared.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations, islice
from pathlib import Path
from statistics import fmean
from typing import Any

from bbert.errors import InputError
from bbert.finetune.config import FinetuneConfig
from bbert.finetune.model_folder import ModelFolder, find_model
from bbert.json_files import write_json_atomically
from bbert.languages import Language
from bbert.probe.correlation import spearman
from bbert.probe.finished import Finished, FinishedRun, setting_of, transfer_runs
from bbert.probe.parallel import text_lines
from bbert.probe.results import write_rows
from bbert.probe.runs_config import OverlapConfig
from bbert.run_directory import Run
from bbert.stage_config import joined_name, knobs_that_differ, load_yaml

logger = logging.getLogger(__name__)

RESULTS_VERSION = 2
"""Of results.json: from 2 on seeds and test sets of one language are averaged before ranking."""

_TASK = "ner"
_DEFINITION = "word-piece types in both sets over those in either"
_CORRELATED = (
    "; correlated over zero-shot pairs of languages, each the mean over its seeds and test sets"
)


@dataclass(frozen=True)
class OverlapPlan:
    """Either transfer runs, or texts (name → language, file) and the model that cuts them."""

    config: OverlapConfig
    name: str
    runs: Finished
    texts: dict[str, tuple[Language, Path]]
    model: ModelFolder | None

    @property
    def inputs(self) -> list[Path]:
        """Every file that the result depends on."""
        files = [run.file for run in self.runs.runs]
        files += [path for _, path in self.texts.values()]
        return files + (self.model.input_files if self.model else [])


def make_plan(typed: OverlapConfig) -> OverlapPlan:
    """Find the runs or texts.

    Raises:
        InputError: what is not there; a run of another task.
    """
    name = typed.name or joined_name(["overlap", *knobs_that_differ(typed)])
    if typed.texts:
        texts = dict(_text(written) for written in typed.texts)
        if len(texts) < 2 or len(texts) < len(typed.texts):
            raise InputError("--texts: give two or more, NAME=FILE with different names")
        model = find_model(typed.work, typed.model)
        return OverlapPlan(replace(typed, name=name), name, Finished([], {}), texts, model)
    runs = transfer_runs(typed.work, typed.runs, _TASK)
    for run in runs.runs:
        if run.results["task"] != _TASK:
            raise InputError(f"{run.path} is of task {run.results['task']}; entities need {_TASK}")
    return OverlapPlan(replace(typed, name=name), name, runs, {}, None)


def measure(plan: OverlapPlan, run: Run) -> None:
    """Compute every overlap and write the results."""
    if plan.texts:
        rows, problems = _of_texts(plan), {}
        content: dict[str, Any] = {
            "probe": "overlap", "variant": "texts", "model": plan.model.name if plan.model else "",
            "languages": list(plan.texts), "rows": rows,
        }  # fmt: skip
    else:
        rows, problems = _of_runs(plan)
        content = {
            "probe": "overlap", "variant": "entities",
            "model": ", ".join(dict.fromkeys(row["model"] for row in rows)),
            "languages": list(dict.fromkeys(x for r in rows for x in (r["train"], r["eval"]))),
            "correlations": _correlations(rows, plan.config), "rows": rows,
        }  # fmt: skip
    content |= {
        "version": RESULTS_VERSION,
        "n": len(rows),
        "seed": plan.config.seed,
        "definition": _DEFINITION if plan.texts else _DEFINITION + _CORRELATED,
        "left_out": {**plan.runs.problems, **problems},
    }
    write_json_atomically(run.path / "results.json", content)
    write_rows(run.path / "overlap.csv", rows)
    run.extra = {"probe": "overlap", "runs": [str(r.path) for r in plan.runs.runs]}
    run.counts = {"rows": len(rows)}


def _correlations(rows: Sequence[dict[str, Any]], config: OverlapConfig) -> list[dict[str, Any]]:
    """Overlap against F1 of every encoder, over its zero-shot pairs of languages."""
    found = []
    for encoder in dict.fromkeys((row["model"], row["random_init"]) for row in rows):
        pairs: dict[tuple[str, ...], dict[str, list[dict[str, Any]]]] = {}
        for row in rows:
            own = (row["model"], row["random_init"]) == encoder
            if own and row["zero_shot"] and row["overlap"] is not None:
                runs = pairs.setdefault((row["train"], row["language"], row["setting"]), {})
                runs.setdefault(row["run"], []).append(row)
        overlaps, scores = (
            [fmean(fmean(row[what] for row in sets) for sets in runs.values())
             for runs in pairs.values()]
            for what in ("overlap", "score")
        )  # fmt: skip
        rho = spearman(overlaps, scores, config.num_samples, config.seed)
        found.append({"model": encoder[0], "random_init": encoder[1], **asdict(rho)})
    return found


def _of_texts(plan: OverlapPlan) -> list[dict[str, Any]]:
    from bbert.finetune.encoder import PieceIds
    from bbert.probe.word_overlap import coverage, jaccard, text_pieces

    assert plan.model is not None
    pieces = PieceIds(plan.model)
    counts = {
        name: text_pieces(text_lines(path), language, pieces)
        for name, (language, path) in plan.texts.items()
    }
    return [
        {
            "first": a, "second": b, "overlap": jaccard(counts[a], counts[b]),
            "first_types": len(counts[a]), "second_types": len(counts[b]),
            "shared_types": len(counts[a].keys() & counts[b].keys()),
            "second_tokens_in_first": coverage(counts[a], counts[b]),
            "first_tokens_in_second": coverage(counts[b], counts[a]),
        }
        for a, b in combinations(counts, 2)
    ]  # fmt: skip


def _of_runs(plan: OverlapPlan) -> tuple[list[dict[str, Any]], dict[str, str]]:
    rows: list[dict[str, Any]] = []
    problems: dict[str, str] = {}
    last: dict[str, Any] = {}
    for finished in plan.runs.runs:
        try:
            rows += _of_run(finished, plan.config.work, last)
        except InputError as error:
            if plan.config.runs:
                raise
            problems[finished.name] = str(error).splitlines()[0]
            logger.warning("%s left out: %s", finished.name, problems[finished.name])
    if not rows:
        raise InputError(f"no run's data can be read: {next(iter(problems.values()))}")
    return rows, problems


def _of_run(finished: FinishedRun, work: Path, last: dict[str, Any]) -> list[dict[str, Any]]:
    from bbert.finetune.encoder import PieceIds
    from bbert.finetune.examples import load_data_once
    from bbert.finetune.plan import make_plan as plan_of_run
    from bbert.probe.word_overlap import coverage, entity_pieces, jaccard

    config = replace(load_yaml(FinetuneConfig, finished.path / "config.yaml"), work=work)
    again = plan_of_run(config)
    data = load_data_once(again, last)
    pieces = PieceIds(again.model)
    trained: Counter[int] = Counter()
    learned = iter(data.train.examples)
    for language, count in data.train.languages:
        trained += entity_pieces(list(islice(learned, count)), language, pieces)
    trained_on = {again.learned_from, *(language.name for language, _ in data.train.languages)}
    rows = []
    for name, examples in data.evaluation.items():
        language = Language.parse(examples.language)
        tested = entity_pieces(examples.examples, language, pieces)
        score = finished.results["languages"].get(name, {})
        if score.get("mean") is None:
            continue
        rows.append(
            {
                "run": finished.name,
                "model": finished.results["model"],
                "random_init": finished.results["random_init"] or "",
                "setting": setting_of(finished, work),
                "train": again.learned_from,
                "eval": name,
                "language": examples.language,
                "zero_shot": examples.language not in trained_on,
                "overlap": jaccard(trained, tested),
                "train_types": len(trained),
                "eval_types": len(tested),
                "eval_tokens_in_train": coverage(trained, tested),
                "score": score["mean"],
                "std": score.get("std"),
                "chance": score["chance"],
                "n": score["n"],
                "seeds": len(finished.results["seeds"]),
            }
        )
    return rows


def _text(written: str) -> tuple[str, tuple[Language, Path]]:
    name, equals, rest = written.partition("=")
    if not equals or not name or not rest:
        raise InputError(f"--texts {written!r}: give NAME=FILE or NAME=LANGUAGE:FILE")
    code, colon, path = rest.partition(":")
    if not colon:
        code, path = name, rest
    file = Path(path).expanduser()
    if not file.is_file():
        raise InputError(f"--texts {written}: no such file: {file}")
    return name, (Language.parse(code), file)
