"""Example reports of the embedded sample, for the site: `docs/examples/`, which git ignores.

    python docs/build_examples.py

Small runs, kept in `build/examples/` and up to date at the next call; nothing is downloaded. Two
reports come of them: of everything, probes included, and of two runs compared. Beside the reports
stand the JSON files of the runs that their links lead to, never weights or text.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
from html import escape
from pathlib import Path

from bbert.cli import main as bbert
from bbert.sample.write import VERSION

DOCS = Path(__file__).resolve().parent
KEPT = DOCS.parent / "build" / "examples"
SITE = DOCS / "examples"
STEPS, SEEDS = 1000, 2
"""Of pretraining, and of every fine-tuning."""

REPORTS = ("everything", "compared")
FOLDERS = ("corpora", "models", "transfer", "probes")
MEASUREMENTS = (".json", ".jsonl", ".csv", ".yaml")
_MOST_BYTES = 1_000_000
_LISTING = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{name}</title><style>:root{{color-scheme:light dark}}body{{font:1rem system-ui;margin:1rem}}
</style><h1>{name}</h1><p>What the run measured. Its weights and its text are left out.</p>
<ul>
{items}
</ul></html>
"""


def main() -> None:
    parser = argparse.ArgumentParser(description="Example reports for the site")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--work", type=Path, default=KEPT)
    parser.add_argument("--site", type=Path, default=SITE)
    options = parser.parse_args()
    # Another list of runs, or another sample, has a folder of its own.
    made_by = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:8]
    name = f"sample-{VERSION}-steps-{options.steps}-seeds-{options.seeds}-{made_by}"
    work = options.work / name
    measure(work, options.steps, options.seeds)
    publish(work, options.site)


def measure(work: Path, steps: int, seeds: int) -> None:
    """Make every run and both reports in `work`; what is there already is kept."""

    def call(*words: str) -> None:
        code = bbert([*words, "--work", str(work), "--quiet"])
        if code:
            raise SystemExit(f"bbert {' '.join(words)} ended with exit code {code}")

    call("demo", "--tasks", "pos", "--steps", str(steps), "--seeds", str(seeds), "--name", "demo")
    for sweep in (("--random-init", "layers"), ("--fusion", "dlfa", "--fusion-layer", "1,3")):
        call("finetune", "--task", "pos", "--seeds", str(seeds), *sweep)
    call("probe", "cka", "--random-init", "all")
    call("probe", "retrieval", "--random-init", "all")
    call("probe", "translation", "--random-init", "all")
    call("probe", "portrait")
    call("report", "--name", "everything")
    last, fused = (_run_of(work / "transfer", fusion) for fusion in ("last", "dlfa"))
    call("report", "--compare", last, fused, "--name", "compared")


def publish(work: Path, site: Path) -> None:
    """Put the reports of `work`, and the small files of its runs, below `site`, anew."""
    shutil.rmtree(site, ignore_errors=True)
    for name in REPORTS:
        report = work / "reports" / name
        for folder in ("tables", "figures"):
            shutil.copytree(report / folder, site / "reports" / name / folder)
        shutil.copy(report / "report.html", site / "reports" / name)
    for folder in FOLDERS:
        for run in sorted(path.parent for path in (work / folder).glob("*/manifest.json")):
            copied = site / folder / run.name
            copied.mkdir(parents=True)
            for file in sorted(run.iterdir()):
                small = file.is_file() and file.stat().st_size <= _MOST_BYTES
                if small and file.suffix in MEASUREMENTS:
                    shutil.copy(file, copied)
            (copied / "index.html").write_text(_listing(copied), encoding="utf-8")


def _listing(folder: Path) -> str:
    names = [escape(file.name) for file in sorted(folder.iterdir())]
    items = "\n".join(f'<li><a href="{name}">{name}</a></li>' for name in names)
    return _LISTING.format(name=escape(folder.name), items=items)


def _run_of(folder: Path, fusion: str) -> str:
    """Name of the one pretrained run with a fusion."""
    names = [path.name for path in folder.iterdir() if f"-pos-{fusion}" in path.name]
    (name,) = [n for n in names if "random-init" not in n and "fusion-layer" not in n]
    return name


if __name__ == "__main__":
    main()
