"""FLORES and PUD as they are published, through a tiny model, and the real table of WALS."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from finished_runs import write_transfer

from bbert.languages import Language
from bbert.probe.config import CkaConfig, RetrievalConfig, TranslationConfig
from bbert.probe.parallel import read_parallel
from bbert.probe.run import run
from bbert.probe.runs_config import WALS_FEATURES, TypologyConfig
from bbert.probe.wals import Wals, order_class

pytestmark = pytest.mark.realdata

PUD = {"en": "English", "es": "Spanish", "hi": "Hindi", "ru": "Russian", "it": "Italian",
       "fr": "French"}  # fmt: skip


def pud(real_data: Path, code: str) -> Path:
    return real_data / "ud" / f"UD_{PUD[code]}-PUD" / f"{code}_pud-ud-test.conllu"


def results(directory) -> dict:
    return json.loads((directory.path / "results.json").read_text())


def test_pud_in_six_languages_belongs_together_by_its_ids(real_data):
    text = read_parallel({code: pud(real_data, code) for code in PUD})
    assert len(text) + sum(text.left_out.values()) == 1000
    assert text.left_out["without_partner"] == 0
    assert len(text) > 990
    assert text.sentences["en"][0].startswith("“While much of the digital transition")
    assert text.sentences["es"][0].startswith("Aunque no haya precedentes")


def test_flores_and_pud_through_a_model(real_data, tiny_run):
    flores = {code: real_data / "parallel" / f"flores.{code}" for code in ("en", "es")}
    parallel = tuple(f"{code}={path}" for code, path in flores.items())
    found = results(run(CkaConfig(parallel=parallel, max_sentences=100)))
    assert (found["n"], len(found["layers"])) == (100, 3)
    assert all(layer["value"] is not None for layer in found["layers"])
    pair = (f"en={pud(real_data, 'en')}", f"es={pud(real_data, 'es')}")
    found = results(run(RetrievalConfig(parallel=pair, max_sentences=100)))
    assert found["chance"] == pytest.approx(0.01)
    # numbers and names are written alike: a random model finds some translations
    assert found["layers"][0]["value"] > 0.01
    exact = (f"en={flores['en']}", f"enfake={flores['en']}")
    found = results(run(TranslationConfig(parallel=exact, max_sentences=200, max_words=50)))
    assert 40 < found["n"] <= 50  # some stand beyond the 64 pieces of this model


def test_word_order_as_wals_has_it(real_data):
    wals = Wals(real_data / "wals" / "word_order.csv", WALS_FEATURES, {})
    of = {code: wals.of(Language.parse(code)) for code in ("en", "es", "hi", "ru", "de", "ja")}
    assert {code: order_class(found, "81A") for code, found in of.items()} == {
        "en": "SVO", "es": "SVO", "hi": "SOV", "ru": "SVO", "de": None, "ja": "SOV",
    }  # fmt: skip
    assert {code: order_class(found, "87A") for code, found in of.items()} == {
        "en": "AN", "es": "NA", "hi": "AN", "ru": "AN", "de": "AN", "ja": "AN",
    }  # fmt: skip


def test_languages_of_the_paper_are_in_wals(real_data, work):
    """The 33 languages of its footnote 7, by its classes of word order."""
    svo = "bg ca cs da en es et fi fr gl he hr id it lv no pl pt ro ru sk sl sv zh".split()
    sov = "eu fa hi ja ko mr ta te tr ur".split()
    wals = Wals(real_data / "wals" / "word_order.csv", WALS_FEATURES, {})
    classes = {code: order_class(wals.of(Language.parse(code)), "81A") for code in svo + sov}
    different = [c for c, found in classes.items() if found != ("SVO" if c in svo else "SOV")]
    unknown = [code for code in different if classes[code] is None]
    assert len(different) <= 4, different
    assert different == unknown  # none is in the other class
    scores = dict.fromkeys(("en", *sov), 0.5)
    write_transfer(work, "t", scores=scores)
    path = real_data / "wals" / "word_order.csv"
    found = results(run(TypologyConfig(wals=path)))
    grid = {(row["train"], row["eval"]): row["pairs"] for row in found["by_order"]}
    assert grid["SVO", "SOV"] >= 8
