"""Bad input from the command line: exit code 2, at most two lines, nothing left behind."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bbert.cli import main


@pytest.fixture
def refused(bert: Path, work: Path, capsys) -> Callable[..., str]:
    """Run a command that must be refused; returns what it says."""

    def run(*arguments: str) -> str:
        model = [] if "--model" in arguments else ["--model", str(bert)]
        capsys.readouterr()
        assert main(["finetune", *model, *arguments, "--quiet"]) == 2
        error = capsys.readouterr().err
        assert len(error.splitlines()) <= 2, error
        assert "Traceback" not in error
        assert not list((work / "transfer").glob("*"))
        return error

    return run


def edited(folder: Path, tmp_path: Path, name: str, edit: Callable[[bytes], bytes]) -> str:
    """A copy of a data folder with one file changed."""
    copy = Path(shutil.copytree(folder, tmp_path / "data"))
    (copy / name).write_bytes(edit((copy / name).read_bytes()))
    return str(copy)


@pytest.mark.parametrize(
    ("name", "edit", "words"),
    [
        (
            "train-en.tsv",
            lambda b: b.replace(b"\tB-PER", b"", 1),
            "tsv:1: expected a word",
        ),
        ("test-en.tsv", lambda b: b + b"x\tI-LOC\n", "I-LOC after O is illegal in IOB2"),
        ("test-en.tsv", lambda b: b + b"x\tI-LOC\n", "mend it or give --illegal-tags repair"),
        ("dev-es.tsv", lambda b: b + b"x\ty\tO\n", "3 columns where the lines before have 2"),
        ("dev-es.tsv", lambda b: b"Anna\nleft\n", "a test file without labels cannot be scored"),
        ("train-en.tsv", lambda b: b + b"x\tU-LOC\n\ny\tS-LOC\n", "no tagging scheme has both"),
        ("test-en.tsv", lambda b: b + b"\xff\tO\n", "not UTF-8 (byte 0xff)"),
        ("train-en.tsv", lambda b: b"", "train-en.tsv: the file is empty"),
        ("train-en.tsv", lambda b: b"a\tO\n", "no entity in the training data"),
        ("dev-es.tsv", lambda b: b"PK\x03\x04\xfa", "dev-es.tsv:1: not UTF-8"),
    ],
)
def test_ner_files(ner_data: Path, tmp_path: Path, refused, name, edit, words):
    data = edited(ner_data, tmp_path, name, edit)
    error = refused("--data", data, "--eval-langs", "en", "es")
    assert words in error
    assert name in error


@pytest.mark.parametrize(
    ("name", "edit", "words"),
    [
        ("multinli.train.en.tsv", lambda b: b.replace(b"hypo\t", b"", 1), "no column sentence2"),
        ("multinli.train.en.tsv", lambda b: b + b"a\tb\tunsure\n", "label 'unsure' is none of"),
        ("multinli.train.en.tsv", lambda b: b + b"a\tneutral\n", ":42: 2 columns"),
        ("xnli.test.tsv", lambda b: b.replace(b"\nes\t", b"\nfr\t"), "no pair in 'es'"),
        ("multinli.train.en.tsv", lambda b: b + b"a\tb\tc\tneutral\n", ":42: 4 columns"),
        (
            "multinli.train.en.tsv",
            lambda b: b"premise\thypo\tlabel\na\tb\tneutral\n",
            "tsv:2: all 1 training examples have the label 'neutral'; there is nothing to learn",
        ),
        ("xnli.test.tsv", lambda b: b + b"en\tneutral\t\tb\t9\n", "the premise is empty"),
    ],
)
def test_inference_files(xnli_data: Path, tmp_path: Path, refused, name, edit, words):
    data = edited(xnli_data, tmp_path, name, edit)
    error = refused("--task", "xnli", "--data", data, "--eval-langs", "en", "es")
    assert words in error
    assert name in error


def test_missing_languages_name_the_files_found(ner_data: Path, refused):
    error = refused("--data", str(ner_data), "--eval-langs", "en", "ru")
    assert "for language 'ru'" in error
    assert "dev-es.tsv" in error


def test_model_folders(ner_data: Path, bert: Path, tmp_path: Path, refused):
    data = ["--data", str(ner_data)]
    assert "is no model folder" in refused("--model", str(ner_data), *data)
    assert "no such folder" in refused("--model", "nowhere/at-all", *data)
    copy = Path(shutil.copytree(bert, tmp_path / "damaged"))
    weights = (copy / "model.safetensors").read_bytes()
    (copy / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    assert "the weights cannot be loaded" in refused("--model", str(copy), *data)
    (copy / "tokenizer.json").write_text("{}")
    assert "the tokenizer cannot be loaded" in refused("--model", str(copy), *data)


def test_random_init_and_fusion_beyond_the_depth(ner_data: Path, refused):
    data = ["--data", str(ner_data)]
    assert "has layers 1 to 2" in refused("--random-init", "2-3", *data)
    assert "has layers 1 to 2" in refused("--fusion", "dlfa", "--fusion-layer", "3", *data)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_cannot_be_written(ner_data: Path, tmp_path: Path, refused):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    error = refused("--data", str(ner_data), "--work", str(closed))
    assert "give a folder that can be written" in error


def test_a_file_in_the_way_of_the_work_folder(ner_data: Path, tmp_path: Path, refused):
    (tmp_path / "file").write_text("")
    assert "check the path" in refused("--data", str(ner_data), "--work", str(tmp_path / "file"))


def test_options_that_do_not_fit_the_task(ner_data: Path, xnli_data: Path, refused):
    ner, xnli = ["--data", str(ner_data)], ["--task", "xnli", "--data", str(xnli_data)]
    assert "use window, wrong" in refused("--too-long", "cut", *ner)
    assert "use wrong, cut" in refused("--too-long", "window", *xnli)
    assert "--illegal-tags is an option of task ner" in refused("--illegal-tags", "repair", *xnli)
    assert "--relations is an option of task parsing" in refused("--relations", "subtypes", *ner)
    for name in ("klingon", "rot13"):
        assert f"--encoding {name!r} is unknown" in refused("--encoding", name, *ner)


def test_data_that_is_nowhere(bert: Path, ner_data: Path, tmp_path: Path, refused):
    assert "no such folder" in refused("--data", str(tmp_path / "nowhere"))
    error = refused("--data", "owner/name")
    assert "as a hub id it is not in the local cache and HF_HUB_OFFLINE is set" in error


def test_unknown_entity_types_of_what_chooses_the_epoch(ner_data: Path, tmp_path: Path, refused):
    text = b"-DOCSTART-\tO\n\nAnna\tB-PER\nleft\tO\nit\tB-MISC\n"
    data = edited(ner_data, tmp_path, "dev-en.tsv", lambda b: text)
    error = refused("--data", data, "--eval-langs", "en", "--selection", "best-dev")
    assert "dev-en.tsv:5: label 'B-MISC' does not occur in the training data" in error


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"sentence1": "Anna left .", "gold_label": "neutral"}, "no column sentence2 or hypo"),
        ({"sentence1": "a", "sentence2": None, "gold_label": "neutral"}, "hypothesis is empty"),
        ({"sentence1": " ", "sentence2": "b", "gold_label": "neutral"}, "the premise is empty"),
        ({"sentence1": "a", "sentence2": "b", "gold_label": None}, "label '' is none of"),
        (["a", "b", "neutral"], "expected a JSON object"),
    ],
)
def test_a_premise_without_a_hypothesis(xnli_data: Path, tmp_path: Path, refused, row, words):
    data = Path(shutil.copytree(xnli_data, tmp_path / "data"))
    (data / "multinli.train.en.tsv").unlink()
    good = {"sentence1": "Anna left .", "sentence2": "the old .", "gold_label": "entailment"}
    lines = [json.dumps(line) for line in (good, row)]
    (data / "multinli_1.0_train.jsonl").write_text("\n".join(lines) + "\n")
    error = refused(
        "--task", "xnli", "--data", str(data), "--train-lang", "en", "--eval-langs", "en"
    )
    assert words in error
    assert "multinli_1.0_train.jsonl:2" in error


def treebank(folder: Path, *sentences: str) -> Path:
    """English training and test files with these sentences of "tag head relation" words."""
    folder.mkdir()
    blocks = []
    for sentence in sentences:
        words = [word.split() for word in sentence.split(",")]
        blocks.append("".join(
            f"{i}\tAnna\t_\t{tag}\t_\t_\t{head}\t{relation}\t_\t_\n"
            for i, (tag, head, relation) in enumerate(words, start=1)
        ))  # fmt: skip
    for split in ("train", "test"):
        text = "\n".join(f"# text = x\n{block}" for block in blocks) + "\n"
        (folder / f"en_x-ud-{split}.conllu").write_text(text)
    return folder


@pytest.mark.parametrize(
    ("sentence", "line", "words"),
    [
        ("NOUN 2 dep,NOUN 1 dep,VERB 0 root", 7, "part of a cycle"),
        ("NOUN 0 root,VERB 0 root", 8, "a second root (the first is word 1)"),
        ("NOUN _ dep,VERB 0 root", 7, "word 1 has no head ('_')"),
        ("NOUN 9 dep,VERB 0 root", 7, "head 9 is no word of the sentence"),
        ("NOUN 1 dep,VERB 0 root", 7, "the word is its own head"),
        ("NOUN 2 _,VERB 0 root", 7, "word 1 has no relation"),
    ],
)
def test_what_is_no_tree(tmp_path: Path, refused, sentence: str, line: int, words: str):
    data = treebank(tmp_path / "ud", "NOUN 3 nsubj,ADV 3 advmod,VERB 0 root", sentence)
    languages = ["--train-lang", "en", "--eval-langs", "en"]
    error = refused("--task", "parsing", "--data", str(data), *languages)
    assert words in error
    assert f"en_x-ud-train.conllu:{line}: " in error


def test_one_label_only(tmp_path: Path, refused):
    data = treebank(tmp_path / "ud", "NOUN 0 root", "NOUN 2 dep,NOUN 0 root")
    error = refused(
        "--task", "pos", "--data", str(data), "--train-lang", "en", "--eval-langs", "en"
    )
    assert "all 2 training examples have the label 'NOUN'; there is nothing to learn" in error
    assert "en_x-ud-train.conllu:2" in error


def test_a_tokenizer_of_another_model(bert: Path, ner_data: Path, tmp_path: Path, refused):
    model = Path(shutil.copytree(bert, tmp_path / "mixed"))
    tokenizer = json.loads((model / "tokenizer.json").read_text())
    vocabulary = tokenizer["model"]["vocab"]
    vocabulary["another"] = len(vocabulary)
    (model / "tokenizer.json").write_text(json.dumps(tokenizer))
    error = refused("--model", str(model), "--data", str(ner_data))
    assert f"has {len(vocabulary)} entries and the model {len(vocabulary) - 1}" in error
    assert "they do not belong together" in error


def test_words_without_pieces_and_empty_blocks_do_not_shift_a_label(
    bert: Path, ner_data: Path, tmp_path: Path, work: Path
):
    data = Path(shutil.copytree(ner_data, tmp_path / "panx"))
    text = "\n\nAnna\tB-PER\n\u00a0\tI-PER\nleft\tO\n\n\n\n\nRome\tB-LOC\n\n"
    (data / "test-en.tsv").write_text(text, encoding="utf-8")
    typed = ["--data", str(data), "--train-lang", "en", "--eval-langs", "en", "--epochs", "1"]
    assert main(["finetune", "--model", str(bert), *typed, "--name", "run", "--quiet"]) == 0
    run = work / "transfer" / "run"
    entry = json.loads((run / "results.json").read_text())["languages"]["en"]
    assert (entry["n"], entry["labels"], entry["words_without_pieces"]) == (2, 4, 1)
    assert len((run / "predictions" / "en.conll").read_text().strip().split("\n\n")) == 2
