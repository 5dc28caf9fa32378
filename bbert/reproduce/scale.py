"""Scales: how large a reproduction is. A scale changes sizes, never what a table compares.

`pipelines/scales/<name>.yaml` holds the options that a recipe leaves open: bytes of text, layers,
steps, examples, seeds; which published size is played by which small one (`presets`); the files
that it needs, with where they come from; and what a run of each stage costs. A scale that
`extends` another has all that the other says and it does not: maps are put together key by key,
at every depth; anything else takes the place of the other's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bbert.errors import InputError


@dataclass(frozen=True)
class NeededFiles:
    """Files of one kind below `--data`: `path` is a pattern of `{language}`, or several, one
    of which is enough.

    `as_corpus` says that a corpus reads it (as a dump where the pattern has `.xml`, else as text),
    `task` that a fine-tuning does, `as_parallel` that all probes which run a model do, and
    `as_wals` that the probe of typology does. A `folder` is that of fine-tunings which are sent
    there by their own option `data`. `size` and `fetch` tell a user what is missing and how to get
    it: where a command does it, the command, to be given in the folder of `--data`.
    """

    path: str | Sequence[str]
    size: str
    fetch: str
    as_corpus: bool = False
    as_parallel: bool = False
    as_wals: bool = False
    task: str | None = None
    folder: str = ""

    @property
    def patterns(self) -> Sequence[str]:
        return [self.path] if isinstance(self.path, str) else self.path

    def patterns_of(self, languages: Sequence[str]) -> list[str]:
        """The patterns for several languages, as a shell writes alternatives; "" for none."""
        braced = "{" + ",".join(languages) + "}" if len(languages) > 1 else languages[0]
        return [pattern.format(language=braced) for pattern in self.patterns]

    def how_to_get(self, languages: Sequence[str]) -> str:
        """`fetch` for these languages."""
        return self.fetch.format(languages=" ".join(languages))

    def is_in(self, data: Path, language: str) -> bool:
        """Whether some file of the language is there."""
        return any(any(data.glob(path.format(language=language))) for path in self.patterns)

    def pattern_in(self, data: Path, language: str) -> str:
        """The pattern by which files of a language are there; the first one where none is."""
        patterns = [path.format(language=language) for path in self.patterns]
        return next((path for path in patterns if any(data.glob(path))), patterns[0])


@dataclass(frozen=True)
class Scale:
    """The sizes of a reproduction.

    `transfer` are options of fine-tunings by task, `transfer_of` more of them by paper and task, as
    each paper had its own; `models` are those that recipes call by name (mBERT); `probe` holds
    options of all probes that run a model; `tables` replaces variables of a recipe by what the
    scale has data or layers for; `seconds` and `megabytes` (of disk) are what a run of each stage
    costs, `memory_gb` what the largest command takes, None where it was not measured.
    """

    name: str
    says: str
    seeds: Sequence[int]
    corpus: Mapping[str, Any]
    pretrain: Mapping[str, Any]
    transfer: Mapping[str, Mapping[str, Any]]
    seconds: Mapping[str, float]
    megabytes: Mapping[str, float]
    memory_gb: float | None = None
    data: Sequence[NeededFiles] = ()
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    models: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    probe: Mapping[str, Any] = field(default_factory=dict)
    tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    transfer_of: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    gpu: bool = False

    def fine_tuning(self, paper: str, task: str) -> dict[str, Any]:
        """Options of all fine-tunings of a task in a paper's tables."""
        return {**self.transfer.get(task, {}), **self.transfer_of.get(paper, {}).get(task, {})}

    def with_seeds(self, first: int, number: int | None) -> Scale:
        """The same with seeds of the whole chain counted from `first`.

        Corpora, which all seeds share, are built with `first`. Where a `number` is given, each seed
        is one pretraining and one fine-tuning of it, so that the values of a cell are independent;
        else both are as the scale says, its seeds with `first` added.
        """
        corpus = {**self.corpus, "seed": first} if first else self.corpus
        if number is None:
            return replace(self, seeds=tuple(first + seed for seed in self.seeds), corpus=corpus)
        seeds = tuple(range(first, first + number))
        return replace(
            self, seeds=seeds, corpus=corpus, transfer=_without_seeds(self.transfer),
            transfer_of={paper: _without_seeds(of) for paper, of in self.transfer_of.items()},
        )  # fmt: skip


def _without_seeds(by_task: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    return {
        task: {key: value for key, value in options.items() if key != "seeds"}
        for task, options in by_task.items()
    }


def load_scale(folder: Path, name: str) -> Scale:
    """The scale of that name.

    Raises:
        InputError: no such scale, or its file has an unknown or missing key.
    """
    path = folder / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in folder.glob("*.yaml")))
        raise InputError(f"--scale {name}: there are {known}")
    content = _content(path)
    try:
        needed = tuple(NeededFiles(**files) for files in content.pop("data"))
        return Scale(name=name, data=needed, **content)
    except (TypeError, KeyError) as error:
        raise InputError(f"{path}: {error}") from None


def _content(path: Path) -> dict[str, Any]:
    import yaml

    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if "extends" not in content:
        return content
    base = path.with_name(f"{content.pop('extends')}.yaml")
    if not base.is_file() or base == path:
        raise InputError(f"{path}: extends {base.stem}, and there is no other scale of that name")
    return _over(_content(base), content)


def _over(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the values of `own` put over its own."""
    both = {**base, **own}
    for key in base.keys() & own.keys():
        if isinstance(base[key], Mapping) and isinstance(own[key], Mapping):
            both[key] = _over(base[key], own[key])
    return both
