"""Parallel text of every layout, dictionaries, code-switched sets: read, counted, refused."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from bbert.cli import main, parse
from bbert.errors import InputError
from bbert.fake import give_way
from bbert.finetune.evaluation_sets import parse_named_set
from bbert.finetune.tasks import load_task
from bbert.languages import Language, fake
from bbert.probe.code_switch import counterparts, switched
from bbert.probe.config import CkaConfig, CodeSwitchConfig, RetrievalConfig
from bbert.probe.parallel import parse_files, read_parallel
from bbert.probe.run import run
from bbert.probe.summary import summary
from bbert.probe.word_pairs import applied_words, dictionary_pairs, read_dictionary


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_lines_that_are_blank_or_repeated_are_left_out_and_counted(tmp_path):
    en = write(tmp_path / "a.en", "one\n\ntwo\none\nthree\nfour\n")
    es = write(tmp_path / "a.es", "uno\nx\ndos\nuna\ntres\n  \n")
    text = read_parallel({"en": en, "es": es})
    assert text.sentences == {"en": ["one", "two", "three"], "es": ["uno", "dos", "tres"]}
    assert text.left_out == {"blank": 2, "repeated": 1, "without_partner": 0}
    assert not text.is_exact("en", "es")


def test_one_file_serves_a_language_and_its_fake(tmp_path):
    en = write(tmp_path / "a.en", "one\ntwo\nthree")
    text = read_parallel({"en": en, "enfake": en})
    assert text.is_exact("en", "enfake")
    assert len(text.files) == 1


def test_a_part_is_drawn_by_the_seed_in_file_order(tmp_path):
    lines = [str(n) for n in range(100)]
    en = write(tmp_path / "a.en", "\n".join(lines))
    parts = [
        read_parallel({"en": en, "enfake": en}, 20, seed).sentences["en"] for seed in (0, 0, 1)
    ]
    assert parts[0] == parts[1] != parts[2]
    assert parts[0] == sorted(parts[0], key=int)
    assert len(parts[0]) == 20


def test_columns_of_a_tsv(tmp_path):
    path = write(tmp_path / "all.tsv", "en\tes\thi\none\tuno\tek\ntwo\tdos\tdo\n")
    files = parse_files([str(path)])
    text = read_parallel(files)
    assert text.languages == ("en", "es", "hi")
    chosen = text.of(["hi", "en"])
    assert chosen.languages == ("hi", "en")
    assert chosen.sentences["en"] == text.sentences["en"]
    with pytest.raises(InputError, match="--languages fr: the parallel text is in en, es, hi"):
        text.of(["en", "fr"])
    assert text.sentences["hi"] == ["ek", "do"]


def treebank(*sentences: tuple[str, str]) -> str:
    return "".join(
        f"# sent_id = {key}\n# text = {text}\n1-2\tab\t_\n1\ta\t_\n2\tb\t_\n\n"
        for key, text in sentences
    )


def test_treebanks_are_matched_by_their_sentence_ids(tmp_path):
    en = write(tmp_path / "en.conllu", treebank(("n1", "one"), ("n2", "two"), ("n3", "three")))
    es = write(tmp_path / "es.conllu", treebank(("n3", "tres"), ("n1", "uno")))
    text = read_parallel({"en": en, "es": es})
    assert text.sentences == {"en": ["one", "three"], "es": ["uno", "tres"]}
    assert text.left_out["without_partner"] == 1
    plain = write(tmp_path / "x.conllu", "1\tA\t_\n2\tb\t_\n\n1\tC\t_\n")
    assert read_parallel({"en": plain, "es": plain}).sentences["en"] == ["A b", "C"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["en"], "no such file"),
        (["en=a", "es"], "LANGUAGE=FILE"),
        (["en=a"], "two languages at least"),
        (["en=a", "en=b"], "names en twice"),
        (["xx=a", "en=b"], "language 'xx' is unknown"),
        (["en=none", "es=none"], "no such file"),
    ],
)
def test_files_as_typed_are_checked(given, says):
    with pytest.raises(InputError, match=says):
        read_parallel(parse_files(given))


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.tsv", "en\none\n", r"a.tsv:1: name two languages"),
        ("a.tsv", "en\txx\none\ttwo\n", r"a.tsv:1: language 'xx'"),
        ("a.tsv", "en\ten\none\ttwo\n", r"a.tsv:1: a language is named twice"),
        ("a.tsv", "en\tes\none\ttwo\nthree\n", r"a.tsv:3: 1 columns"),
        ("a.tsv", "en\tes\none\t\n", r"two different sentences"),
        ("a.tsv", "", r"the file is empty"),
    ],
)
def test_a_damaged_tsv_is_refused_with_its_line(tmp_path, name, content, says):
    with pytest.raises(InputError, match=says):
        read_parallel(write(tmp_path / name, content))


def test_other_encodings_are_refused_with_their_line(tmp_path):
    path = tmp_path / "latin.es"
    path.write_bytes("uno\na\u00f1o\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"latin.es:2: not UTF-8"):
        read_parallel({"es": path, "en": path})


def test_treebank_without_sentences(tmp_path):
    path = write(tmp_path / "x.conllu", "# text = nothing\n\n")
    with pytest.raises(InputError, match="no sentence"):
        read_parallel({"es": path, "en": path})


def test_dictionaries(tmp_path):
    path = write(tmp_path / "d.tsv", "dog\tperro\n\ndog\tcan\textra\n")
    assert read_dictionary(path) == [("dog", "perro"), ("dog", "can")]
    with pytest.raises(InputError, match=r"d.tsv:2: expected a word"):
        read_dictionary(write(path, "dog\tperro\ncat\n"))


POS = "The\tDET\ndog\tNOUN\nU.S.\tPROPN\n\nA\tDET\ndog\tNOUN\n\n"


@pytest.fixture
def pos_data(tmp_path: Path) -> Path:
    folder = tmp_path / "udpos"
    folder.mkdir()
    for split in ("train", "dev", "test"):
        write(folder / f"{split}-en.tsv", POS * 50)
    return folder


def test_a_code_switched_set_keeps_labels_and_is_read_by_the_task(work, pos_data):
    directory = run(CodeSwitchConfig(data=pos_data, share=0.5))
    found = json.loads((directory.path / "results.json").read_text())
    assert found["words_with_counterpart"] == found["words"] == 250
    assert 0.4 < found["share_replaced"] < 0.6
    task = load_task("pos")
    mixed = task.read([directory.path / found["file"]], "en")
    gold = task.read([pos_data / "test-en.tsv"], "en")
    assert [s.labels for s in mixed] == [s.labels for s in gold]
    pairs = {(a, b) for x, y in zip(gold, mixed, strict=True)
             for a, b in zip(x.words, y.words, strict=True)}  # fmt: skip
    assert ("dog", fake("dog")) in pairs
    assert ("dog", "dog") in pairs
    assert found["eval_set"].endswith(f":{directory.path.resolve() / found['file']}")
    others = [run(CodeSwitchConfig(data=pos_data, seed=seed, name=f"s{seed}")) for seed in (0, 1)]
    files = [next(d.path.glob("*.conllu")) for d in (directory, *others)]
    words = [[sentence.words for sentence in task.read([file], "en")] for file in files]
    assert words[0] == words[1] != words[2], "the seed decides which words are replaced"


def test_fake_words_stay_what_they_are_in_a_set_of_the_natural_language():
    """Fine-tuning applies the language of the set to its words once more."""
    words = ["The", "U.S.", "don't", "naïve", "दोस्त", "100%", "日本"]
    for word in words:
        applied = Language.parse("enfake").apply(word)
        assert Language.parse("en").apply(applied) == applied


def test_words_from_a_dictionary(work, pos_data, tmp_path):
    dictionary = write(tmp_path / "d.tsv", "dog\tperro\ndog\tcan\nThe\tEl\n")
    config = CodeSwitchConfig(data=pos_data, into="es", dictionary=dictionary, share=1.0)
    found = json.loads((run(config).path / "results.json").read_text())
    assert (found["words_replaced"], found["words"]) == (150, 250)
    assert found["share_replaced"] == 150 / 250, "of all words"
    sentences = load_task("pos").read([pos_data / "test-en.tsv"], "en")
    en, es = Language.parse("en"), Language.parse("es")
    partners = counterparts(sentences, en, es, dictionary)
    assert partners == {"dog": "perro", "The": "El"}
    mixed, _ = switched(sentences, partners, 1.0, 0)
    assert mixed[0].words == ("El", "perro", "U.S.")
    with pytest.raises(InputError, match="not one word"):
        switched(sentences, {}, 1.0, 0)


@pytest.mark.parametrize("name", [None, "my mix v1.5"])
def test_the_set_that_is_printed_can_be_given_to_finetune(work, pos_data, name):
    dictionary = write(pos_data / "dict.v2.tsv", "dog\tperro\n")
    directory = run(
        CodeSwitchConfig(
            data=pos_data, share=0.25, into="es", dictionary=dictionary, name=name, quiet=True
        )
    )
    found = json.loads((directory.path / "results.json").read_text())
    assert "." in directory.name
    named = parse_named_set(found["eval_set"])
    assert (named.language, named.path) == ("en", directory.path.resolve() / found["file"])
    assert named.name == directory.name.replace(".", "_").replace(" ", "_")
    shown = summary(directory).plain.partition("bbert ")[2]
    typed = shlex.split(shown)  # as a shell reads what is printed
    assert typed[-1] == found["eval_set"]
    assert parse(typed[0], typed[1:]).eval_set == (found["eval_set"],)


def test_a_file_is_read_as_its_options_say(work, tmp_path):
    """Where the reader's message names an option of fine-tuning, this command has it too."""
    lines = "Anna\tB-PER\nAsunci\u00f3n\tO\nRoma\tI-LOC\n\n" * 4
    (tmp_path / "test-es.tsv").write_bytes((lines + "Roma\tB-LOC\n\n").encode("latin-1"))
    given = {"data": tmp_path, "task": "ner", "language": "es", "into": "esfake"}
    with pytest.raises(InputError, match=r"test-es.tsv:2: .* --encoding latin-1"):
        run(CodeSwitchConfig(**given))
    given["encoding"] = "latin-1"
    with pytest.raises(InputError, match=r"test-es.tsv:3: .*\n?.*--illegal-tags repair"):
        run(CodeSwitchConfig(**given))
    directory = run(CodeSwitchConfig(**given, illegal_tags="repair", share=1.0))
    found = json.loads((directory.path / "results.json").read_text())
    assert found["reading"]["illegal_tags_repaired"] == 4
    assert found["reading"]["encoding"] == "latin-1"
    sentences = load_task("ner").read([directory.path / found["file"]], "es")
    assert sentences[0].words == tuple(map(fake, ("Anna", "Asunción", "Roma")))
    assert sentences[0].labels == ("B-PER", "O", "B-LOC")


