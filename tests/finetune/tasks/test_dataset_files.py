"""Files of the `datasets` library: parquet and `save_to_disk`, read in place, without the hub."""

from __future__ import annotations

from pathlib import Path

import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, List, Value

from bbert.errors import InputError
from bbert.finetune.tasks import load_task
from bbert.finetune.tasks.find_files import find_data_folder, find_split
from bbert.finetune.tasks.hub_data import hub_folder, wanted_files

NER, POS, XNLI, PAWSX = (load_task(name) for name in ("ner", "pos", "xnli", "pawsx"))
TAGS = ["O", "B-PER", "I-PER"]


@pytest.fixture
def entities() -> Dataset:
    """WikiANN as the hub has it: labels are numbers with names."""
    features = Features(
        {
            "tokens": List(Value("string")),
            "ner_tags": List(ClassLabel(names=TAGS)),
            "langs": List(Value("string")),
        }
    )
    rows = {
        "tokens": [["Anna", "left"], ["Boris"]],
        "ner_tags": [[1, 0], [1]],
        "langs": [["en", "en"], ["en"]],
    }
    return Dataset.from_dict(rows, features=features)


EXPECTED = [(("Anna", "left"), ("B-PER", "O")), (("Boris",), ("B-PER",))]


def words_and_labels(examples):
    return [(e.words, e.labels) for e in examples]


def read(task, folder: Path, language: str, split: str):
    found = find_split(task, find_data_folder(task, folder, language, [split]), language, [split])
    return task.read(found.files, language)


@pytest.mark.parametrize("layout", ["en/{}-00000-of-00001.parquet", "PAN-X.en/{}-0.parquet",
                                    "{}-en.parquet", "en/{}/0000.parquet"])  # fmt: skip
@pytest.mark.parametrize("dev", ["dev", "validation"])
def test_parquet(tmp_path: Path, entities: Dataset, layout: str, dev: str):
    for split in ("train", dev):
        file = tmp_path / layout.format(split)
        file.parent.mkdir(parents=True, exist_ok=True)
        entities.to_parquet(file)
    for split in ("train", "dev"):
        examples = read(NER, tmp_path, "en", split)
        assert words_and_labels(examples) == EXPECTED
        assert examples[1].where(0).endswith(".parquet:2")
    with pytest.raises(InputError, match="no train file of task ner for language 'es'"):
        find_data_folder(NER, tmp_path, "es")


def test_save_to_disk(tmp_path: Path, entities: Dataset):
    folder = tmp_path / "wikiann" / "en"
    DatasetDict({"train": entities, "validation": entities}).save_to_disk(folder)
    for split in ("train", "dev"):
        assert words_and_labels(read(NER, tmp_path, "en", split)) == EXPECTED


def test_rows_that_do_not_say_their_language_need_a_folder_that_does(
    tmp_path: Path, entities: Dataset
):
    DatasetDict({"train": entities}).save_to_disk(tmp_path)
    with pytest.raises(InputError, match="no train file of task ner for language 'en'"):
        find_data_folder(NER, tmp_path, "en")


def test_treebank_columns(tmp_path: Path):
    features = Features(
        {
            "idx": List(Value("string")),
            "tokens": List(Value("string")),
            "upos": List(ClassLabel(names=["NOUN", "VERB", "_"])),
        }
    )
    features["text"] = Value("string")
    rows = {"idx": [["1-2", "1", "2"]], "tokens": [["al", "a", "l"]], "upos": [[2, 1, 0]],
            "text": ["al"]}  # fmt: skip
    (tmp_path / "es").mkdir()
    Dataset.from_dict(rows, features=features).to_parquet(tmp_path / "es" / "test.parquet")
    examples = read(POS, tmp_path, "es", "test")
    assert words_and_labels(examples) == [(("a", "l"), ("VERB", "NOUN"))]
    assert examples[0].text == "al"


