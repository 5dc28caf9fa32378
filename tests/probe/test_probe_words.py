"""Words translated by a model: gold, halves of the sentences, means of pieces, chance, refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from finished_runs import results
from transformers import AutoModel, AutoTokenizer

from bbert.errors import InputError
from bbert.languages import Language
from bbert.probe.config import TranslationConfig
from bbert.probe.layer_run import chances
from bbert.probe.nearest import translated
from bbert.probe.run import run


def test_words_of_a_fake_language_have_exact_gold(tiny_run, pair, english):
    found = results(run(TranslationConfig(parallel=pair)))
    context, table = (
        next(e for e in found["measurements"] if e["measure"].startswith(kind))
        for kind in ("in context", "in the embedding table")
    )
    assert len(context["layers"]) == 3
    assert len(table["layers"]) == 1
    # "U.S." is U, S and two full stops after basic tokenisation
    assert context["n"] == 15
    assert context["chance"] == pytest.approx(1 / 15)


def test_two_occurrences_of_a_word_are_never_of_the_same_sentence(tiny_run, pair, monkeypatch):
    """One language's words come from the even sentences, the other's from the odd ones."""
    vectors = np.random.default_rng(0).normal(size=(2, 3, 15, 8))  # halves that have nothing common
    monkeypatch.setattr(
        "bbert.probe.word_vectors.context_vectors", lambda extractor, s, words, language: vectors
    )
    config = TranslationConfig(parallel=pair, distance=("l2",))
    found = {entry["measure"]: entry for entry in results(run(config))["measurements"]}
    forth, back = (found[f"in context: l2, {way}"] for way in ("forth", "back"))
    assert (forth["languages"], back["languages"]) == (["en", "enfake"], ["enfake", "en"])
    even, odd = vectors
    for layer in range(3):
        assert translated(even[layer], even[layer]).all()
        expected = translated(even[layer], odd[layer]).mean()
        assert expected < 0.5
        assert forth["layers"][layer]["value"] == back["layers"][layer]["value"] == expected


def test_a_word_counts_where_both_halves_of_the_sentences_have_it_twice(tmp_path):
    from bbert.probe.parallel import read_parallel
    from bbert.probe.word_pairs import applied_words, exact_pairs

    often = [f"a b c d n{n}" for n in range(4)]
    rare = ["even n8", "both n9", "even odd n10", "odd both n11", "even both n12", "odd n13",
            "both n14", "both n15", "even n16"]  # fmt: skip
    path = tmp_path / "text.en"
    path.write_text("\n".join([*often, *rare]) + "\n")
    text = read_parallel({"en": path, "enfake": path})
    words = {n: applied_words(text.sentences[n], Language.parse(n), ()) for n in text.languages}
    chosen = exact_pairs(text, words, ("en", "enfake"), 100).words[0]
    assert sorted(chosen) == ["a", "b", "both", "c", "d"]


def test_a_word_in_context_is_the_mean_of_its_pieces_and_occurrences(tiny_run, english, work):
    from bbert.probe.models import find_probed
    from bbert.probe.vectors import Extractor
    from bbert.probe.word_pairs import applied_words
    from bbert.probe.word_vectors import context_vectors, table_vectors

    extractor = Extractor(find_probed(work, "tiny"), "mean", 64, 0)
    language = Language.parse("en")
    sentences = applied_words(["Anna saw Rome .", "xyz Anna", "the Rome zz ."], language, ())
    found = context_vectors(extractor, sentences, ["Anna", "zz"], language)
    tokenizer = AutoTokenizer.from_pretrained(tiny_run / "model")
    model = AutoModel.from_pretrained(tiny_run / "model").eval()
    ids = torch.tensor([[2, *tokenizer("the Rome zz .", add_special_tokens=False)["input_ids"], 3]])
    states = model(ids, output_hidden_states=True).hidden_states
    expected = states[2][0, 3:5].mean(dim=0).detach().numpy()  # z ##z
    assert found[0, 2, 1] == pytest.approx(expected, abs=1e-5)
    assert np.isnan(found[1, 0, 1]).all()  # no odd sentence has it
    weights = model.get_input_embeddings().weight.detach().numpy()
    pieces = tokenizer("zz", add_special_tokens=False)["input_ids"]
    assert len(pieces) == 2
    assert table_vectors(extractor, ["zz"])[0] == pytest.approx(weights[pieces].mean(axis=0))


def test_other_languages_take_a_dictionary(tiny_run, english, tmp_path):
    dictionary = tmp_path / "en-es.tsv"
    dictionary.write_text("Anna\tAnna\nBoris\tBoris\nleft\tleft\nold\tthe\nold\told\nsaw\tsaw\n")
    given = (f"en={english}", f"es={english}")
    found = results(run(TranslationConfig(parallel=given, dictionary=(f"en-es={dictionary}",))))
    tables = {e["measure"]: e for e in found["measurements"] if "table" in e["measure"]}
    assert tables["in the embedding table: l2, forth"]["n"] == 5
    # "old" has two translations among the six words, and either of them counts.
    forth, back = (4 * 1 / 6 + 2 / 6) / 5, 1 / 5
    assert tables["in the embedding table: l2, forth"]["chance"] == pytest.approx(forth)
    assert tables["in the embedding table: l2, back"]["chance"] == pytest.approx(back)
    both = tables["in the embedding table: csls, both directions"]["chance"]
    assert both == pytest.approx((forth + back) / 2)
    assert tables["in the embedding table: cosine, forth"]["layers"][0]["value"] > 0.7


def test_chance_is_what_guessing_reaches():
    gold = ([[0, 1, 2, 3], [0], [4, 4]], [[0, 1], [0], [0], [0], [2]])
    forth, back = chances(gold)
    assert (forth, back) == (pytest.approx((4 + 1 + 1) / 3 / 5), pytest.approx(6 / 5 / 3))
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(400, 4)), rng.normal(size=(100, 4))
    right = [rng.choice(100, size=rng.integers(1, 60), replace=False).tolist() for _ in x]
    wrong_way = [[n for n, found in enumerate(right) if m in found] for m in range(100)]
    expected, _ = chances((right, wrong_way))
    found = translated(x, y, "l2", "none", right).mean()
    assert found == pytest.approx(expected, abs=0.07), "about 0.3; 1/candidates would be 0.01"


def test_words_need_gold(tiny_run, english):
    with pytest.raises(InputError, match="give --dictionary en-es=FILE"):
        run(TranslationConfig(parallel=(f"en={english}", f"es={english}")))
    with pytest.raises(InputError, match="give PAIR=FILE"):
        run(TranslationConfig(parallel=(f"en={english}", f"es={english}"), dictionary=("a=b",)))
