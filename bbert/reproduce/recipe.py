"""Recipes: which runs make which published table, and what the table is said to show.

A recipe is data (`pipelines/recipes/<paper>.yaml`): rows with the options of a corpus, a
pretraining and of fine-tunings, without any size. `for:` repeats a row over all combinations of
its variables, or over a list of them; `{variable}` stands in options, and where an option is
nothing but a variable it keeps the variable's type. A table's own `variables:` (languages, layers)
may be replaced by a scale that has other data or fewer layers (`bbert.reproduce.scale`), as sizes
are. A null in a fine-tuning's options means that the option is not given. Where `train_lang` is a
list, each language is trained on by itself, and a cell is the mean over all of them, a language
tested on itself left out; `train_as` is what the list is called. `printed_as` of a
fine-tuning says what else tells the printed cells of a test set from others (test set → keys);
`en+hi` is learnt together, and a `train_set` (NAME=LANGUAGE:PATH) is called by its name.
`probes:` of a table (or of a figure, which is a table without printed cells) are looks inside its
models, one for every seed; `for:` repeats them as it does rows.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bbert.errors import InputError
from bbert.reproduce.scale import Scale

_ROW_KEYS = {
    "for", "label", "corpus", "model", "pretrain", "transfer", "train_as", "published",
    "relative_to",
}  # fmt: skip
PROBES_OF_A_MODEL = ("cka", "retrieval", "translation", "cosine")
_PROBES_OF_RUNS = ("overlap", "typology", "gap", "portrait")
_CLAIM_KEYS = {
    "id", "says", "cells", "except", "left", "right", "expect", "within", "measure", "ignoring"
}  # fmt: skip
_UNFILLED = re.compile(r"\{(\w+)\}")
_EXPECTATIONS = ("greater", "less", "near")
_MEASURES = ("score", "gap")


@dataclass(frozen=True)
class Row:
    """One row of a table with all variables filled in.

    Either `corpus` and `pretrain` hold options of a model of its own, or `model` names one that
    the scale provides (mBERT). `transfer` are fine-tunings, each with its `groups` of test
    languages whose mean makes a cell of its own; `published` the keys of the printed cells beside
    the task, the languages and the metric. With `relative_to`, the table prints the difference from
    the row whose variables have these values.
    """

    label: str
    variables: Mapping[str, Any]
    corpus: Mapping[str, Any]
    model: str | None
    pretrain: Mapping[str, Any]
    transfer: Sequence[Mapping[str, Any]]
    published: Mapping[str, str]
    relative_to: Mapping[str, Any] = field(default_factory=dict)
    train_as: str | None = None


@dataclass(frozen=True)
class TableRecipe:
    """A published table or figure: its rows, the claims that it is to bear out, and its probes.

    A probe is the options of one `bbert probe` command beside `probe` (which one) and, for those
    that run a model, `model` (one that the scale provides) and `beside: transfer` (the table's
    fine-tunings of the same seed are measured too; where `languages` are named, those from the
    first of them).
    """

    paper: str
    number: str
    title: str
    rows: Sequence[Row]
    claims: Sequence[Mapping[str, Any]]
    probes: Sequence[Mapping[str, Any]] = ()

    @property
    def key(self) -> str:
        """The table's short name, such as `k2020-2`."""
        return f"{self.paper}-{self.number}"


def load_recipes(folder: Path, scale: Scale) -> dict[str, dict[str, TableRecipe]]:
    """All recipes of a folder at a scale: paper → table's number → recipe.

    Raises:
        InputError: a file that is no recipe; names the file, the table and the key.
    """
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise InputError(f"{folder}: no recipe (*.yaml) there; install bbert anew")
    return {path.stem: _load(path, scale) for path in files}


def _load(path: Path, scale: Scale) -> dict[str, TableRecipe]:
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise InputError(f"{path}: no YAML: {' '.join(str(error).split())}") from None
    recipes = {}
    for number, table in content["tables"].items():
        where = f"{path}, table {number}"
        variables = {**table.get("variables", {}), **scale.tables.get(f"{path.stem}-{number}", {})}
        rows = [
            row
            for template in fill(table.get("rows", ()), variables)
            for row in _expanded(template, where)
        ]
        probes = [
            _checked_probe(probe, where)
            for template in fill(table.get("probes", ()), variables)
            for probe in _probes(template)
        ]
        claims = [
            _checked_claim(claim, where) for claim in fill(table.get("claims", ()), variables)
        ]
        recipes[str(number)] = TableRecipe(
            path.stem, str(number), table["title"], tuple(rows), tuple(claims), tuple(probes)
        )
    return recipes


