"""mBERT, XLM-R and RoBERTa folders with their own tokenizers: words keep their first word-piece,
every task runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from foreign_models import FOREIGN
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_task_files import WORDS
from transformers import AutoTokenizer

from bbert.cli import main
from bbert.finetune.encoder import PieceIds
from bbert.finetune.encoding import encode_examples
from bbert.finetune.model_folder import find_model
from bbert.finetune.tasks.task import Sentence
from bbert.languages import Language

FOREIGN_WORDS = ["México", "Москве", "दिल्ली", "U.S.", "don't", "—", "3,5", "東京", *WORDS]
TEXTS = [" ".join(FOREIGN_WORDS), "Anna visited old Rome .", "Анна была в Москве .", "राम गया ।"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("foreign")
    return {name: save(base / name, TEXTS) for name, save in FOREIGN.items()}


@pytest.mark.parametrize("name", list(FOREIGN))
@settings(deadline=None, max_examples=30)
@given(words=st.lists(st.sampled_from(FOREIGN_WORDS), min_size=1, max_size=8))
def test_first_word_pieces_as_the_library_finds_them(folders: dict[str, Path], name: str, words):
    folder = folders[name]
    sentence = Sentence(tuple(words), ("O",) * len(words), Path("x"), 1)
    pieces = PieceIds(find_model(Path("none"), str(folder)))
    encoded = encode_examples([sentence], Language.parse("en"), pieces, ("O",), 512)
    options = {"add_prefix_space": True} if name == "roberta" else {}
    reference = AutoTokenizer.from_pretrained(folder, **options)
    expected = reference(words, is_split_into_words=True)
    assert encoded.ids[0].tolist() == expected["input_ids"]
    numbers = expected.word_ids()
    assert encoded.word_positions[0].tolist() == [numbers.index(i) for i in range(len(words))]


def test_pairs_of_roberta_begin_without_a_space(folders: dict[str, Path]):
    pieces = PieceIds(find_model(Path("none"), str(folders["roberta"])))
    (alone,) = pieces.cut(["Anna"], Language.parse("en"))
    (behind_space,) = pieces.cut(["Anna"], Language.parse("en"), words=True)
    assert alone.tolist() == pieces.tokenizer("Anna", add_special_tokens=False)["input_ids"]
    assert alone.tolist() != behind_space.tolist()


@pytest.mark.parametrize("name", list(FOREIGN))
@pytest.mark.parametrize("task", ["ner", "pos", "xnli"])
def test_every_task_runs(folders, ner_data: Path, xnli_data: Path, tmp_path: Path, work: Path,
                         name: str, task: str):  # fmt: skip
    data = {"ner": ner_data, "xnli": xnli_data}.get(task, tmp_path / "pos")
    if task == "pos":
        data.mkdir()
        for file in ner_data.glob("*.tsv"):
            text = file.read_text()
            for tag in ("B-PER", "I-PER", "B-LOC"):
                text = text.replace(f"\t{tag}\n", "\tPROPN\n")
            (data / file.name).write_text(text.replace("\tO\n", "\tVERB\n"))
    typed = ["finetune", "--model", str(folders[name]), "--task", task, "--data", str(data),
             "--train-lang", "en", "--eval-langs", "en", "es", "--epochs", "1",
             "--max-train-examples", "32", "--learning-rate", "3e-3", "--name", "run",
             "--quiet"]  # fmt: skip
    assert main(typed) == 0
    content = json.loads((work / "transfer" / "run" / "results.json").read_text())
    assert set(content["languages"]) == {"en", "es"}
    assert content["model"] == name
    # The plain models have a pooler; only classifiers read one.
    assert content["network"]["pooler"] == "of the model"
