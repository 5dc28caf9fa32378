"""The embedded sample's files of every task are read by the task's reader."""

from __future__ import annotations

from pathlib import Path

import pytest

from bbert.finetune.tasks import load_task
from bbert.finetune.tasks.find_files import find_data_folder, find_split
from bbert.finetune.tasks.reading import Reading
from bbert.sample.write import PAWSX_PAIRS, TAGGED_SENTENCES, XNLI_PROMPTS

SIZES = {
    "xnli": {part: 3 * count for part, count in XNLI_PROMPTS.items()},
    "pawsx": PAWSX_PAIRS,
    "ner": TAGGED_SENTENCES,
    "pos": TAGGED_SENTENCES,
    "parsing": TAGGED_SENTENCES,
}


@pytest.mark.parametrize("name", list(SIZES))
def test_every_split_is_read(sample: Path, name: str):
    task = load_task(name)
    folder = find_data_folder(task, sample, "en")
    for split, number in SIZES[name].items():
        for language in ("en", "es") if split != "train" else ("en",):
            reading = Reading()
            files = find_split(task, folder, language, [split]).files
            examples = task.read(files, language, reading)
            assert len(examples) == number
            assert not reading.counts["illegal_tags_repaired"]
            assert 0 <= task.chance([e.labels for e in examples]) < 0.6
