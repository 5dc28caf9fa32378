"""`bbert reproduce` of a table of two cells at a size of seconds.

python tests/cluster/tiny_reproduce.py FOLDER [options of bbert reproduce]
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import yaml

import bbert.reproduce.run as reproduce
from bbert.cli import main


def write_pipelines(folder: Path) -> None:
    """The shipped pipelines with one table, and a sample scale of 1,500 steps."""
    shutil.copytree(reproduce.pipelines_folder(), folder)
    for path in (folder / "recipes").glob("*.yaml"):
        path.unlink()
    options = {"train_lang": "enfake", "eval_langs": ["enfake", "es"]}
    row = {
        "label": "enfake-es", "corpus": {"languages": ["enfake", "es"]},
        "transfer": [{"task": "ner", **options}],
        "published": {"model": "enfake-es", "wordpiece_overlap": "none"},
    }  # fmt: skip
    claim = {"id": "c", "says": "Above chance.", "left": {}, "right": "floor", "expect": "greater"}
    table = {"title": "One cell", "rows": [row], "claims": [claim]}
    (folder / "recipes" / "k2020.yaml").write_text(yaml.safe_dump({"tables": {"1": table}}))
    path = folder / "scales" / "sample.yaml"
    scale = yaml.safe_load(path.read_text()) | {
        "seeds": [0],
        "pretrain": {"nsp": False, "steps": 1500, "depth": 1, "hidden": 32, "heads": 2,
                     "warmup_steps": 2, "probe": False},
        "transfer": {"ner": {"max_train_examples": 64, "max_eval_examples": 40, "epochs": 1}},
    }  # fmt: skip
    path.write_text(yaml.safe_dump(scale))


if __name__ == "__main__":
    pipelines = Path(sys.argv[1]) / "pipelines"
    if not pipelines.exists():
        write_pipelines(pipelines)
    reproduce.pipelines_folder = lambda: pipelines
    raise SystemExit(main(["reproduce", "k2020", *sys.argv[2:]]))
