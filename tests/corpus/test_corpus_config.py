"""Options and sources of a build: what is filled in, what is refused and how that is said."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from dump_files import plain_text

from bbert.cli import main
from bbert.corpus.config import REAL_DEFAULTS, SAMPLE_DEFAULTS, CorpusConfig, resolve, run_name
from bbert.corpus.sources import assign_sources, read_sources
from bbert.errors import InputError
from bbert.languages import parse_languages


def test_sample_and_real_defaults():
    sample = resolve(CorpusConfig())
    assert sample.languages == SAMPLE_DEFAULTS["languages"]
    assert sample.vocab_size == 2 * SAMPLE_DEFAULTS["vocab_size"]
    assert sample.vocab == SAMPLE_DEFAULTS["vocab"]
    shared = resolve(CorpusConfig(languages=("en", "es")))
    assert (shared.vocab, shared.vocab_size) == ("joint", 560), "the text of both fills 578"
    assert resolve(shared) == shared
    real = resolve(CorpusConfig(text=("en=a", "es=b", "en=c")))
    assert real.languages == ("en", "es")
    assert (real.vocab_size, real.vocab) == (REAL_DEFAULTS["vocab_size"], REAL_DEFAULTS["vocab"])
    assert resolve(sample) == sample


def test_characters_and_words_have_no_size_and_no_segmentation_of_their_own():
    for tokenization in ("char", "word"):
        for text in ((), ("en=a", "enfake=b")):
            config = resolve(CorpusConfig(text=text, tokenization=tokenization))
            assert (config.vocab_size, config.segmentation) == (None, None)
            assert resolve(config) == config
    assert resolve(CorpusConfig()).segmentation == "greedy"
    typed = CorpusConfig(tokenization="char", smoothing=0.5, vocab_size=300)
    assert run_name(typed) == "sample-enfake-en-vocab-size300-tokenization-char-smoothing0.5"


def test_without_a_fake_language_there_is_nothing_to_mirror():
    assert resolve(CorpusConfig(languages=("es", "ru"))).vocab == "joint"
    with pytest.raises(InputError, match="--vocab mirror"):
        resolve(CorpusConfig(languages=("es", "ru"), vocab="mirror"))


def test_text_is_shared_by_languages_of_one_source_only():
    for options in (
        {},
        {"text": ("en=a",), "languages": ("en", "enreversed")},
        {"text": ("en=a", "enfake=b", "es=c"), "languages": ("enfake", "en", "es", "esfake")},
    ):
        assert resolve(CorpusConfig(shared_text="same", **options)).shared_text == "same"
    for options in (
        {"languages": ("en", "es")},
        {"text": ("en=a",)},
        {"text": ("en=a", "enfake=b"), "languages": ("enfake", "en")},
        {"dump": ("en=a", "it=b"), "languages": ("enfake", "it")},
    ):
        with pytest.raises(InputError, match="--shared-text same is for languages of one source"):
            resolve(CorpusConfig(shared_text="same", **options))


def test_names_of_runs():
    assert run_name(CorpusConfig()) == "sample-enfake-en"
    assert run_name(CorpusConfig(name="x")) == "x"
    config = CorpusConfig(languages=("enfake", "it"), dump=("en=a", "it=b"))
    assert run_name(config) == "enfake-it"
    config = CorpusConfig(
        languages=("enfake", "it"), dump=("en=a", "it=b"), vocab_size=8000, seed=3
    )
    assert run_name(config) == "enfake-it-seed3-vocab-size8000"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"languages": ("en", "es")},
        {"vocab_size": 700, "vocab": "joint"},
        {"text": ("en=a", "es=b"), "seed": 3},
        {"text": ("en=a", "es=b"), "segmentation": "unigram", "permute": ("en=0.5",)},
        {"text": ("en=a", "enfake=b"), "vocab": "mirror", "vocab_size": 8000},
        {"text": ("en=a",), "tokenization": "word"},
        {"text": ("en=a",), "tokenization": "char", "vocab_size": 300},
    ],
)
def test_what_is_filled_in_has_no_part_in_the_name(options: dict):
    typed = CorpusConfig(**options)
    assert run_name(resolve(typed)) == run_name(typed)


def test_an_option_that_says_what_would_be_filled_in_names_the_same_run():
    text = ("en=a", "es=b")
    spelt_out = CorpusConfig(text=text, vocab="joint", segmentation="greedy", vocab_size=60_000)
    assert run_name(spelt_out) == run_name(CorpusConfig(text=text)) == "en-es"
    assert run_name(CorpusConfig(vocab="joint")) == "sample-enfake-en-vocab-joint"


def test_the_saved_configuration_of_a_run_finds_it_up_to_date(tmp_path: Path, capsys):
    text, corpora = tmp_path / "en.txt", tmp_path / "corpora"
    text.write_text(plain_text(20))
    build = ["corpus", "build", "--work", str(tmp_path), "--processes", "1"]
    assert main([*build, "--text", f"en={text}", "--vocab-size", "150"]) == 0
    assert [path.name for path in corpora.iterdir() if path.is_dir()] == ["en-vocab-size150"]
    manifest = (corpora / "en-vocab-size150" / "manifest.json").read_bytes()
    assert main([*build, "--config", str(corpora / "en-vocab-size150" / "config.yaml")]) == 0
    assert [path.name for path in corpora.iterdir() if path.is_dir()] == ["en-vocab-size150"]
    assert (corpora / "en-vocab-size150" / "manifest.json").read_bytes() == manifest
    assert "en-vocab-size150 is up to date" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"languages": ()}, "--languages"),
        ({"languages": ("en", "xx")}, "'xx'"),
        ({"languages": ("en", "en")}, "twice"),
        ({"max_bytes": 0}, "--max-bytes"),
        ({"vocab_size": 5}, "--vocab-size"),
        ({"vocab_size": 1 << 32}, "--vocab-size 4294967296 is too large; give 100000000 or less"),
        ({"sample_sentences": 0}, "--sample-sentences"),
        ({"processes": 0}, "--processes"),
        ({"presplit": True}, "--presplit"),
        ({"sample_sentences": 5, "tokenization": "char"}, "--sample-sentences 5 .*leave it out"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict, message: str):
    with pytest.raises(InputError, match=message):
        CorpusConfig(**options)


def test_files_of_a_source_are_gathered_in_natural_order(tmp_path: Path):
    for number in (10, 2, 1):
        (tmp_path / f"part{number}.xml").write_text("x")
    (tmp_path / "more.txt").write_text("x")
    sources = read_sources([f"en={tmp_path}/part*.xml"], [f"en={tmp_path}/more.txt"])
    names = [path.name for path in sources["en"].files]
    assert names == ["part1.xml", "part2.xml", "part10.xml", "more.txt"]


def test_a_source_of_its_own_comes_before_that_of_the_source_language(tmp_path: Path):
    (tmp_path / "a").write_text("x")
    options = [f"en={tmp_path}/a", f"esfake={tmp_path}/a", f"es={tmp_path}/a"]
    languages = parse_languages(["enfake", "en", "esfake", "es"])
    served = assign_sources(languages, read_sources([], options))
    names = {key: [language.name for language in users] for key, users in served.items()}
    assert names == {"en": ["enfake", "en"], "esfake": ["esfake"], "es": ["es"]}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("en", "expected LANGUAGE=FILE"),
        ("=x", "expected LANGUAGE=FILE"),
        ("xx=a", "'xx' is unknown"),
        ("en=missing.txt", "no such file"),
        ("en=missing*.txt", "no file matches"),
        ("en=.", "is a folder"),
        ("en=empty", "is empty"),
        ("en=pipe", "is a pipe or a device"),
    ],
)
def test_files_that_are_none_are_refused(tmp_path: Path, monkeypatch, value: str, message: str):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").write_text("")
    os.mkfifo(tmp_path / "pipe")
    for option, values in (("--dump", ([value], [])), ("--text", ([], [value]))):
        with pytest.raises(InputError, match=f"{option}.*{message}|language.*{message}"):
            read_sources(*values)


def test_files_and_languages_must_match(tmp_path: Path):
    (tmp_path / "a").write_text("x")
    sources = read_sources([], [f"en={tmp_path}/a"])
    with pytest.raises(
        InputError, match=r"no text for 'it'; give --dump it=FILE or --text it=FILE"
    ):
        assign_sources(parse_languages(["en", "it"]), sources)
    with pytest.raises(InputError, match="'en', which is not among --languages it"):
        assign_sources(parse_languages(["it"]), sources | read_sources([], [f"it={tmp_path}/a"]))
    with pytest.raises(InputError, match="given twice"):
        read_sources([], [f"en={tmp_path}/a", f"en={tmp_path}/a"])
