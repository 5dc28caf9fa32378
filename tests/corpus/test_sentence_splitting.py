"""Sentences: nothing of the text is lost, known traps are no bounds, and gold bounds are found."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bbert.corpus.sentence_splitting import split_sentences

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "sentence_splitting.py"
FLOORS = {"en": 0.91, "es": 0.97, "ru": 0.975, "hi": 0.985, "it": 0.98, "fr": 0.97}
"""F1 over all treebanks of a language; each a little below what was measured."""

PARTS = st.sampled_from(
    ["Word", "word", "St.", "M.", "2.", "डॉ.", "।", ".", "!", "?", "…", " ", "  ", '"', "'", "(",
     ")", "“", "”", "«", "»", "[", "]", ",", "www.example.org", "J.-C.", "\u00a0", "漢。",
     "é\u0301", "C", "\u202f", "\u3000"]
)  # fmt: skip
TEXTS = st.lists(PARTS | st.characters(codec="utf-8", exclude_characters="\n"), max_size=40).map(
    "".join
)

CASES = [
    ("en", ["I know it.", "“It's late.", "Go home.", "He didn't."]),  # never closed
    ("en", ["It's old.", "The dog's tail wags."]),  # two apostrophes are no quotation
    ("en", ['"Why?" she asked.', "Nobody knew."]),
    ("en", ["See www.example.org for more.", "Then come to St. Petersburg."]),
    ("en", ["He left.", "(No one saw it.)", "She stayed."]),
    ("en", ["1. Read the text.", "2. Write it down."]),
    ("es", ["Nació en el s. V a. C. en Roma.", "Murió allí."]),
    ("fr", ["Il dit non.", "« Je reste ici. »", "M. Koch partit vers 50 av. J.-C. à Rome."]),
    ("ru", ["Это было в 5 в. до н. э. и позже.", "«Он знал.", "Она ушла.»"]),
    ("hi", ["डॉ. सिंह आए ।", "वे चले गए।"]),
]


@given(st.sampled_from(["en", "es", "fr", "hi", "it", "kk", "ru", "zh", "xx"]), TEXTS)
@settings(max_examples=400, deadline=None)
def test_nothing_but_white_space_is_lost(language: str, text: str):
    sentences = split_sentences(language, text)
    assert all(sentence.strip() for sentence in sentences)
    assert "".join("".join(sentences).split()) == "".join(text.split())


@pytest.mark.parametrize(("language", "sentences"), CASES)
def test_traps(language: str, sentences: list[str]):
    found = [sentence.strip() for sentence in split_sentences(language, " ".join(sentences))]
    assert found == sentences


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("fr", "Il a eu la note «\u00a0A\u00a0». Elle aussi. Il dit «\u00a0non\u00a0»."),
        ("fr", "C'est le plan (\u202fB\u202f). Voilà."),
        ("en", "He takes vitamin C\u00a0. It helps."),
        ("en", "Point B \u00a0\u2003. Then “more”. And more."),
        ("zh", "维生素C\u3000. Next one."),
        ("xx", "A\x85."),
        ("kk", "C\u202f.\u2009. D..\u00a0. E"),
    ],
)
def test_white_space_between_a_capital_and_a_full_stop(language: str, text: str):
    """What `sentencex` 1.0.32 dies of where it is not ASCII: it is kept, and is as blanks are."""
    found = split_sentences(language, text)
    assert "".join(found) == text
    blanks = "".join(" " if character.isspace() else character for character in text)
    assert list(map(len, found)) == list(map(len, split_sentences(language, blanks)))


@pytest.fixture(scope="module")
def benchmark() -> Any:
    spec = importlib.util.spec_from_file_location("sentence_splitting_benchmark", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_benchmark_counts_bounds(benchmark, tmp_path: Path):
    file = tmp_path / "UD_English-Small" / "en_small-ud-test.conllu"
    file.parent.mkdir()
    words = "\n".join(f"{i}\t{w}" + "\t_" * 8 for i, w in enumerate(("No", "text", "."), 1))
    text = f"# newpar\n# text = Mr. A left.\n{words}\n\n# text = B stayed.\n{words}\n\n"
    file.write_text(text + f"# newpar\n{words}\n\n")
    assert benchmark.paragraphs(file) == [["Mr. A left.", "B stayed."], ["No text ."]]
    assert benchmark.bounds(["Mr. A left.", "B stayed."]) == {9}
    found = benchmark.score(lambda text: text.split(". "), benchmark.paragraphs(file))
    assert (found.gold, found.found, found.right) == (1, 2, 0)  # without the full stops
    found = benchmark.score(lambda text: text.split(" "), benchmark.paragraphs(file))
    assert (found.gold, found.found, found.right) == (1, 6, 1)
    assert found.precision == pytest.approx(1 / 6)
    assert found.recall == 1.0
    assert found.f1 == pytest.approx(2 / 7)


@pytest.mark.realdata
@pytest.mark.parametrize("language", FLOORS)
def test_gold_bounds_are_found(benchmark, real_data: Path, language: str):
    [banks] = benchmark.treebanks(real_data / "ud", [language]).values()
    splitters = benchmark.splitters(language)
    zero = benchmark.Score(0, 0, 0)
    scores = {
        name: sum((benchmark.score(splitters[name], text) for text in banks.values()), zero)
        for name in ("bbert", "sentencex")
    }
    assert scores["bbert"].gold >= 900
    assert scores["bbert"].f1 >= FLOORS[language]
    assert scores["bbert"].f1 > scores["sentencex"].f1
