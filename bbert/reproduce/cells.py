"""The cells of a planned table: which runs fill each, and which printed cell stands beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bbert.reproduce.recipe import Row

OF_CELLS = ("groups", "printed_as", "score")
"""What a recipe says of a fine-tuning's cells, in between the options of the command."""


def cells_of(
    row: Row, transfer: Mapping[str, Any], runs: Mapping[str, str], floor: str
) -> Iterator[dict[str, Any]]:
    """One cell for every test language, named test set and group of a row's fine-tuning.

    Args:
        runs: run → the language that it is trained on.
        floor: name of what stands beside: the same from random encoders of the same kind.
    """
    source = row.train_as or learned_from(transfer)
    languages = _test_languages(transfer)
    single = {test: [test] for test in languages} if row.train_as is None else {}
    tests: dict[str, Sequence[str]] = {**single, **transfer.get("groups", {})}
    for test, members in tests.items():
        yield {
            "row": row.label,
            "variables": {
                **row.variables,
                "task": transfer["task"],
                "role": _role(test, members, source, languages),
            },
            "train": source,
            "test": test,
            "members": list(members),
            "published": {
                "task": transfer["task"],
                "train_language": source,
                "test_language": languages.get(test, test).replace("-", "+"),
                **row.published,
                **transfer.get("printed_as", {}).get(test, {}),
            },
            "relative_to": dict(row.relative_to),
            "score": transfer.get("score", ""),
            "runs": list(runs),
            "without": left_out(row, runs),
            "floor": floor,
        }


def learned_from(transfer: Mapping[str, Any]) -> Any:
    """What a fine-tuning learns from, as its results call it; a list where it is several runs."""
    from bbert.finetune.evaluation_sets import parse_named_set

    if "train_set" in transfer:
        return parse_named_set(transfer["train_set"], "--train-set").name
    return transfer["train_lang"]


def left_out(row: Row, runs: Mapping[str, str]) -> dict[str, str]:
    """Run → the language that its averages leave out: the one it was trained on."""
    return dict(runs) if row.train_as else {}


def _test_languages(transfer: Mapping[str, Any]) -> dict[str, str]:
    """Row of the results → its language; a named set (NAME=LANGUAGE:PATH) has a name of its own."""
    from bbert.finetune.evaluation_sets import parse_named_set

    sets = map(parse_named_set, transfer.get("eval_set", ()))
    return {test: test for test in transfer["eval_langs"]} | {s.name: s.language for s in sets}


def _role(test: str, members: Sequence[str], source: str, languages: Mapping[str, str]) -> str:
    """What a test set is to the training language; claims speak of roles."""
    if list(members) != [test]:
        return "average"
    first, _, second = test.partition("-")
    if test == languages[test] and second and second != first:
        return "mixed"
    if languages[test] in source.split("+"):
        return "source" if test == languages[test] else "domain"
    return "target"
