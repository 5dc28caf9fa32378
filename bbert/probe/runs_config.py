"""Options of the probes that read finished runs: `overlap`, `typology`, `gap`, `portrait`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bbert.stage_config import StageConfig

WALS_FEATURES = ("81A", "85A", "86A", "87A", "88A", "89A")
"""Features on the order of words that Pires et al. (2019) compare."""


@dataclass(frozen=True)
class RunsProbeConfig(StageConfig):
    """Options of every probe that reads finished runs."""

    num_samples: int = 2000
    """Samples of the bootstrap over points that gives the 95 % intervals."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.num_samples < 10:
            raise ValueError(f"--num-samples {self.num_samples}: give at least 10")


@dataclass(frozen=True)
class OverlapConfig(RunsProbeConfig):
    """Word-pieces that two sets of text share: of entities against the F1 of transfer, or of any
    texts."""

    runs: tuple[str, ...] = ()
    """Transfer runs of named entities; without them, and without --texts, all there are."""
    texts: tuple[str, ...] = ()
    """NAME=FILE or NAME=LANGUAGE:FILE, two or more: the word-pieces of every two texts are
    compared. Without LANGUAGE, NAME is the language."""
    model: str | None = None
    """Whose tokenizer cuts --texts; the newest models run without it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.runs and self.texts:
            raise ValueError("give --runs or --texts: the two are different measurements")
        if self.model is not None and not self.texts:
            raise ValueError("--model cuts --texts; the runs have tokenizers of their own")


@dataclass(frozen=True)
class TypologyConfig(RunsProbeConfig):
    """Zero-shot scores against the word-order features of WALS that two languages share."""

    wals: Path | None = None
    """The cldf folder of WALS (github.com/cldf-datasets/wals), or a CSV with the columns wals_code,
    iso639_3, feature, value_name. Runs on the embedded sample have their grammars' without it."""
    runs: tuple[str, ...] = ()
    """Transfer runs; without them all of --task."""
    task: str = "pos"
    """Task of the runs that are taken where --runs names none."""
    features: tuple[str, ...] = WALS_FEATURES
    """Features to compare."""
    wals_code: tuple[str, ...] = ()
    """LANGUAGE=CODE where a language is not found by its ISO code, e.g. no=nor."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.features:
            raise ValueError("--features names none; e.g. 81A 87A")
        for text in self.wals_code:
            if text.count("=") != 1 or not all(text.split("=")):
                raise ValueError(f"--wals-code {text!r}: give LANGUAGE=CODE")


@dataclass(frozen=True)
class GapConfig(RunsProbeConfig):
    """Spearman correlation of similarity and cross-lingual gap, for every layer and their mean."""

    runs: tuple[str, ...] = ()
    """Transfer runs, of one task; without them all of --task."""
    similarity: tuple[str, ...] = ()
    """Probe runs (cka, retrieval, cosine) that measured their models; without them all there are
    of --probe."""
    probe: str = "cka"
    """Probe whose runs are taken where --similarity names none."""
    task: str = "pos"
    """Task of the runs that are taken where --runs names none."""


@dataclass(frozen=True)
class PortraitConfig(StageConfig):
    """One figure of a model's layers from its finished runs: what random layers cost, where DLFA is
    best, CKA and translation."""

    model: str | None = None
    """Name or folder of a models run; the newest without it."""
    task: str | None = None
    """Task of the transfer runs; without it the one with most runs."""
    language: str | None = None
    """Target language; without it the first tested one that is not the source."""
    init: str | None = None
    """Initialisation of the runs with random layers, where there are several."""
    fusion_gate: str | None = None
    """Gate of the DLFA runs, where there are several."""
    fusion_pool: str | None = None
    """Pool of the DLFA runs, where there are several."""