def test_words_of_a_fake_language_would_all_be_fake_again(work, pos_data, capsys):
    enfake = Language.parse("enfake")
    assert enfake.apply("dog") == fake("dog"), "what fine-tuning does to a set in enfake"
    for options in (
        {"language": "enfake", "into": "en"},
        {"language": "enfakeshare30", "into": "enfake"},
        {"language": "enfake", "into": "es", "dictionary": write(pos_data / "d.tsv", "dog\tcan\n")},
    ):
        with pytest.raises(InputError, match="made fake again when it is read") as refused:
            run(CodeSwitchConfig(data=pos_data, **options))
        assert f"--language en --into {options['language']}" in str(refused.value)
    typed = ["probe", "code-switch", "--data", str(pos_data), "--language", "enfake", "--into",
             "en", "--quiet"]  # fmt: skip
    assert main(typed) == 2
    assert len(capsys.readouterr().err.splitlines()) <= 2
    assert not (work / "probes").exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"into": "es"}, "give --dictionary"),
        ({"into": "esfake"}, "esfake is no fake of en: give --dictionary"),
        ({"into": "enreversed"}, "reversed language has the same words"),
        ({"data": None}, "--data is needed"),
        ({"language": "hi", "into": "hifake"}, "no test or dev file"),
    ],
)
def test_code_switching_refuses_what_it_cannot_do(work, pos_data, options, says):
    with pytest.raises(InputError, match=says):
        run(CodeSwitchConfig(**{"data": pos_data, **options}))


