"""`bbert corpus build`: dump or text → sentences → interventions → vocabulary → token store."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bbert.cards.card import write_corpus_card
from bbert.corpus.build import Build
from bbert.corpus.config import CorpusConfig, interventions, resolve, run_name
from bbert.corpus.dumps import check_wikiextractor
from bbert.corpus.estimate import SAMPLE_ESTIMATES, estimates
from bbert.corpus.freed_memory import keep_freed_memory
from bbert.corpus.sources import Source, assign_sources, read_sources
from bbert.errors import InputError
from bbert.json_files import read_json
from bbert.languages import Language, parse_languages
from bbert.run_directory import STAGE_FOLDERS, RunDirectory, open_run
from bbert.stage_config import DryRun
from bbert.usable_processors import usable_processors

logger = logging.getLogger(__name__)


def run(config: CorpusConfig) -> RunDirectory | DryRun:
    """Build a corpus, go on with one that was interrupted, or find it up to date.

    Worker processes import the main module: a script of your own that calls this needs an
    `if __name__ == "__main__":` around the call.

    Raises:
        InputError: an option or an input file cannot be used; the message names it and the mend.
        BrokenPromise: the corpus is not what its options promise.
    """
    name = run_name(config)
    resolved = resolve(config)
    languages = parse_languages(resolved.languages or ())
    own = interventions(resolved)
    processes = config.processes or usable_processors()
    run_path = config.work / STAGE_FOLDERS["corpus"] / name
    if config.is_sample:
        _check_sample_has(languages)
        if config.dry_run:
            return DryRun(resolved, run_path, SAMPLE_ESTIMATES)
        sample, sources = _sample_sources(config, languages)
    else:
        sample, sources = None, read_sources(config.dump, config.text)
        resolved = replace(resolved, dump=_absolute(config.dump), text=_absolute(config.text))
    served = assign_sources(languages, sources)
    _check_presplit(resolved, sources)
    if any(source.dumps for source in sources.values()):
        check_wikiextractor()
    if config.dry_run:
        return DryRun(resolved, run_path, estimates(resolved, served, sources, processes))
    inputs = [path for source in sources.values() for path in source.files]
    keep_freed_memory()
    with open_run("corpus", name, resolved, inputs) as run:
        if not run.up_to_date:
            run.extra["languages"] = [language.name for language in languages]
            run.extra["interventions"] = {
                language.name: own[language.name].names(language) for language in languages
            }
            run.extra["sample"] = None if sample is None else str(sample.resolve())
            Build(run, resolved, languages, sources, served, processes).all_steps()
            write_corpus_card(run, read_json(run.path / "certificate.json"))
            run.finish()
    return run.directory


def _check_sample_has(languages: Sequence[Language]) -> None:
    from bbert.sample.languages import GRAMMARS

    for language in languages:
        if (key := language.source) not in GRAMMARS:
            raise InputError(
                f"the embedded sample has no text in {key!r} (it has {' '.join(GRAMMARS)}); "
                f"give --dump {key}=FILE or --text {key}=FILE"
            )


def _sample_sources(
    config: CorpusConfig, languages: list[Language]
) -> tuple[Path, dict[str, Source]]:
    """The folder of the embedded sample, written if need be, and its dumps."""
    from bbert.sample.write import write_sample

    logger.info("no --dump or --text: building from the embedded sample (a small invented world)")
    logger.info(
        "for real data: bbert corpus build --languages enfake it --dump en=enwiki.xml.bz2 "
        "--dump it=itwiki.xml.bz2, or --text it=FILE"
    )
    name = "sample" if config.seed == 0 else f"sample-seed{config.seed}"
    sample = config.work / name
    write_sample(sample, config.seed)
    dumps = {path.name.partition("wiki-")[0]: path for path in sorted(sample.glob("wiki/*.xml*"))}
    keys = [language.source for language in languages]
    return sample, {key: Source(key, dumps=(dumps[key].resolve(),)) for key in keys}


def _absolute(values: tuple[str, ...]) -> tuple[str, ...]:
    """The same options whatever folder the saved configuration is used from."""
    parts = (value.partition("=") for value in values)
    return tuple(f"{key}={Path(path).expanduser().absolute()}" for key, _, path in parts)


def _check_presplit(config: CorpusConfig, sources: Mapping[str, Source]) -> None:
    for source in sources.values():
        if config.presplit and source.dumps and source.texts:
            raise InputError(
                f"--presplit: {source.key!r} has a dump too, whose text is not split into "
                "sentences; build it from one of the two"
            )
