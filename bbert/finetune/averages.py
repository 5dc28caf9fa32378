"""Averages over groups of languages: `--average SVO=en,es,ru --average SOV=hi`.

An average is the mean over the rows of its group, formed within every seed, then mean and standard
deviation over seeds as for a single row; seeds that lack a row of the group are left out. The
training language of a run is no zero-shot result: an average that contains it, or one of several
(`en+hi`), is given a second time without it (`zero_shot`), as papers print both.

For runs that were trained on several languages, `between_groups` averages over pairs (training
language, test language) of one group and another, without the pairs of a language with itself
(Pires et al. 2019, table 5).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
    languages: Mapping[str, Mapping[str, Any]], source: str, groups: Groups
) -> dict[str, dict[str, Any]]:
    """The content of `averages` in results.json.

    Args:
        languages: the rows of the results.
        source: the training language, or several joined by "+".
        groups: name → rows.
    """
    found: dict[str, dict[str, Any]] = {}
    sources = {source, *source.split("+")}
    for name, members in groups.items():
        found[name] = _average([languages[member] for member in members], members)
        others = tuple(member for member in members if member not in sources)
        with_source = len(others) < len(members)
        if with_source and others:
            found[name]["zero_shot"] = _average([languages[m] for m in others], others)
    return found


def between_groups(
    contents: Sequence[Mapping[str, Any]], groups: Groups
) -> dict[tuple[str, str], dict[str, Any]]:
    """(group of the training language, group of the test language) → average over the pairs.

    Args:
        contents: `results.json` of runs that differ in the training language only.
        groups: name → languages.

    Returns:
        only the cells that have at least one pair.
    """
    table: dict[tuple[str, str], dict[str, Any]] = {}
    for first, trained_on in groups.items():
        runs = [c for c in contents if c["train_language"] in trained_on]
        for second, tested_on in groups.items():
            pairs = [
                (f"{run['train_language']}>{language}", run["languages"][language])
                for run in runs
                for language in tested_on
                if language != run["train_language"] and language in run["languages"]
            ]
            if pairs:
                names, entries = zip(*pairs, strict=True)
                table[first, second] = _average(entries, names)
    return table


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
