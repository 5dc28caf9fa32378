"""Named-entity files: layouts, prefixes, IOB2, messages."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from bbert.errors import InputError
from bbert.finetune.tasks import load_task
from bbert.finetune.tasks.find_files import find_data_folder, find_split
from bbert.finetune.tasks.reading import Reading

NER = load_task("ner")
TEXT = "Anna\tB-PER\nleft\tO\n\nNew\tB-LOC\nYork\tI-LOC\n"


def read(path: Path, text: str, language: str = "en"):
    path.write_bytes(text.encode())
    return NER.read([path], language)


def words_and_labels(examples):
    return [(sentence.words, sentence.labels) for sentence in examples]


EXPECTED = [(("Anna", "left"), ("B-PER", "O")), (("New", "York"), ("B-LOC", "I-LOC"))]


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        TEXT.replace("\n", "\r\n"),
        "\ufeff" + TEXT,
        TEXT + "\n\n",
        TEXT.rstrip("\n"),
        TEXT.replace("\t", " "),
        TEXT.replace("Anna", "en:Anna").replace("left", "en:left").replace("New", "en:New")
        .replace("York", "en:York"),
        "-DOCSTART-\tO\n\n" + TEXT,
        "-DOCSTART- -X- O O\n\n" + TEXT.replace("\t", " NNP B-NP "),
        "-DOCSTART- -X- O O\n" + TEXT.replace("\t", " NNP B-NP ") + "-DOCSTART- -X- O O\n",
        TEXT.replace("\t", " ").replace("\n", " \n"),
        TEXT.replace("B-", "I-"),
        TEXT.replace("B-PER", "U-PER").replace("I-LOC", "L-LOC"),
        TEXT.replace("B-PER", "S-PER").replace("I-LOC", "E-LOC"),
    ],
    ids=["plain", "crlf", "bom", "blank-lines", "no-last-newline", "spaces", "prefix", "docstart",
         "conll2003", "docstart-without-blank-line", "space-at-the-end", "iob1", "bioul", "iobes"],
)  # fmt: skip
def test_forms_of_one_file(tmp_path: Path, text: str):
    assert words_and_labels(read(tmp_path / "file", text)) == EXPECTED


def test_a_prefix_that_not_all_words_have_is_text(tmp_path: Path):
    examples = read(tmp_path / "file", "en:Anna\tB-PER\nleft\tO\n")
    assert examples[0].words == ("en:Anna", "left")


@pytest.mark.parametrize("word", ["Rome", "es:", "en:Rome"])
def test_a_prefix_that_nearly_all_words_have_is_one_and_the_others_are_named(
    tmp_path: Path, word: str
):
    text = "es:Anna\tB-PER\nes:vive\tO\n\nes:en\tO\n" + f"{word}\tB-LOC\n"
    with pytest.raises(InputError, match=rf"file:5: '{word}' is no word behind the prefix 'es:'"):
        read(tmp_path / "file", text, "es")
    assert read(tmp_path / "file", text, "hi")[0].words[0] == "es:Anna"


def test_characters_that_only_look_like_line_ends_stay_in_the_word(tmp_path: Path):
    examples = read(tmp_path / "file", "a\u2028b\tO\nc\x85d\tO\n\u00a0\tO\n")
    assert examples[0].words == ("a\u2028b", "c\x85d", "\u00a0")


def test_labels_are_ordered_by_type(tmp_path: Path):
    examples = read(tmp_path / "file", TEXT)
    assert NER.label_set(examples) == ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("Anna\nleft\tO\n", 1, "expected a word, a tab and its label"),
        ("Anna\tB-PER\nleft\t\n", 2, "expected a word, a tab and its label"),
        ("Anna\tB-PER\n\tO\n", 2, "no word"),
        ("a\tO\n\nAnna\tPER\n", 3, "'PER' is no entity tag"),
        ("Anna\tB-\n", 1, "'B-' is no entity tag"),
        ("Anna\tE-PER\n", 1, "E-PER after O is illegal in IOBES (1 such tags in the file)"),
        ("Anna\tB-PER\nleft\tO\nRome\tU-LOC\n", 2, "O after B-PER is illegal in BIOUL"),
        ("Anna\tU-PER\n\nRome\tS-LOC\n", 0, "no tagging scheme has both"),
        ("Anna\tB-PER\nleft\tVBD\tO\n", 2, "3 columns where the lines before have 2"),
        ("a\tO\nb\tB-LOC\nc\tI-PER\n", 3, "I-PER after B-LOC is illegal"),
        ("a\tB-PER\n\nc\tI-PER\n", 3, "I-PER after O is illegal"),
    ],
)
def test_unusable_lines_are_named(tmp_path: Path, text: str, line: int, words: str):
    with pytest.raises(InputError) as error:
        read(tmp_path / "file.tsv", text)
    assert (f"file.tsv:{line}: " if line else "file.tsv: ") in str(error.value)
    assert words in str(error.value)


def test_illegal_tags_are_repaired_on_demand_and_counted(tmp_path: Path):
    (tmp_path / "file").write_text("a\tO\nb\tB-LOC\nc\tI-PER\n\nd\tI-PER\ne\tI-PER\n")
    reading = Reading(illegal_tags="repair")
    first, second = NER.read([tmp_path / "file"], "en", reading)
    assert first.labels == ("O", "B-LOC", "B-PER")
    assert second.labels == ("B-PER", "I-PER")
    assert reading.notes() == {
        "encoding": "utf-8", "tagging_scheme": "IOB2", "illegal_tags_repaired": 2,
        "tags_converted": 2,
    }  # fmt: skip


def test_what_was_recognised_is_noted(tmp_path: Path):
    (tmp_path / "iob1").write_text("-DOCSTART- O\n\nen:Anna I-PER\nen:left O\n")
    (tmp_path / "bioul").write_text("Anna\tU-PER\n")
    reading = Reading()
    examples = NER.read([tmp_path / "iob1", tmp_path / "bioul"], "en", reading)
    assert [e.labels for e in examples] == [("B-PER", "O"), ("B-PER",)]
    assert reading.notes() == {
        "encoding": "utf-8", "prefix": "en:", "tagging_scheme": "IOB1, BIOUL",
        "document_starts": 1, "tags_converted": 2,
    }  # fmt: skip


def test_encodings(tmp_path: Path):
    text = "M\u00e9xico\tB-LOC\n"
    for name in ("utf-16", "utf-8-sig"):  # known by their byte order mark
        (tmp_path / name).write_bytes(text.encode(name))
        assert NER.read([tmp_path / name], "es")[0].words == ("M\u00e9xico",)
    (tmp_path / "latin").write_bytes(text.encode("latin-1"))
    (tmp_path / "utf8").write_bytes(text.encode())
    (tmp_path / "wide").write_bytes(text.encode("utf-16-le"))
    reading = Reading(encoding="latin-1")  # says what the file is that is not UTF-8, and only that
    for name in ("latin", "utf8"):
        assert NER.read([tmp_path / name], "es", reading)[0].words == ("M\u00e9xico",)
    assert reading.found["encoding"] == "latin-1, utf-8"
    for encoding in (None, "ascii"):
        with pytest.raises(InputError, match=r"latin:1: not UTF-8 \(byte 0xe9\)"):
            NER.read([tmp_path / "latin"], "es", Reading(encoding=encoding))
    with pytest.raises(InputError, match=r"wide:1: (not UTF-8|a NUL character)"):
        NER.read([tmp_path / "wide"], "es")
    assert NER.read([tmp_path / "wide"], "es", Reading(encoding="utf-16-le"))[0].words == (
        "M\u00e9xico",
    )
    (tmp_path / "packed").write_bytes(gzip.compress(text.encode()))
    with pytest.raises(InputError, match="compressed"):
        NER.read([tmp_path / "packed"], "es")


def test_unusable_files(tmp_path: Path):
    for text in ("", "\n\n", "-DOCSTART-\tO\n"):
        with pytest.raises(InputError, match=r"empty|no sentence"):
            read(tmp_path / "file", text)
    (tmp_path / "latin").write_bytes(b"a\tO\nM\xe9xico\tB-LOC\n")
    with pytest.raises(InputError, match=r"latin:2: not UTF-8 \(byte 0xe9\)"):
        NER.read([tmp_path / "latin"], "en")
    with pytest.raises(InputError, match="no entity"):
        NER.label_set(read(tmp_path / "file", "a\tO\n"))


def test_what_is_written_reads_back(tmp_path: Path):
    examples = read(tmp_path / "file", TEXT)
    NER.write(tmp_path / "out.conll", "en", examples, [e.labels for e in examples])
    assert words_and_labels(NER.read([tmp_path / "out.conll"], "en")) == EXPECTED


@pytest.mark.parametrize(
    "layout", ["train-en.tsv", "en.train.conll", "en/train", "en/train.tsv", "eng.train"]
)
@pytest.mark.parametrize("below", ["", "panx", "wikiann", "conll2002", "conll2003"])
def test_layouts_are_found(tmp_path: Path, layout: str, below: str):
    file = tmp_path / below / layout
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(TEXT)
    folder = find_data_folder(NER, tmp_path, "en")
    assert folder == tmp_path / below
    assert find_split(NER, folder, "en", ["train"]).files == (file,)


def test_missing_files_name_what_is_there(tmp_path: Path):
    for name in ("train-en.tsv", "dev-ru.tsv"):
        (tmp_path / name).write_text(TEXT)
    with pytest.raises(InputError) as error:
        find_split(NER, tmp_path, "hi", ["test", "dev"])
    message = str(error.value)
    assert "no test or dev file of task ner for language 'hi'" in message
    assert "dev-ru.tsv, train-en.tsv" in message
    assert len(message.splitlines()) == 2
    with pytest.raises(InputError, match="no such folder"):
        find_data_folder(NER, tmp_path / "nowhere", "en")


def test_a_test_file_is_preferred_to_dev(tmp_path: Path):
    (tmp_path / "dev-en.tsv").write_text(TEXT)
    assert find_split(NER, tmp_path, "en", ["test", "dev"]).split == "dev"
    (tmp_path / "test-en.tsv").write_text(TEXT)
    assert find_split(NER, tmp_path, "en", ["test", "dev"]).split == "test"


@pytest.mark.realdata
def test_real_files(real_data: Path):
    assert len(NER.read([real_data / "panx" / "dev-hi.tsv"], "hi")) == 1000
    assert find_data_folder(NER, real_data, "en").name == "panx"
    assert find_data_folder(NER, real_data / "conll2002", "es").name == "conll2002"
    spanish = NER.read([real_data / "conll2002" / "es.test.conll"], "es")
    assert len(spanish) == 1517
    assert NER.label_set(spanish)[1:7:2] == ("B-LOC", "B-MISC", "B-ORG")
    wikiann = find_split(NER, real_data / "wikiann", "ru", ["test"])
    assert wikiann.files[0].name == "ru.test.conll"
