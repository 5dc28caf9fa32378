"""What a run will do, from what was typed: model, data files, languages, every hyper-parameter.

Reads JSON and folder listings only; nothing is written and no weights are loaded.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bbert.errors import InputError
from bbert.finetune.averages import groups_of
from bbert.finetune.config import FinetuneConfig, resolved
from bbert.finetune.evaluation_sets import (
    EvaluationSet,
    evaluation_sets,
    languages_of,
    learning_sets,
    parse_named_set,
    training_languages,
)
from bbert.finetune.fusion import WITH_GATE, WITH_LAYER
from bbert.finetune.heads import LARGEST, ON_FROZEN
from bbert.finetune.layer_sets import ALL, split_embeddings
from bbert.finetune.model_folder import ModelFolder, find_model
from bbert.finetune.recipes import RECIPES, preset
from bbert.finetune.tasks import load_task
from bbert.finetune.tasks.find_files import find_data_folder
from bbert.finetune.tasks.hub_data import IDENTIFIER, hub_folder
from bbert.finetune.tasks.task import Task
from bbert.finetune.treebanks import name_of_files, refuse_idle_treebanks
from bbert.processor_precision import has_bf16
from bbert.stage_config import joined_name, knobs_that_differ

logger = logging.getLogger(__name__)

NVIDIA_DRIVER = Path("/proc/driver/nvidia")


@dataclass(frozen=True)
class Plan:
    """A resolved run.

    Attributes:
        config: every option with its value.
        name: of the run directory.
        task, model, data: what, from which encoder, from which folder.
        learned_from: the language it is fine-tuned on as results call it: `en`, `en+hi`, or the
            name of a `--train-set`.
        train: training files, of every source language.
        dev: their development files; empty where none are needed.
        evaluation: name of a row of the results → files it is tested on.
    """

    config: FinetuneConfig
    name: str
    task: Task
    model: ModelFolder
    data: Path
    learned_from: str
    train: tuple[EvaluationSet, ...]
    dev: tuple[EvaluationSet, ...]
    evaluation: dict[str, EvaluationSet]

    @property
    def training_languages(self) -> list[str]:
        """The names of the languages it is fine-tuned on, also those of a `--train-set`."""
        return [files.language.name for files in self.train]

    @property
    def inputs(self) -> list[Path]:
        """Every file that the result depends on."""
        splits = [*self.train, *self.evaluation.values(), *self.dev]
        files = [file for split in splits for file in split.all_files]
        return [*dict.fromkeys(files), *self.model.input_files]


def make_plan(typed: FinetuneConfig, model: ModelFolder | None = None) -> Plan:
    """Resolve what was typed; `model` where it has been found already.

    Raises:
        InputError: a model, a folder, a language or a layer that is not there; names what is.
    """
    task = load_task(typed.task)
    model = model or find_model(
        typed.work, typed.model, typed.allow_pickle, typed.trust_remote_code
    )
    values: dict[str, Any] = preset(typed.recipe, typed.task, model.sample is not None, typed.head)
    values = {name: v for name, v in values.items() if getattr(typed, name) is None}
    values |= {"model": model.reference}
    values |= _languages(typed, model, task)
    values |= _network_options(typed, task, model, values)
    values |= _frozen_options(typed, task, values)
    values |= _parser_sizes(typed, model, values)
    values["max_length"] = _max_length(typed, model, values)
    values["too_long"] = _too_long(typed, task, values)
    data, identifier = _data(typed, model, task, values)
    folder = _folder(typed, task, values, data)
    values["data"] = identifier or folder
    if typed.precision in (None, "fast"):
        values["precision"] = _precision(typed.precision == "fast")
    config = replace(typed, **values)
    _refuse_idle_treebanks(config, task)
    learned = task, folder, config.train_lang, config.train_set, data
    by_dev = config.selection == "best-dev"
    train = learning_sets(*learned, "train", config.train_treebank)
    dev = learning_sets(*learned, "dev", config.train_treebank) if by_dev else ()
    tested = config.eval_langs, config.eval_set, data, config.eval_treebank
    evaluation = evaluation_sets(task, folder, *tested)
    groups_of(config.average, evaluation)  # refuses what is not tested before anything runs
    name = typed.name or _run_name(typed, model, resolved(config.fusion))
    config = replace(config, name=name)
    source = parse_named_set(config.train_set).name if config.train_set else config.train_lang
    return Plan(config, name, task, model, folder, resolved(source), train, dev, evaluation)


def _languages(typed: FinetuneConfig, model: ModelFolder, task: Task) -> dict[str, Any]:
    if typed.train_set is not None:
        train = None
        spoken = [parse_named_set(typed.train_set).language]
    else:
        train = typed.train_lang or next(iter(model.languages), None)
        if train is None:
            raise InputError(
                f"{model.path} does not say its languages; give --train-lang (and --eval-langs)"
            )
        spoken = [language.name for language in training_languages(train)]
    evaluation = typed.eval_langs or model.languages or spoken
    for name in evaluation:
        languages_of(name, task, "--eval-langs")
    return {"train_lang": train, "eval_langs": tuple(evaluation)}


def _refuse_idle_treebanks(config: FinetuneConfig, task: Task) -> None:
    if config.train_treebank:
        learned = [language.source for language in training_languages(config.train_lang or "")]
        refuse_idle_treebanks(learned, config.train_treebank, "--train-treebank", "learnt from")
    pairs = [languages_of(name, task, "--eval-langs") for name in config.eval_langs]
    tested = [first.source for first, _ in pairs]
    refuse_idle_treebanks(tested, config.eval_treebank, "--eval-treebank", "tested")


def _folder(typed: FinetuneConfig, task: Task, values: dict[str, Any], data: Path) -> Path:
    """The folder of the task's files: it has the training files or, where those lie elsewhere, what
    the first language is tested on."""
    if typed.train_set is None:
        source = training_languages(values["train_lang"])[0].source
        called = name_of_files(source, typed.train_treebank, "--train-treebank")
        return find_data_folder(task, data, called)
    first, _ = languages_of(values["eval_langs"][0], task, "--eval-langs")
    called = name_of_files(first.source, typed.eval_treebank, "--eval-treebank")
    return find_data_folder(task, data, called, ("test", "dev"))


def _network_options(
    typed: FinetuneConfig, task: Task, model: ModelFolder, values: dict[str, Any]
) -> dict[str, Any]:
    head, fusion = typed.head or values.get("head", task.heads[0]), typed.fusion or values["fusion"]
    if head not in task.heads:
        raise InputError(
            f"--head {head} does not fit task {task.name}: use {', '.join(task.heads)}"
        )
    options: dict[str, Any] = {"head": head}
    if typed.random_init is not None:
        options["init"] = typed.init or "bert"
    for flag, parts in (("--random-init", typed.random_init), ("--freeze", typed.freeze)):
        layers = split_embeddings(parts)[1] if parts not in (None, ALL) else []
        if layers and layers[-1] > model.depth:
            raise InputError(f"{flag} {parts}: {model.name} has layers 1 to {model.depth}")
    if fusion in WITH_LAYER:
        layer = int(typed.fusion_layer or max(1, round(model.depth * 2 / 3)))
        if layer > model.depth:
            raise InputError(f"--fusion-layer {layer}: {model.name} has layers 1 to {model.depth}")
        if layer == model.depth and typed.fusion_layer is None:
            logger.warning(
                "%s has one layer: --fusion %s of it with itself changes nothing",
                model.name,
                fusion,
            )
        options["fusion_layer"] = layer
    if fusion in WITH_GATE:
        options["fusion_gate"] = typed.fusion_gate or "sigmoid"
        options["fusion_pool"] = typed.fusion_pool or "masked"
    return options


def _frozen_options(typed: FinetuneConfig, task: Task, values: dict[str, Any]) -> dict[str, Any]:
    """What follows from a head whose encoder does not learn, and checks of its options."""
    head = values["head"]
    if typed.recipe is not None:
        meant = RECIPES[typed.recipe][typed.task].get("head", task.heads[0])
        if head != meant:
            raise InputError(
                f"--recipe {typed.recipe} for {typed.task} is one for --head {meant}; "
                f"leave --head {head} or the recipe out"
            )
    if typed.lstm_size is not None and head != "bilstm-crf":
        raise InputError(f"--lstm-size is an option of --head bilstm-crf; {head} has no use for it")
    selection = typed.selection or values["selection"]
    if typed.patience is not None and selection != "best-dev":
        raise InputError("--patience looks at the dev score; give --selection best-dev with it")
    options: dict[str, Any] = {}
    if selection != "best-dev":
        options["patience"] = None
    if head in ON_FROZEN:
        if typed.freeze not in (None, ALL):
            raise InputError(
                f"--freeze {typed.freeze}: --head {head} reads an encoder that does not learn at "
                "all; leave --freeze out"
            )
        if typed.fusion_pool == "paper":
            raise InputError(
                f"--fusion-pool paper counts padding, which --head {head} does not read: the "
                "encoder's features are kept without it; use --fusion-pool masked, or "
                "--head linear --freeze all"
            )
        options["freeze"] = ALL
    return options


def _parser_sizes(
    typed: FinetuneConfig, model: ModelFolder, values: dict[str, Any]
) -> dict[str, int]:
    if values["head"] != "biaffine":
        return {}
    hidden = int(model.config["hidden_size"])
    return {
        name: getattr(typed, name) or values.get(name) or min(hidden, largest)
        for name, largest in LARGEST.items()
    }


def _max_length(typed: FinetuneConfig, model: ModelFolder, values: dict[str, Any]) -> int:
    if typed.max_length is None:
        return min(values["max_length"], model.max_length)
    if typed.max_length > model.max_length:
        raise InputError(
            f"--max-length {typed.max_length}: {model.name} has {model.max_length} positions"
        )
    return typed.max_length


def _too_long(typed: FinetuneConfig, task: Task, values: dict[str, Any]) -> str:
    chosen = typed.too_long or values.get("too_long", task.too_long[0])
    if chosen not in task.too_long:
        raise InputError(
            f"--too-long {chosen} does not fit task {task.name}: use {', '.join(task.too_long)}"
        )
    return chosen


def _data(
    typed: FinetuneConfig, model: ModelFolder, task: Task, values: dict[str, Any]
) -> tuple[Path, Path | None]:
    """The folder to look in; and what was typed, where that is the id of a data set."""
    if typed.data is not None:
        folder = typed.data.expanduser()
        # A name below a folder that is there means a folder, not a data set of the hub.
        is_path = folder.parent.exists() or not IDENTIFIER.fullmatch(str(typed.data))
        if is_path:
            return folder.resolve(), None
        spoken = [languages_of(name, task, "--eval-langs") for name in values["eval_langs"]]
        learned = training_languages(values["train_lang"]) if values["train_lang"] else []
        pairs = [(language,) for language in learned] + spoken
        sources = [language.source for pair in pairs for language in pair if language]
        return hub_folder(str(typed.data), list(dict.fromkeys(sources))), typed.data
    if model.sample is None:
        raise InputError(
            f"--data is needed: a folder with files of task {task.name} ({task.looked_for}); "
            f"only a model of the embedded sample brings its own"
        )
    if not model.sample.is_dir():
        raise InputError(
            f"the embedded sample of {model.name} is gone: {model.sample}\n"
            f"write it again with `bbert sample {model.sample}`, or give --data"
        )
    logger.info(
        "no --data: fine-tuning on the embedded sample (%s); for real data give --data DIR "
        "with %s",
        model.sample, task.looked_for,
    )  # fmt: skip
    return model.sample.resolve(), None


def _precision(fast: bool) -> str:
    if NVIDIA_DRIVER.exists():  # spares the import of torch where the answer is known
        import torch

        if torch.cuda.is_available():
            return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    return "bf16" if fast and has_bf16() else "fp32"


def _run_name(typed: FinetuneConfig, model: ModelFolder, fusion: str) -> str:
    left_out = frozenset({"model", "task", "fusion"})
    words = [model.name, typed.task, fusion, *knobs_that_differ(typed, left_out)]
    return joined_name(words)
