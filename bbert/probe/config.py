"""Options of the probes that run a model: `bbert probe cka`, `retrieval`, `translation`, `cosine`.

Those that read finished runs or texts are in `runs_config.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from bbert.stage_config import EXECUTION, StageConfig, Switch

_SHORTEST = 8


@dataclass(frozen=True)
class ModelProbeConfig(StageConfig):
    """Options of every probe that runs a model on parallel text."""

    model: str | None = None
    """Name or folder of a models run or a transfer run, a save_pretrained folder, or a hub id; the
    newest models run without it."""
    beside: tuple[str, ...] = ()
    """Further models on the same sentences, e.g. the transfer runs that fine-tuned --model, with
    and without --random-init."""
    random_init: str | None = None
    """Measure --model also with these layers drawn afresh, e.g. 1-2; all: a random encoder, which
    shows what lengths and positions alone give. Several sets: 1-2/3-4."""
    parallel: tuple[str, ...] = ()
    """Parallel text: LANGUAGE=FILE LANGUAGE=FILE …, line-aligned or CoNLL-U (PUD), or one TSV whose
    first line names the languages. The first language is compared with each other one. A model of
    the embedded sample takes the sample's."""
    languages: tuple[str, ...] = ()
    """Of these languages only, the first with each other one (default: all of the parallel text, in
    its order)."""
    max_sentences: int | None = None
    """Take so many sentences, drawn by the seed (default: all)."""
    max_length: int | None = None
    """Word-pieces of a sentence at most, specials counted (default 128, or what the model has)."""
    num_samples: int = 200
    """Samples of the bootstrap over sentences that gives the 95 % intervals."""
    num_shuffles: int = 20
    """Shuffles of the pairs that give the floor."""
    allow_pickle: Switch = field(default=False, metadata=EXECUTION)
    """Read weights from pytorch_model.bin where a model has no safetensors."""
    trust_remote_code: Switch = field(default=False, metadata=EXECUTION)
    """Run the Python code that a model folder or hub id brings along."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.languages and len(set(self.languages)) < max(2, len(self.languages)):
            raise ValueError(f"--languages {' '.join(self.languages)}: give two or more, each once")
        if self.max_sentences is not None and self.max_sentences < 2:
            raise ValueError(f"--max-sentences {self.max_sentences}: give at least 2")
        if self.max_length is not None and self.max_length < _SHORTEST:
            raise ValueError(f"--max-length {self.max_length}: give at least {_SHORTEST}")
        for name, least in (("num_samples", 10), ("num_shuffles", 1)):
            if getattr(self, name) < least:
                flag = "--" + name.replace("_", "-")
                raise ValueError(f"{flag} {getattr(self, name)}: give at least {least}")
        if self.random_init is not None:
            from bbert.finetune.layer_sets import check_sweep

            try:
                check_sweep(self.random_init)
            except ValueError as error:
                raise ValueError(f"--random-init: {error}") from None


@dataclass(frozen=True)
class CkaConfig(ModelProbeConfig):
    """Centred kernel alignment between languages at every layer, with floor and interval."""

    variant: Literal["debiased", "paper", "released"] = "debiased"
    """debiased (default): linear, 0 for unrelated vectors; paper: linear, neither centred nor
    debiased; released: centred RBF kernels. The last two give noise a high value: see the floor."""
    minibatch: int | None = None
    """Average over minibatches of so many sentences (released needs it beyond 2,000); default: all
    sentences at once."""
    pool: Literal["mean", "cls"] = "mean"
    """A sentence is the mean of its word-pieces (mean, default) or its [CLS] vector (cls)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.minibatch is not None and self.minibatch < 4:
            raise ValueError(f"--minibatch {self.minibatch}: give at least 4 sentences")
        if self.minibatch is not None and self.variant == "paper":
            raise ValueError(
                "--minibatch has no use with --variant paper: its sums are exact for any number of "
                "sentences, and its bias is that of the batch"
            )
        fewest = {"debiased": 4, "released": 3, "paper": 2}[self.variant]
        if self.max_sentences is not None and self.max_sentences < fewest:
            raise ValueError(
                f"--max-sentences {self.max_sentences}: {self.variant} CKA needs {fewest} at least"
            )


