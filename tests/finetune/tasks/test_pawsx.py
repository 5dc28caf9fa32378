"""PAWS-X files: layouts as released and as in XTREME, pairs without a translation, labels."""

from __future__ import annotations

from pathlib import Path

import pytest

from bbert.errors import InputError
from bbert.finetune.tasks import load_task
from bbert.finetune.tasks.find_files import find_data_folder, find_split
from bbert.finetune.tasks.reading import Reading

PAWSX = load_task("pawsx")
RELEASED = 'id\tsentence1\tsentence2\tlabel\n1\ta b\tb a\t0\n2\tc "d\t"d c\t1\n'
PAIRS = [("a b", "b a", "0"), ('c "d', '"d c', "1")]


def as_pairs(examples):
    return [(e.first, e.second, *e.labels) for e in examples]


@pytest.mark.parametrize("below", ["", "x-final", "pawsx/x-final", "pawsx"])
def test_the_released_layout(tmp_path: Path, below: str):
    names = {"en": "train.tsv", "es": "translated_train.tsv"}
    for language, training in names.items():
        (tmp_path / below / language).mkdir(parents=True)
        for name in (training, "dev_2k.tsv", "test_2k.tsv"):
            (tmp_path / below / language / name).write_text(RELEASED)
    for language, training in names.items():
        folder = find_data_folder(PAWSX, tmp_path, language)
        for split, name in (("train", training), ("dev", "dev_2k.tsv"), ("test", "test_2k.tsv")):
            (file,) = find_split(PAWSX, folder, language, [split]).files
            assert file == tmp_path / below / language / name
            examples = PAWSX.read([file], language)
            assert as_pairs(examples) == PAIRS
            assert [e.key for e in examples] == ["1", "2"]


def test_three_columns_of_xtreme(tmp_path: Path):
    (tmp_path / "train-en.tsv").write_text('a b\tb a\t0\nc "d\t"d c\t1\n')
    files = find_split(PAWSX, find_data_folder(PAWSX, tmp_path, "en"), "en", ["train"]).files
    assert as_pairs(PAWSX.read(files, "en")) == PAIRS


def test_pairs_without_a_translation_are_left_out_and_counted(tmp_path: Path):
    (tmp_path / "a.tsv").write_text(RELEASED + "3\tNS\tx\t1\n4\ty\t\t0\n")
    reading = Reading()
    assert as_pairs(PAWSX.read([tmp_path / "a.tsv"], "es", reading)) == PAIRS
    assert reading.counts["pairs_without_translation"] == 2
    assert reading.left_out == [2, 3]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (RELEASED + "3\tx\ty\tentailment\n", 4, "label 'entailment' is none of 0, 1"),
        (RELEASED + "3\tx\ty\n", 4, "3 columns where the header has 4"),
        (RELEASED + "3\tx\tz\ty\t1\n", 4, "5 columns where the header has 4"),
        ("x\ty\n", 1, "2 columns; without a header there must be three"),
        ("id\tsentence1\tlabel\n", 1, "no column sentence2"),
    ],
)
def test_unusable_rows_are_named(tmp_path: Path, text: str, line: int, words: str):
    (tmp_path / "a.tsv").write_text(text)
    with pytest.raises(InputError) as error:
        PAWSX.read([tmp_path / "a.tsv"], "en")
    assert f"a.tsv:{line}: " in str(error.value)
    assert words in str(error.value)


@pytest.mark.realdata
def test_real_files(real_data: Path):
    for language in ("en", "es"):
        for split in ("dev", "test"):
            files = find_split(PAWSX, real_data / "pawsx", language, [split]).files
            reading = Reading()
            examples = PAWSX.read(files, language, reading)
            left_out = {("es", "dev"): 38, ("es", "test"): 1}.get((language, split), 0)
            assert len(examples) == 2000 - left_out
            assert reading.counts["pairs_without_translation"] == left_out
            assert 0.5 < PAWSX.chance([e.labels for e in examples]) < 0.6