def test_pairs_and_undecided_labels(tmp_path: Path):
    features = Features(
        {
            "premise": Value("string"),
            "hypothesis": Value("string"),
            "label": ClassLabel(names=["entailment", "neutral", "contradiction"]),
        }
    )
    rows = {"premise": ["a", "b", "c"], "hypothesis": ["d", "e", "f"], "label": [2, 0, -1]}
    (tmp_path / "en").mkdir()
    Dataset.from_dict(rows, features=features).to_parquet(tmp_path / "en" / "train.parquet")
    examples = read(XNLI, tmp_path, "en", "train")
    assert [(e.first, e.second, *e.labels) for e in examples] == [
        ("a", "d", "contradiction"), ("b", "e", "entailment"),
    ]  # fmt: skip


def test_one_file_with_all_languages_in_every_row(tmp_path: Path):
    rows = {
        "premise": [{"en": "a", "es": "b"}],
        "hypothesis": [{"language": ["en", "es"], "translation": ["c", "d"]}],
        "label": ["neutral"],
    }
    (tmp_path / "all_languages").mkdir()
    Dataset.from_dict(rows).to_parquet(tmp_path / "all_languages" / "test-0.parquet")
    (pair,) = read(XNLI, tmp_path, "es", "test")
    assert (pair.first, pair.second) == ("b", "d")
    with pytest.raises(InputError, match=r"test-0.parquet:1: no text in 'hi' \(there: en, es\)"):
        read(XNLI, tmp_path, "hi", "test")


def test_one_file_with_a_language_in_every_row(tmp_path: Path):
    rows = {"language": ["en", "es"], "sentence1": ["a", "b"], "sentence2": ["c", "d"],
            "gold_label": ["neutral", "neutral"]}  # fmt: skip
    (tmp_path / "XNLI").mkdir()
    Dataset.from_dict(rows).to_parquet(tmp_path / "XNLI" / "test-0.parquet")
    (pair,) = read(XNLI, tmp_path, "es", "test")
    assert (pair.first, pair.where()) == ("b", f"{tmp_path / 'XNLI' / 'test-0.parquet'}:2")
    with pytest.raises(InputError, match=r"no row in 'hi' \(there: en, es\)"):
        read(XNLI, tmp_path, "hi", "test")


def test_a_language_in_every_row_by_its_number(tmp_path: Path):
    names = ClassLabel(names=["en", "es"])
    features = Features({"language": names, **dict.fromkeys(
        ("sentence1", "sentence2", "gold_label"), Value("string"))})  # fmt: skip
    rows = {"language": [0, 1], "sentence1": ["a", "b"], "sentence2": ["c", "d"],
            "gold_label": ["neutral", "neutral"]}  # fmt: skip
    Dataset.from_dict(rows, features=features).to_parquet(tmp_path / "test.parquet")
    assert [pair.first for pair in read(XNLI, tmp_path, "es", "test")] == ["b"]
    with pytest.raises(InputError, match=r"no row in 'hi' \(there: en, es\)"):
        read(XNLI, tmp_path, "hi", "test")


@pytest.mark.parametrize(
    "name", ["test.parquet", "test-en.parquet", "all_languages/test-0.parquet"]
)
def test_pairs_whose_language_nothing_says_are_refused(tmp_path: Path, name: str):
    rows = {"premise": ["a"], "hypothesis": ["b"], "label": ["neutral"]}
    (tmp_path / name).parent.mkdir(exist_ok=True)
    Dataset.from_dict(rows).to_parquet(tmp_path / name)
    with pytest.raises(
        InputError, match=rf"{name}:1: neither the rows nor the name .* test-hi.par"
    ):
        read(XNLI, tmp_path, "hi", "test")
    if "en" in name:
        assert [pair.first for pair in read(XNLI, tmp_path, "en", "test")] == ["a"]


