"""Averages over groups of languages: `--average SVO=en,es,ru --average SOV=hi`.

An average is the mean over the rows of its group, formed within every seed, then mean and standard
deviation over seeds as for a single row; seeds that lack a row of the group are left out. The
training language of a run is no zero-shot result, nor is a named set in it, nor one of several
(`en+hi`): an average that contains such rows is given a second time without them (`zero_shot`), as
papers print both. What counts is the language of a row, not its name; a row of two texts is left
out where both are in languages that were learnt.

For runs that were trained on one language each, `between_groups` averages over pairs (training
language, test language) of one group and another, without the pairs of a language with itself
(Pires et al. 2019, table 5).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from bbert.errors import InputError

Groups = Mapping[str, tuple[str, ...]]
"""Name of a group → its rows of the results, in order."""


def parse_average(text: str) -> tuple[str, tuple[str, ...]]:
    """`NAME=a,b` as a name and its members.

    Raises:
        ValueError: another form, or a member that is named twice.
    """
    name, sign, members = text.partition("=")
    languages = tuple(part.strip() for part in members.split(","))
    if not sign or not name.strip() or not all(languages):
        raise ValueError(f"--average {text!r}: give NAME=LANGUAGE,LANGUAGE,…, e.g. SVO=en,es,ru")
    if len(set(languages)) < len(languages):
        raise ValueError(f"--average {text!r} names a language twice")
    return name.strip(), languages


def groups_of(typed: Sequence[str], rows: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The groups that were asked for.

    Args:
        typed: values of `--average`.
        rows: names of the rows that the run is tested on.

    Raises:
        InputError: a member that the run is not tested on, a name that is taken.
    """
    there = list(rows)
    groups: dict[str, tuple[str, ...]] = {}
    for text in typed:
        name, members = parse_average(text)
        for member in members:
            if member not in there:
                raise InputError(
                    f"--average {text}: {member!r} is not tested (--eval-langs, --eval-set: "
                    f"{', '.join(there)})"
                )
        if name in groups or name in there:
            raise InputError(f"--average {text}: there is a row called {name!r} already")
        groups[name] = members
    return groups


def averages(
    languages: Mapping[str, Mapping[str, Any]], sources: Collection[str], groups: Groups
) -> dict[str, dict[str, Any]]:
    """The content of `averages` in results.json.

    Args:
        languages: the rows of the results.
        sources: the training language, or several.
        groups: name → rows.
    """
    found: dict[str, dict[str, Any]] = {}
    for name, members in groups.items():
        found[name] = _average([languages[member] for member in members], members)
        others = tuple(m for m in members if not _spoken(m, languages) <= set(sources))
        with_source = len(others) < len(members)
        if with_source and others:
            found[name]["zero_shot"] = _average([languages[m] for m in others], others)
    return found


def training_languages_of(content: Mapping[str, Any]) -> list[str]:
    """The languages that a run was fine-tuned on, from its `results.json`.

    Runs of an older version have their name only, which of a `--train-set` is no language.
    """
    return content.get("train_languages") or content["train_language"].split("+")


def between_groups(
    contents: Sequence[Mapping[str, Any]], groups: Groups
) -> dict[tuple[str, str], dict[str, Any]]:
    """(group of the training language, group of the test language) → average over the pairs.

    Args:
        contents: `results.json` of runs that differ in the training language only.
        groups: name → rows; a run belongs to those that name its training language.

    Returns:
        only the cells that have at least one pair.
    """
    table: dict[tuple[str, str], dict[str, Any]] = {}
    learnt = [(run, set(training_languages_of(run))) for run in contents]
    for first, trained_on in groups.items():
        runs = [
            (run, source)
            for run, source in learnt
            if len(source) == 1 and {run["train_language"], *source} & set(trained_on)
        ]
        for second, tested_on in groups.items():
            pairs = [
                (f"{run['train_language']}>{row}", run["languages"][row])
                for run, source in runs
                for row in tested_on
                if row in run["languages"] and _spoken(row, run["languages"]) != source
            ]
            if pairs:
                names, entries = zip(*pairs, strict=True)
                table[first, second] = _average(entries, names)
    return table


def _spoken(row: str, languages: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """The languages of a row of the results, its name where they do not say."""
    entry = languages.get(row, {})
    second = entry.get("second_language")
    return {entry.get("language") or row, *([second] if second else [])}


def _average(entries: Sequence[Mapping[str, Any]], members: Sequence[str]) -> dict[str, Any]:
    by_seed = [dict(zip(e["seeds"], e["values"], strict=True)) for e in entries]
    seeds = [seed for seed in by_seed[0] if all(seed in scores for scores in by_seed)]
    values = [fmean(scores[seed] for scores in by_seed) for seed in seeds]
    return {
        "languages": list(members),
        "num_languages": len(members),
        "values": values,
        "seeds": seeds,
        "mean": fmean(values) if values else None,
        "std": stdev(values) if len(values) > 1 else None,
        "chance": fmean(entry["chance"] for entry in entries),
    }
