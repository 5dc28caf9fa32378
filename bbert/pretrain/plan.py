"""What a run is going to be: the configuration with nothing left open, its corpus and its name."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bbert.errors import InputError
from bbert.languages import Language
from bbert.pretrain.config import PretrainConfig, known
from bbert.pretrain.process_group import ProcessGroup, count_gpus
from bbert.pretrain.resolve import Machine, resolve
from bbert.pretrain.row_shares import micro_batches
from bbert.processor_precision import warn_of_slow_bf16
from bbert.provenance import sha256
from bbert.run_directory import STAGE_FOLDERS, RunDirectory, find_run, list_runs
from bbert.stage_config import config_hash, identity, joined_name, knobs_that_differ

if TYPE_CHECKING:
    from bbert.pretrain.batches import BatchSettings

logger = logging.getLogger(__name__)

STAGE = "pretrain"


@dataclass(frozen=True)
class Plan:
    """A configuration with nothing left open, and the corpus it is for."""

    config: PretrainConfig
    name: str
    corpus: RunDirectory

    @property
    def languages(self) -> list[str]:
        return list(self.corpus.manifest["languages"])

    @property
    def final(self) -> Path:
        """Where the run will be."""
        return self.config.work / STAGE_FOLDERS[STAGE] / self.name

    @property
    def identity(self) -> dict[str, Any]:
        """What a checkpoint belongs to: the configuration and the corpus, by their hashes."""
        return {
            "config": config_hash(identity(self.config)),
            "corpus": sha256(self.corpus.path / "manifest.json"),
        }

    def vocab_size(self) -> int:
        """Entries of the corpus's vocabulary."""
        from bbert.pretrain.vocabulary import Vocabulary

        return Vocabulary.open(self.corpus.path / "tokenizer").size

    def parallel_files(self) -> dict[str, Path]:
        """Language → parallel text for the multilinguality curves."""
        given = dict(value.split("=", 1) for value in self.config.probe_parallel)
        if given:
            return {language: Path(file) for language, file in given.items()}
        sample = self.corpus.manifest.get("sample")
        if not sample:
            return {}
        sources = {name: Language.parse(name).source for name in self.languages}
        files = {n: Path(sample) / "parallel" / f"sample.{s}" for n, s in sources.items()}
        return {name: file for name, file in files.items() if file.is_file()}

    def batch_settings(self) -> BatchSettings:
        """What the rows look like; languages are mixed as the corpus was told to."""
        from bbert.corpus.language_shares import DEFAULT_SMOOTHING
        from bbert.pretrain.batches import BatchSettings

        config = self.config
        options = self.corpus.manifest.get("config") or {}
        return BatchSettings(
            batch_size=known(config.batch_size),
            seq_len=known(config.seq_len),
            nsp=config.nsp,
            nsp_negatives=config.nsp_negatives,
            lang_id=config.lang_id,
            batching=config.batching,
            packing=config.packing,
            short_seq_probability=config.short_seq_probability,
            masks=config.masks,
            mlm_probability=config.mlm_probability,
            mlm_random=config.mlm_random,
            whole_word_mask=config.whole_word_mask,
            smoothing=float(options.get("smoothing", DEFAULT_SMOOTHING)),
        )


def make_plan(config: PretrainConfig, group: ProcessGroup | None = None) -> Plan:
    """Find the corpus and fill in the configuration; imports no torch on a machine without GPU.

    Args:
        group: this process's; where a launcher started it, its size is the number of processes.

    Raises:
        InputError: see `resolve.resolve`.
    """
    corpus = find_run(config.work, "corpus", config.corpus)
    manifest = corpus.manifest
    if not manifest.get("languages"):
        raise InputError(f"{corpus.path / 'manifest.json'}: no languages; build the corpus again")
    name = config.name or joined_name(
        [corpus.name, *knobs_that_differ(config, frozenset({"corpus"}))]
    )
    launched = False
    if group is not None and group.started_by is not None:
        launched = True
        if config.processes not in (None, group.size):
            raise InputError(
                f"--processes {config.processes}: the launcher started {group.size}; leave it out"
            )
        config = replace(config, processes=group.size)
    beside = corpus.path == config.work / STAGE_FOLDERS["corpus"] / corpus.name
    corpus_name = corpus.name if beside else str(corpus.path.resolve())
    machine = Machine(count_gpus() if may_use_gpu(config) else 0, launched)
    resolved = resolve(config, corpus_name, manifest, machine)
    processes = known(resolved.processes)
    micro_batches(known(resolved.batch_size), processes, resolved.micro_batch_size)
    # With its name, so that `--config` with what the run has saved names the same run.
    plan = Plan(replace(resolved, name=name), name, corpus)
    if config.probe_parallel:
        _check_parallel_files(plan)
    return plan