def _expanded(template: Mapping[str, Any], where: str) -> Iterator[Row]:
    _refuse_unknown(template, _ROW_KEYS, where)
    if ("corpus" in template) == ("model" in template):
        raise InputError(f"{where}: a row has either 'corpus' or 'model'")
    for variables in _combinations(template.get("for", {})):
        filled = {key: fill(value, variables) for key, value in template.items() if key != "for"}
        if left := _UNFILLED.search(str(filled)):
            raise InputError(f"{where}: nothing says what {left[0]} is")
        yield Row(
            filled.get("label", ", ".join(f"{k} {v}" for k, v in variables.items())),
            variables,
            filled.get("corpus", {}),
            filled.get("model"),
            filled.get("pretrain", {}),
            [{k: v for k, v in options.items() if v is not None} for options in filled["transfer"]],
            {key: _as_printed(value) for key, value in filled.get("published", {}).items()},
            filled.get("relative_to", {}),
            filled.get("train_as"),
        )


def _probes(template: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A probe for every combination of the variables of its `for:`."""
    options = {key: value for key, value in template.items() if key != "for"}
    for variables in _combinations(template.get("for", {})):
        yield fill(options, variables)


def _combinations(over: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The values of a row's variables: all combinations of a map, or a list as it stands.

    Where the values of a map are maps themselves, their keys are the variables.
    """
    if not isinstance(over, Mapping):
        return [dict(variables) for variables in over]
    combinations = []
    for values in itertools.product(*over.values()):
        variables: dict[str, Any] = {}
        for key, value in zip(over, values, strict=True):
            variables.update(value if isinstance(value, Mapping) else {key: value})
        combinations.append(variables)
    return combinations


def _as_printed(value: Any) -> str:
    """A value as the published tables key it; switches are 1 and 0 there."""
    return str(int(value)) if isinstance(value, bool) else str(value)


def fill(value: Any, variables: Mapping[str, Any]) -> Any:
    """`value` with those `{variables}` filled in, everywhere in lists and maps, keys too; others
    stay."""
    if isinstance(value, str):
        if value[:1] == "{" and value[-1:] == "}" and value[1:-1] in variables:
            return variables[value[1:-1]]
        return _UNFILLED.sub(lambda m: str(variables.get(m[1], m[0])), value)
    if isinstance(value, Mapping):
        return {fill(key, variables): fill(item, variables) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [fill(item, variables) for item in value]
    return value


def _checked_claim(claim: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    _refuse_unknown(claim, _CLAIM_KEYS, where)
    if claim["expect"] not in _EXPECTATIONS or claim.get("measure", "score") not in _MEASURES:
        raise InputError(f"{where}, claim {claim['id']}: expect {', '.join(_EXPECTATIONS)}; "
                         f"measure {', '.join(_MEASURES)}")  # fmt: skip
    if isinstance(claim["right"], str) and claim["right"] != "floor":
        raise InputError(f"{where}, claim {claim['id']}: 'right' has cells' variables, or is floor")
    if (claim["expect"] == "near") != ("within" in claim):
        raise InputError(f"{where}, claim {claim['id']}: 'within' (points) goes with near, only")
    return claim


def _checked_probe(probe: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    kind = probe.get("probe")
    if kind not in (*PROBES_OF_A_MODEL, *_PROBES_OF_RUNS):
        raise InputError(f"{where}: no probe {kind!r}")
    if (kind in (*PROBES_OF_A_MODEL, "portrait")) != ("model" in probe):
        raise InputError(f"{where}: 'model' goes with {', '.join(PROBES_OF_A_MODEL)}, portrait")
    return probe


def _refuse_unknown(content: Mapping[str, Any], known: set[str], where: str) -> None:
    if unknown := sorted(content.keys() - known):
        raise InputError(
            f"{where}: unknown key {unknown[0]!r}; there are {', '.join(sorted(known))}"
        )