@dataclass(frozen=True)
class RetrievalConfig(ModelProbeConfig):
    """Translation of sentences by nearest neighbour at every layer, in both directions."""

    distance: tuple[Literal["l2", "cosine", "csls"], ...] = ("l2", "cosine", "csls")
    """Measures of nearness, each reported; the first one is the headline."""
    offset: Literal["heldout", "same", "none"] = "heldout"
    """The mean offset between the languages is estimated on the other half of the pairs (heldout,
    default), on the pairs themselves (same, as in the paper), or left out (none)."""
    pool: Literal["mean", "cls"] = "mean"
    """A sentence is the mean of its word-pieces (mean, default) or its [CLS] vector (cls)."""
    num_shuffles: int = 3
    """Shuffles of the pairs that give the floor, beside the chance of guessing."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_distances(self.distance)


@dataclass(frozen=True)
class TranslationConfig(ModelProbeConfig):
    """Translation of words by nearest neighbour: in the embedding table, and in context by layer.

    Between a language and its fake the gold is exact; other pairs need a dictionary.
    """

    dictionary: tuple[str, ...] = ()
    """FROM-TO=FILE for a pair of languages, lines of a word, a tab and its translation; a word may
    have several lines."""
    max_words: int = 1000
    """Words to translate at most, the most frequent of the parallel text."""
    distance: tuple[Literal["l2", "cosine", "csls"], ...] = ("l2", "cosine", "csls")
    """Measures of nearness, each reported; the first one is the headline."""
    offset: Literal["heldout", "same", "none"] = "heldout"
    """As in `bbert probe retrieval`."""
    num_shuffles: int = 3
    """Shuffles of the pairs that give the floor, beside the chance of guessing."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_distances(self.distance)
        if self.max_words < 4:
            raise ValueError(f"--max-words {self.max_words}: give at least 4")


@dataclass(frozen=True)
class CosineConfig(ModelProbeConfig):
    """Mean cosine of parallel sentences at every layer, and of fused representations."""

    variant: Literal["paper", "centered"] = "paper"
    """paper (default): as they are, where a high value may be that of any two sentences: read the
    floor; centered: each language's mean taken off."""
    pool: Literal["mean", "cls"] = "mean"
    """A sentence is the mean of its word-pieces (mean, default) or its [CLS] vector (cls)."""


def _check_distances(distances: tuple[str, ...]) -> None:
    if not distances:
        raise ValueError("--distance names none; give l2, cosine or csls")
    if len(set(distances)) < len(distances):
        raise ValueError(f"--distance {' '.join(distances)} names one twice")


@dataclass(frozen=True)
class CodeSwitchConfig(StageConfig):
    """Write labelled test sets whose words are partly those of another language.

    Fine-tuning tests on them by name: `bbert finetune --eval-set NAME=LANGUAGE:FILE`.
    """

    data: Path | None = None
    """Folder with the task's files, as for `bbert finetune`; without it the embedded sample."""
    task: Literal["pos", "ner"] = "pos"
    """Whose test set is mixed."""
    language: str = "en"
    """Language of the sentences, a natural one."""
    into: str = "enfake"
    """Language that words are replaced by: a fake of --language, or any with --dictionary."""
    dictionary: Path | None = None
    """Lines of a word, a tab and its translation; the first line of a word counts."""
    share: float = 0.5
    """Probability of each word that has a counterpart to be replaced."""
    encoding: str | None = None
    """Encoding of task files that are not UTF-8, e.g. latin-1."""
    illegal_tags: Literal["refuse", "repair"] | None = None
    """Entity tags that their scheme forbids: stop with file and line (refuse, default), or let what
    goes on with no entity begin one (repair); repairs are counted."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.encoding is not None:
            from bbert.finetune.config import check_encoding

            check_encoding(self.encoding)
        if self.illegal_tags is not None and self.task != "ner":
            raise ValueError(
                f"--illegal-tags is an option of task ner; {self.task} has no use for it"
            )
        if not 0 < self.share <= 1:
            raise ValueError(f"--share {self.share} must be above 0 and at most 1")
        if self.language == self.into:
            raise ValueError(f"--into {self.into} is --language itself; give another language")
