"""Tasks: how their files are found and read, scored and written.

A task is one file that defines `TASK` (see `task.py`) and one line in `TASKS`. The table holds
module names, so that the command line can list the tasks without importing their readers.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bbert.finetune.tasks.task import Task

TASKS = {
    "xnli": "bbert.finetune.tasks.xnli",
    "pawsx": "bbert.finetune.tasks.pawsx",
    "ner": "bbert.finetune.tasks.ner",
    "pos": "bbert.finetune.tasks.pos",
    "parsing": "bbert.finetune.tasks.parsing",
}


def load_task(name: str) -> Task:
    """The task `name` of the table."""
    return import_module(TASKS[name]).TASK
