"""What the published tables cost at a scale: time, processor time, memory and disk of each.

    python benchmarks/reproduce.py --work DIR [--paper k2020] [--scale sample] [--data DIR]
        [--output FILE]

Runs `bbert reproduce` table by table, in the order of the recipes, as many commands side by side as
there are processors, and prints a Markdown row for each as soon as it is done. Tables share runs: a
row says how many of its runs were there already, and a table that comes first pays for those that
it shares. In an empty folder the sum is that of one full run. Stopped and started again in the same
folder, it goes on, and says so in the rows.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from bbert.reproduce.chosen_tables import chosen_tables
from bbert.reproduce.plan import make_plan
from bbert.reproduce.recipe import TableRecipe, load_recipes
from bbert.reproduce.scale import Scale, load_scale
from bbert.reproduce.shipped import pipelines_folder
from bbert.reproduce.written_plan import is_done

HEAD = (
    "table", "began (UTC)", "runs", "there before", "minutes", "processor minutes",
    "most memory of a process, MB", "disk of all, MB", "exit code",
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder of all runs")
    parser.add_argument("--paper", help="one paper; all without it")
    parser.add_argument("--table", nargs="*", default=(), help="some tables of --paper")
    parser.add_argument("--scale", default="sample")
    parser.add_argument("--data", type=Path, help="files of a scale that needs some")
    parser.add_argument("--output", type=Path, help="also append the rows to this file")
    options = parser.parse_args(arguments)
    if options.table and not options.paper:
        parser.error("--table needs --paper")
    scale = load_scale(pipelines_folder() / "scales", options.scale)
    recipes = load_recipes(pipelines_folder() / "recipes", scale)
    output = options.output.open("a", encoding="utf-8") if options.output else None
    show(output, "| " + " | ".join(HEAD) + " |\n|" + "---|" * len(HEAD))
    codes = []
    for recipe in chosen_tables(recipes, options.paper, options.table):
        row, code = measured(recipe, scale, options.work, options.data)
        show(output, "| " + " | ".join(row) + " |")
        codes.append(code)
    return int(any(codes))


def measured(
    recipe: TableRecipe, scale: Scale, work: Path, data: Path | None
) -> tuple[list[str], int]:
    """The row of one table, run as a user runs it; and its exit code."""
    jobs = make_plan([recipe], scale, data and data.resolve()).jobs.values()
    before = sum(is_done(work, job) for job in jobs)
    log = work / "logs" / f"{recipe.key}.out"
    log.parent.mkdir(parents=True, exist_ok=True)
    files = ["--data", str(data)] if data else []
    began, start = datetime.now(UTC), time.monotonic()
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [
                sys.executable, "-m", "bbert", "reproduce", recipe.paper, "--table", recipe.number,
                "--scale", scale.name, "--work", str(work), *files,
            ],
            stdout=stream, stderr=subprocess.STDOUT,
        )  # fmt: skip
        _, status, usage = os.wait4(process.pid, 0)
    code = process.returncode = os.waitstatus_to_exitcode(status)
    minutes = (time.monotonic() - start) / 60
    size = sum(path.lstat().st_size for path in work.rglob("*") if path.is_file())
    return [
        f"{recipe.paper} {recipe.number}",
        f"{began:%H:%M:%S}",
        str(len(jobs)),
        str(before),
        f"{minutes:.1f}",
        f"{(usage.ru_utime + usage.ru_stime) / 60:.1f}",
        f"{usage.ru_maxrss / 1024:.0f}",
        f"{size / 1e6:.0f}",
        str(code),
    ], code


def show(output: TextIO | None, text: str) -> None:
    print(text, flush=True)
    if output is not None:
        output.write(text + "\n")
        output.flush()


if __name__ == "__main__":
    sys.exit(main())
