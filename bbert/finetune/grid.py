"""Sweeps and grids: one command, several runs.

Options with several values span a grid: `--train-lang en,es`, `--fusion-layer 1-11`,
`--random-init 1-2/3-4` or `pairs`. Every cell is an ordinary run with the name it would have alone:
a killed grid goes on where it was, a cell that exists already is up to date, and a report finds
them all. All cells are planned before the first one runs, so that a missing file shows at once; a
cell that fails later is reported and the others go on.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from bbert.finetune.config import FinetuneConfig
from bbert.finetune.evaluation_sets import training_languages
from bbert.finetune.layer_sets import layer_groups, parse_layers
from bbert.finetune.treebanks import needed_treebanks, refuse_idle_treebanks
from bbert.json_files import read_json
from bbert.run_directory import RunDirectory

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

AXES = {
    "train_lang": "fine-tuned on", "fusion_layer": "fusion layer", "random_init": "random layers"
}  # fmt: skip
"""Option → what it is called at the head of a table."""

_TREEBANK = "--train-treebank"

Cell = tuple[dict[str, Any], FinetuneConfig]
"""The values of the axes that vary, and the configuration of that run."""


def cells_of(typed: FinetuneConfig, depth: int) -> list[Cell]:
    """The runs that a command asks for; one where no option has several values.

    A cell keeps the training treebanks of its own languages only, as if it were typed alone.

    Args:
        typed: the configuration as typed.
        depth: layers of the encoder, for `--random-init pairs`.

    Raises:
        InputError: a treebank that no cell learns from.
    """
    values: dict[str, list[Any]] = {}
    if typed.train_lang is not None:
        values["train_lang"] = typed.train_lang.split(",")
    if typed.fusion_layer is not None:
        values["fusion_layer"] = parse_layers(str(typed.fusion_layer))
    if typed.random_init is not None:
        values["random_init"] = layer_groups(typed.random_init, depth)
    varying = [axis for axis in AXES if len(values.get(axis, ())) > 1]
    learned: dict[str, list[str]] = {}
    if typed.train_treebank:
        for names in values.get("train_lang", ()):
            learned[names] = [language.source for language in training_languages(names)]
    if learned:
        all_learned = itertools.chain.from_iterable(learned.values())
        refuse_idle_treebanks(all_learned, typed.train_treebank, _TREEBANK, "learnt from")
    cells: list[Cell] = []
    for chosen in itertools.product(*values.values()):
        options = dict(zip(values, chosen, strict=True))
        place = {axis: options[axis] for axis in varying}
        if typed.random_init is not None and options["random_init"] is None:
            options["init"] = None  # nothing is drawn in this cell
        if learned:
            own = learned[options["train_lang"]]
            options["train_treebank"] = needed_treebanks(own, typed.train_treebank, _TREEBANK)
        name = typed.name
        if name and varying:
            name = "-".join([name, *(_word(place[axis]) for axis in varying)])
        cells.append((place, replace(typed, **options, name=name)))
    return cells


@dataclass(frozen=True)
class Grid:
    """The finished cells of a grid, and why the others are not."""

    runs: Sequence[tuple[Mapping[str, Any], RunDirectory]]
    failures: Mapping[str, str] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """What the command ends with: 1 where a cell failed."""
        return 1 if self.failures else 0

    def __rich__(self) -> RenderableType:
        """One row per cell, one column per test language."""
        from rich.console import Group
        from rich.table import Table

        from bbert.finetune.summary import score_text

        contents = [(place, read_json(run.path / "results.json")) for place, run in self.runs]
        lines: list[RenderableType] = []
        if contents:
            first = contents[0][1]
            languages = list(dict.fromkeys(name for _, c in contents for name in c["languages"]))
            means = {
                name: average["num_languages"]
                for _, c in contents
                for name, average in (c.get("averages") or {}).items()
            }
            metric = first["metric"].replace("_", " ")
            seeds = sorted({seed for _, c in contents for seed in c["seeds"]})
            table = Table(
                title=f"{first['task']}: {first['model']}, {first['fusion']}; {metric} %",
                caption="mean ± standard deviation over seeds "
                f"{', '.join(map(str, seeds))}; a row is a run of its own",
                title_justify="left",
                caption_justify="left",
            )
            axes = list(contents[0][0])
            for axis in axes:
                table.add_column(AXES[axis])
            for name in languages:
                table.add_column(name, justify="right")
            for name, number in means.items():
                table.add_column(f"mean {name} ({number})", justify="right")
            for place, content in contents:
                scores = content["languages"]
                averaged = content.get("averages") or {}
                table.add_row(
                    *(_word(place[axis]) for axis in axes),
                    *(score_text(scores[name]) if name in scores else "" for name in languages),
                    *(score_text(averaged[name]) if name in averaged else "" for name in means),
                )
            table.add_section()
            chances = ({c["languages"][n]["chance"] for _, c in contents if n in c["languages"]}
                       for n in languages)  # fmt: skip
            table.add_row(
                "chance", *[""] * (len(axes) - 1), *(f"{100 * max(found):.1f}" for found in chances)
            )
            lines.append(table)
            lines += group_tables(contents)
            lines += [f"→ {run.path}" for _, run in self.runs]
            lines += [  # a row has fewer seeds than the caption says
                f"failed: {run.name}, {what}: {why}"
                for (_, run), (_, content) in zip(self.runs, contents, strict=True)
                for what, why in content.get("failures", {}).items()
            ]
        lines += [f"failed: {cell}: {why}" for cell, why in self.failures.items()]
        return Group(*lines)


def group_tables(contents: Sequence[tuple[Mapping[str, Any], dict[str, Any]]]) -> list[Table]:
    """Averages between groups of training and of test languages, where both have several.

    One table for each choice of the other axes; empty without `--average` or with one training
    language.
    """
    from rich.table import Table

    from bbert.finetune.averages import between_groups
    from bbert.finetune.summary import score_text

    tables: list[Table] = []
    alike: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for place, content in contents:
        others = tuple(f"{AXES[a]} {_word(v)}" for a, v in place.items() if a != "train_lang")
        alike.setdefault(others, []).append(content)
    for others, found in alike.items():
        groups = {
            name: tuple(average["languages"])
            for content in found
            for name, average in (content.get("averages") or {}).items()
        }
        cells = between_groups(found, groups)
        if len({content["train_language"] for content in found}) < 2 or not cells:
            continue
        table = Table(
            title=", ".join(["zero-shot mean from group (row) to group (column)", *others]),
            caption="over pairs of a training and another test language; (number of pairs)",
            title_justify="left",
            caption_justify="left",
        )
        table.add_column("fine-tuned on")
        for name in groups:
            table.add_column(name, justify="right")
        for first in groups:
            row = [cells.get((first, second)) for second in groups]
            shown = (f"{score_text(c)} ({c['num_languages']})" if c else "" for c in row)
            table.add_row(first, *shown)
        tables.append(table)
    return tables


def _word(value: object) -> str:
    """A value of an axis as part of a name and in a table."""
    return "none" if value is None else str(value).replace(",", "+")