@pytest.mark.parametrize("word", [None, "", "a\nb", "a\tb"])
def test_what_is_no_word_is_refused(tmp_path: Path, word: str | None):
    (tmp_path / "en").mkdir()
    rows = {"tokens": [["a", word]], "ner_tags": [["O", "B-PER"]]}
    Dataset.from_dict(rows).to_parquet(tmp_path / "en" / "test.parquet")
    with pytest.raises(InputError, match=r"test.parquet:1: word 2 of the sentence is none: "):
        read(NER, tmp_path, "en", "test")


def test_numbers_are_no_words(tmp_path: Path):
    (tmp_path / "en").mkdir()
    rows = {"tokens": [[101, 102]], "ner_tags": [["O", "B-PER"]]}
    Dataset.from_dict(rows).to_parquet(tmp_path / "en" / "test.parquet")
    with pytest.raises(InputError, match=r"word 1 of the sentence is none: 101"):
        read(NER, tmp_path, "en", "test")


def test_a_list_is_no_text(tmp_path: Path):
    (tmp_path / "en").mkdir()
    rows = {"premise": [["abc", "d"]], "hypothesis": ["b"], "label": ["neutral"]}
    Dataset.from_dict(rows).to_parquet(tmp_path / "en" / "test.parquet")
    with pytest.raises(InputError, match=r"test.parquet:1: no text in 'en' \(there: list\)"):
        read(XNLI, tmp_path, "en", "test")


def test_unusable_files(tmp_path: Path, entities: Dataset):
    (tmp_path / "en").mkdir()
    file = tmp_path / "en" / "train.parquet"
    file.write_bytes(b"PAR1 and no more")
    with pytest.raises(InputError, match=r"train.parquet: cannot be read"):
        read(NER, tmp_path, "en", "train")
    entities.remove_columns("ner_tags").to_parquet(file)
    with pytest.raises(InputError, match=r"train.parquet:1: no ner_tags or tags or ner \(there"):
        read(NER, tmp_path, "en", "train")
    rows = {"tokens": [["a", "b"]], "ner_tags": [["O"]]}
    Dataset.from_dict(rows).to_parquet(file)
    with pytest.raises(InputError, match=r"train.parquet:1: 2 words and 1 labels"):
        read(NER, tmp_path, "en", "train")


def test_of_a_hub_data_set_the_files_of_the_languages_are_fetched():
    from huggingface_hub.utils import filter_repo_objects

    wanted = ("en/train-00000-of-00001.parquet", "PAN-X.en/test-00000-of-00001.parquet",
              "en_ewt/train/0000.parquet", "es_gsd/universal_dependencies-test.parquet",
              "XNLI/test-00000-of-00001.parquet")  # fmt: skip
    others = ("ru/train-00000-of-00001.parquet", "ru_gsd/test/0000.parquet", "README.md",
              "en_ewt/train/index.duckdb", "wikiann.py")  # fmt: skip
    found = filter_repo_objects([*wanted, *others], allow_patterns=wanted_files(["en", "es"]))
    assert tuple(found) == wanted


def test_a_hub_id_is_taken_from_the_cache_when_offline(
    tmp_path: Path, entities: Dataset, monkeypatch: pytest.MonkeyPatch
):
    cache = tmp_path / "hub" / "datasets--owner--wikiann"
    snapshot = cache / "snapshots" / ("0" * 40)
    (snapshot / "en").mkdir(parents=True)
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text("0" * 40)
    entities.to_parquet(snapshot / "en" / "train.parquet")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub._snapshot_download.constants.HF_HUB_CACHE",
                        str(tmp_path / "hub"))  # fmt: skip
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    folder = hub_folder("owner/wikiann", ["en"])
    assert folder == snapshot
    assert words_and_labels(read(NER, folder, "en", "train")) == EXPECTED
    with pytest.raises(InputError, match="not in the local cache and HF_HUB_OFFLINE is set"):
        hub_folder("owner/another", ["en"])
