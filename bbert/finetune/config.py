"""Options of `bbert finetune`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import tyro

from bbert.finetune.fusion import FUSIONS, WITH_GATE, WITH_LAYER
from bbert.finetune.heads import HEADS
from bbert.finetune.layer_sets import ALL, check_sweep, parse_layers, split_embeddings
from bbert.finetune.recipes import RECIPES
from bbert.finetune.tasks import TASKS
from bbert.stage_config import EXECUTION, Repeated, StageConfig, Switch

# The tables decide what there is; the help and the checks below follow them.
TaskName = Annotated[str, tyro.conf.arg(metavar="{" + ",".join(TASKS) + "}")]
HeadName = Annotated[str | None, tyro.conf.arg(metavar="{" + ",".join(HEADS) + "}")]
FusionName = Annotated[str | None, tyro.conf.arg(metavar="{" + ",".join(FUSIONS) + "}")]
RecipeName = Annotated[str | None, tyro.conf.arg(metavar="{" + ",".join(RECIPES) + "}")]

Value = TypeVar("Value")

_WITH_FUSION = {"fusion_layer": WITH_LAYER, "fusion_gate": WITH_GATE, "fusion_pool": WITH_GATE}
_POSITIVE = (
    "max_train_examples", "max_eval_examples", "batch_size",
    "learning_rate", "adam_epsilon", "seeds", "arc_size", "relation_size",
    "lstm_size", "max_gradient_norm", "patience",
)  # fmt: skip
_OF_TASKS = {
    "illegal_tags": ("ner",), "lstm_size": ("ner",), "relations": ("parsing",),
    "arc_size": ("parsing",), "relation_size": ("parsing",),
    "train_treebank": ("pos", "parsing"), "eval_treebank": ("pos", "parsing"),
}  # fmt: skip
_SHORTEST = 8


@dataclass(frozen=True)
class FinetuneConfig(StageConfig):
    """Fine-tune an encoder on one language and test it on others, for several seeds.

    With nothing given: the newest model, named entities, from the model's first language to all.
    """

    model: str | None = None
    """Name or folder of a models run, a save_pretrained folder (BERT, XLM-R; safetensors), or a hub
    id; the newest models run without it."""
    task: TaskName = "ner"
    """What to learn."""
    data: Path | None = None
    """Folder with the task's files, or a folder with such folders, or the hub id (owner/name) of a
    data set; a model of the embedded sample takes the sample's."""
    train_lang: str | None = None
    """Source language; enfake is the data of en as Fake-English. The model's first without it.
    Several (en,es) make one run each; en+hi is learnt together."""
    train_set: str | None = None
    """Learn from this instead of a language of the data: NAME=LANGUAGE:PATH, with PATH a file or a
    folder of the task's files, also one in the data folder; results call it NAME."""
    eval_langs: tuple[str, ...] = ()
    """Languages to test on; all languages of the model without it. en-es: the first text of every
    pair in en, the second in es (xnli, pawsx)."""
    eval_set: Repeated = ()
    """A further test set, NAME=LANGUAGE:PATH, with PATH a file or a folder of the task's files,
    also one in the data folder; one row of the results each, under its name."""
    train_treebank: Repeated = ()
    """Learn from this treebank where a folder has several of a language (pos, parsing): its code in
    the files' names, ewt of en_ewt-ud-train.conllu; or LANGUAGE=TREEBANK, several of them."""
    eval_treebank: Repeated = ()
    """Test on this treebank, e.g. pud, or LANGUAGE=TREEBANK; the one without a language is for all
    others. Without it all treebanks of a language are read one after the other."""
    average: Repeated = field(default=(), metadata=EXECUTION)
    """A group of languages, NAME=LANGUAGE,LANGUAGE,… (e.g. SVO=en,es,ru), whose mean is a row of
    its own; may be given later too: nothing is trained again."""
    encoding: str | None = None
    """Encoding of task files that are not UTF-8, e.g. latin-1."""
    illegal_tags: Literal["refuse", "repair"] | None = None
    """Entity tags that their scheme forbids: stop with file and line (refuse, default), or let what
    goes on with no entity begin one (repair); repairs are counted."""
    relations: Literal["universal", "subtypes"] | None = None
    """Dependency relations of parsing: without subtypes (universal, default) or with them."""
    too_long: Literal["window", "wrong", "cut"] | None = None
    """Texts beyond --max-length: overlapping windows (window, default for words), what is cut off
    counts as wrong (wrong, default for pairs), or the rest is scored (cut; pairs only, and their
    default with --recipe)."""
    head: HeadName = None
    """Task layer; by default the task's usual one. bilstm-crf (ner) keeps the encoder frozen and
    has its own defaults: those of --recipe k2020, one seed."""
    fusion: FusionName = None
    """How layers become the representation that the head reads (default last; scalar-mix with
    --head bilstm-crf)."""
    fusion_layer: int | str | None = None
    """Lower layer fused with the last (dlfa…, mean, concat), from 1; two thirds of the depth
    without it. Several (1-11, or 4,8) make one run each."""
    fusion_gate: Literal["sigmoid", "paper"] | None = None
    """Gate of dlfa: sigmoid (default), bounded; or literally eq. 3-4 of the paper."""
    fusion_pool: Literal["masked", "paper"] | None = None
    """Sentence mean of dlfa: over word-pieces (masked, default), or with the padding counted."""
    random_init: str | None = None
    """Draw these encoder layers afresh first, e.g. 1-2 or 1-2,5; all: everything, a floor. One run
    each for several sets (none/1-2/3-4), or layers, pairs, triples, thirds for all such groups."""
    init: Literal["bert", "torch"] | None = None
    """Distribution for --random-init: N(0, 0.02) as BERT (default), or PyTorch's own."""
    freeze: str | None = None
    """Parts of the encoder that do not learn: all, embeddings, or layers, e.g. embeddings,1-3."""
    recipe: RecipeName = None
    """Hyper-parameters of a paper; options given here win over it."""
    max_train_examples: int | None = None
    """Train on a random part of the training data (the sample has a default, else all)."""
    max_eval_examples: int | None = None
    """Test on a random part of each test set: the same rows for every seed, and for every language
    where files are parallel, but for rows that a language lacks. Cuts development data too."""
    epochs: int | None = None
    """Passes over the training data (default 3; the sample has its own number); 0: not tuned at
    all, the pretrained encoder under an untrained task layer."""
    batch_size: int | None = None
    """Examples a step (default 32)."""
    learning_rate: float | None = None
    """Peak rate (default 3e-5; the sample has its own)."""
    max_length: int | None = None
    """Word-pieces of an example at most, specials counted (default 128)."""
    warmup: float | None = None
    """Share of the steps in which the rate rises (default 0.1)."""
    weight_decay: float | None = None
    """Of AdamW, not on biases and normalisation (default 0.01)."""
    adam_epsilon: float | None = None
    """Of AdamW (default 1e-8)."""
    dropout: float | None = None
    """Before the task layer (default: the model's own)."""
    arc_size: int | None = None
    """Of a parser's layers for arcs (default: the model's hidden size, at most 500)."""
    relation_size: int | None = None
    """Of a parser's layers for relations (default: the model's hidden size, at most 200)."""
    lstm_size: int | None = None
    """Of the bilstm-crf head, in one direction (default 200)."""
    schedule: Literal["linear", "constant"] | None = None
    """Learning rate after the warm-up: falling to 0 (linear, default), or constant."""
    max_gradient_norm: float | None = None
    """Longer gradients are shortened to this (default 1)."""
    patience: int | None = None
    """With --selection best-dev: end after so many epochs that were no better (default: never)."""
    selection: Literal["last", "best-dev"] | None = None
    """Which epoch counts: the last (default), or the best on the source language's dev data."""
    seeds: int | None = None
    """Runs with the seeds SEED, SEED+1, … (default 1; more on the sample); all values are kept."""
    precision: Literal["fp32", "bf16", "fast"] | None = None
    """Arithmetic (default: bf16 on a GPU that has it, else fp32); fast: bf16 on processors with
    instructions for it too."""
    allow_pickle: Switch = field(default=False, metadata=EXECUTION)
    """Read weights from pytorch_model.bin where a model has no safetensors."""
    trust_remote_code: Switch = field(default=False, metadata=EXECUTION)
    """Run the Python code that a model folder or hub id brings along."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _one_of("--task", self.task, TASKS)
        if self.fusion is not None:
            _one_of("--fusion", self.fusion, FUSIONS)
        if self.head is not None:
            _one_of("--head", self.head, HEADS)
        if self.recipe is not None:
            _one_of("--recipe", self.recipe, RECIPES)
            if self.task not in RECIPES[self.recipe]:
                known = ", ".join(RECIPES[self.recipe])
                raise ValueError(
                    f"--recipe {self.recipe} has no settings for {self.task} ({known})"
                )
        for name, fusions in _WITH_FUSION.items():
            if self.fusion not in fusions and getattr(self, name) is not None:
                raise ValueError(
                    f"{_flag(name)} is an option of --fusion {', '.join(fusions)}; "
                    f"--fusion {self.fusion or 'last'} has no use for it"
                )
        for flag, text, check in (
            ("--random-init", self.random_init, check_sweep),
            ("--freeze", self.freeze, split_embeddings),
            ("--fusion-layer", self.fusion_layer, parse_layers),
        ):
            if text is None or (text == ALL and flag != "--fusion-layer"):
                continue
            try:
                check(str(text))
            except ValueError as error:
                raise ValueError(f"{flag}: {error}") from None
        if self.train_lang is not None:
            learned = self.train_lang.split(",")
            if "" in learned:
                raise ValueError(
                    f"--train-lang {self.train_lang!r} has a language without a name; "
                    "write e.g. en or en,es"
                )
            _no_repetition("--train-lang", learned)
        if self.init is not None and self.random_init is None:
            raise ValueError("--init says how --random-init draws; give --random-init too")
        if self.epochs is not None and self.epochs < 0:
            raise ValueError(f"--epochs {self.epochs} is negative; 0 tests without tuning")
        for name in _POSITIVE:
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{_flag(name)} {value} must be greater than 0")
        if self.max_length is not None and self.max_length < _SHORTEST:
            raise ValueError(f"--max-length {self.max_length}: give at least {_SHORTEST}")
        if self.weight_decay is not None and not self.weight_decay >= 0:
            raise ValueError(f"--weight-decay {self.weight_decay} must not be negative")
        for name in ("warmup", "dropout"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < 1:
                raise ValueError(f"{_flag(name)} {value} must be a share from 0 to less than 1")
        if self.encoding is not None:
            check_encoding(self.encoding)
        for option, tasks in _OF_TASKS.items():
            if getattr(self, option) not in (None, ()) and self.task not in tasks:
                raise ValueError(
                    f"{_flag(option)} is an option of task {', '.join(tasks)}; "
                    f"{self.task} has no use for it"
                )
        for option in ("train_treebank", "eval_treebank"):
            if getattr(self, option):
                from bbert.finetune.treebanks import parse_treebanks

                parse_treebanks(getattr(self, option), _flag(option))
        if self.train_set is not None:
            from bbert.finetune.evaluation_sets import parse_named_set

            if self.train_treebank:
                raise ValueError("--train-set says where it lies; leave --train-treebank out")

            parse_named_set(self.train_set, "--train-set")
            if self.train_lang is not None:
                raise ValueError("--train-set takes the place of --train-lang; give one of them")
        if self.eval_set:
            from bbert.finetune.evaluation_sets import parse_named_set

            for text in self.eval_set:
                parse_named_set(text)
        if self.average:
            from bbert.finetune.averages import parse_average

            for text in self.average:
                parse_average(text)
        _no_repetition("--eval-langs", self.eval_langs)


def resolved(value: Value | None) -> Value:
    """An option of a resolved configuration, which has a value."""
    assert value is not None
    return value


def check_encoding(name: str) -> None:
    """Raises ValueError where `--encoding` names none."""
    try:
        "a".encode(name)  # refuses codecs that are of no text, too
    except LookupError:
        raise ValueError(f"--encoding {name!r} is unknown; e.g. latin-1, cp1252, utf-16") from None


def _one_of(flag: str, value: str, table: Mapping[str, Any]) -> None:
    if value not in table:
        import difflib

        close = difflib.get_close_matches(value, table, n=1)
        mend = f"did you mean {close[0]}?" if close else f"there is {', '.join(table)}"
        raise ValueError(f"{flag} {value!r} is unknown; {mend}")


def _no_repetition(flag: str, names: Sequence[str]) -> None:
    repeated = [name for name in names if names.count(name) > 1]
    if repeated:
        raise ValueError(f"{flag} names {repeated[0]} twice")


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