@pytest.mark.parametrize(
    ("config", "options", "says"),
    [
        (CkaConfig, {"minibatch": 3}, "at least 4"),
        (CkaConfig, {"minibatch": 50, "variant": "paper"}, "no use with --variant paper"),
        (CkaConfig, {"max_sentences": 3}, "needs 4"),
        (CkaConfig, {"random_init": "2-1"}, "no set of layers"),
        (CkaConfig, {"num_samples": 1}, "--num-samples 1"),
        (RetrievalConfig, {"distance": ()}, "names none"),
        (RetrievalConfig, {"distance": ("l2", "l2")}, "twice"),
        (CodeSwitchConfig, {"share": 0}, "above 0"),
        (CodeSwitchConfig, {"into": "en"}, "another language"),
        (CodeSwitchConfig, {"encoding": "latin-99"}, "--encoding 'latin-99' is unknown"),
        (CodeSwitchConfig, {"illegal_tags": "repair"}, "an option of task ner"),
    ],
)
def test_options_that_make_no_sense_are_refused(config, options, says):
    with pytest.raises(ValueError, match=says):
        config(**options)


def test_words_are_those_of_the_corpus_where_a_fake_language_stood_beside_them(tmp_path):
    """A rare ideograph, which has the place of a letter of the fake alphabet."""
    rare = chr(ord("A") + 200_000)
    english, beside = Language.parse("en"), [Language.parse("enfake"), Language.parse("en")]
    sentences = [f"Anna {rare} Rome here"] * 8
    assert applied_words(sentences, english, ())[0][1] == rare
    words = {"en": applied_words(sentences, english, beside)}
    assert words["en"][0] == ["Anna", give_way(rare), "Rome", "here"]
    words["es"] = applied_words(["uno dos tres cuatro"] * 8, Language.parse("es"), beside)
    path = write(tmp_path / "pairs.tsv", f"Anna\tuno\n{rare}\tdos\nRome\ttres\nhere\tcuatro\n")
    pairs = dictionary_pairs(path, words, ("en", "es"), 10, beside)
    assert give_way(rare) in pairs.words[0]