def _check_parallel_files(plan: Plan) -> None:
    """Refuse parallel text of a language that the corpus does not have, or that is not there."""
    for language, file in plan.parallel_files().items():
        if language not in plan.languages:
            raise InputError(
                f"--probe-parallel {language}={file}: the corpus has {', '.join(plan.languages)}"
            )
        if not file.is_file():
            raise InputError(f"--probe-parallel {language}={file}: no such file")


def may_use_gpu(config: PretrainConfig) -> bool:
    """Whether the options leave it to the machine."""
    return config.device != "cpu"


def say_what_is_run(plan: Plan, typed: PretrainConfig) -> None:
    """The first lines of a run: which corpus, sample or not, and the choices that were made."""
    config, manifest = plan.config, plan.corpus.manifest
    languages = ", ".join(plan.languages)
    if typed.corpus is None:
        others = len(list_runs(config.work, "corpus")) - 1
        which = f"the newest of {others + 1}" if others else "the only one"
        logger.info("corpus %s (%s): %s", plan.corpus.name, which, languages)
    else:
        logger.info("corpus %s: %s", plan.corpus.name, languages)
    if manifest.get("sample") is not None:
        logger.info(
            "this is the embedded sample, with sizes to match; for real data first run "
            "`bbert corpus build --dump en=FILE --dump es=FILE`"
        )
    logger.info(
        "model: %s layers, %s heads, hidden size %s%s; %s",
        config.depth, config.heads, config.hidden,
        f" ({config.preset})" if config.preset else "", objective(config),
    )  # fmt: skip
    processes = known(config.processes)
    logger.info(
        "training: %s steps of %s rows of %s, %s on %s, %s process%s%s",
        f"{config.steps:,}", config.batch_size, config.seq_len, config.precision, config.device,
        processes, "" if processes == 1 else "es",
        f", ZeRO stage {config.zero_stage}" if config.zero_stage else "",
    )  # fmt: skip
    warn_of_slow_arithmetic(config)


def warn_of_slow_arithmetic(config: PretrainConfig) -> None:
    """Say it where `--precision` asks for what the processor has to emulate."""
    if config.precision == "bf16" and config.device == "cpu":
        warn_of_slow_bf16()


def objective(config: PretrainConfig) -> str:
    """The objective and the rows in words, every variant named."""
    negatives = {"any": "of any language", "same-language": "of the same language"}
    pieces = {
        "joint": "of the joint vocabulary",
        "same-language": "of the same language",
        "none": "none",
    }
    packing = {"two-segments": "two segments a row", "full-sentences": "one segment a row"}
    sets = {"fresh": "masked anew at every pass", "released": "masked in five fixed sets"}
    words = [
        f"MLM + NSP with negatives {negatives[config.nsp_negatives]}"
        if config.nsp
        else "MLM without NSP",
        f"{'whole words' if config.whole_word_mask else 'single word-pieces'} {sets[config.masks]}",
        f"random replacements {pieces[config.mlm_random]}",
        packing[config.packing],
        f"batches {'of one language' if config.batching == 'one-language' else 'mixed'}",
        "with language ids" if config.lang_id else "no language ids",
    ]
    if config.short_seq_probability:
        words.append(f"{config.short_seq_probability:.0%} short rows")
    return ", ".join(words)
