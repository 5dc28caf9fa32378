"""The live measurement: perfect where languages are one, the same as a slow one, harmless."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny_corpus import build_tiny_corpus
from tokenizers import Tokenizer

from bbert.languages import Language, fake
from bbert.pretrain.architecture import Architecture
from bbert.pretrain.batches import BatchSettings, BatchSource
from bbert.pretrain.curve_keys import SENTENCES, WORDS, best_layers, layers
from bbert.pretrain.model import BertForPretraining
from bbert.pretrain.multilinguality import Multilinguality
from bbert.pretrain.nearest_neighbours import translation_accuracy
from bbert.pretrain.parallel_text import ParallelText, parallel_texts
from bbert.pretrain.process_group import ProcessGroup

LANGUAGES = ["enfake", "en"]
SEQ_LEN = 24


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_corpus(tmp_path_factory.mktemp("curves"), documents=500)


@pytest.fixture(scope="module")
def text(corpus: Path) -> ParallelText:
    source = BatchSource(corpus, LANGUAGES, BatchSettings(seq_len=SEQ_LEN), 0, "validation")
    (text,) = parallel_texts(corpus, LANGUAGES, source.held_out_sentences, {})
    return text


def prepared(corpus: Path, *texts: ParallelText, separators=None) -> Multilinguality:
    return Multilinguality.prepare(texts, corpus / "tokenizer", separators or {}, SEQ_LEN)


def engine_of(model: BertForPretraining):
    """As much of an engine as the measurement needs."""

    @contextmanager
    def evaluation():
        model.eval()
        with torch.no_grad():
            yield model
        model.train()

    return SimpleNamespace(model=model, device="cpu", evaluation=evaluation)


def model_of(corpus: Path, seed: int = 0) -> BertForPretraining:
    size = Tokenizer.from_file(str(corpus / "tokenizer" / "tokenizer.json")).get_vocab_size()
    return BertForPretraining(Architecture(2, 2, 16, 32, size, 32, dropout=0.1), 2, seed)


def measure(what: Multilinguality, model: BertForPretraining) -> dict[str, float]:
    scores = what.measure(engine_of(model), ProcessGroup(), lambda: False)
    assert scores is not None
    return scores


def test_languages_with_the_same_embeddings_translate_perfectly(corpus, text):
    model = model_of(corpus)
    ids = Tokenizer.from_file(str(corpus / "tokenizer" / "tokenizer.json")).get_vocab()
    table = model.embeddings.word.weight.data
    for piece, number in ids.items():
        mark = "##" if piece.startswith("##") else ""
        image = ids.get(mark + fake(piece.removeprefix("##")))
        if image is not None:
            table[image] = table[number]
    scores = measure(prepared(corpus, text), model)
    for languages in (("enfake", "en"), ("en", "enfake")):
        sentences = layers(scores, SENTENCES)[languages]
        assert [layer for layer, _ in sentences] == [0, 1, 2]
        assert all(value == 1 for _, value in sentences)
        words = layers(scores, WORDS)[languages]
        assert words[0][1] > 0.9  # contexts differ in the two halves, embeddings do not


def whole_words(corpus: Path, number: int) -> list[tuple[str, int, int]]:
    """Words that are one piece in both languages, with their two ids."""
    ids = Tokenizer.from_file(str(corpus / "tokenizer" / "tokenizer.json")).get_vocab()
    found = [(w, ids[w], ids[fake(w)]) for w in sorted(ids) if w.isalpha() and fake(w) in ids]
    assert len(found) >= number
    return found[:number]


@pytest.mark.parametrize("wrong", [0, 8, 16])
def test_a_model_that_knows_some_words_scores_their_share(corpus, wrong):
    """Each sentence is one word twice over, and the model has mixed up `wrong` of 24 words."""
    words = whole_words(corpus, 24)
    model = model_of(corpus)
    embeddings = model.embeddings
    rng = np.random.default_rng(0)
    with torch.no_grad():
        embeddings.position.weight.zero_()
        embeddings.segment.weight.zero_()
        table = embeddings.word.weight
        meant = list(range(24))  # in two rings of one half each, so that the mean stays
        for half in (0, 1):
            ring = [number for number in range(wrong) if number % 2 == half]
            for here, there in zip(ring, [*ring[1:], *ring[:1]], strict=True):
                meant[here] = there
        vectors = torch.from_numpy(rng.normal(size=(24, 16))).float()
        for number, (_, english, foreign) in enumerate(words):
            table[english], table[foreign] = vectors[number], vectors[meant[number]]
    # Word types are numbered by frequency and then by name: as `words` is. Every word occurs twice
    # in either half of the text.
    sentences = [f"{word} {word}" for word, *_ in words for _ in range(2)]
    sentences = [f"{s} ." if number % 2 else s for number, s in enumerate(sentences)]
    text = ParallelText(
        {"en": sentences, "enfake": [fake(s) for s in sentences]}, (("en", "enfake"),), True
    )
    scores = measure(prepared(corpus, text), model)
    assert scores[f"{WORDS}_chance/en-enfake"] == 1 / 24
    for languages in (("en", "enfake"), ("enfake", "en")):
        (_, value), *_ = layers(scores, WORDS)[languages]
        assert value == (24 - wrong) / 24


def test_a_slow_measurement_gives_the_same(corpus, text):
    model = model_of(corpus, seed=3)
    what = prepared(corpus, text)
    scores = measure(what, model)
    tokenizer = Tokenizer.from_file(str(corpus / "tokenizer" / "tokenizer.json"))
    ids = tokenizer.get_vocab()
    model.eval()
    found: dict[str, list[np.ndarray]] = {}
    words: dict[tuple[str, int, str], list[np.ndarray]] = {}
    chosen = list(dict.fromkeys(text.sentences["en"]))
    chosen = [s for s in chosen if len(tokenizer.encode(s, add_special_tokens=False).ids) >= 2]
    for name in LANGUAGES:
        for place, english in enumerate(chosen):
            sentence = Language.parse(name).apply(english)
            cut = tokenizer.encode(sentence, add_special_tokens=False)
            row = torch.tensor([[ids["[CLS]"], *cut.ids, ids["[SEP]"]]])
            with torch.no_grad():
                hidden = torch.stack(model.encode(row, torch.zeros_like(row)))[:, 0, 1:-1]
            found.setdefault(name, []).append(hidden.mean(1).numpy())
            for number, word in enumerate(english.split(" ")):
                pieces = [i for i, w in enumerate(cut.word_ids) if w == number]
                vector = hidden[:, pieces].mean(1).numpy()
                words.setdefault((name, place % 2, word), []).append(vector)
    types = sorted({word for *_, word in words})
    types = [
        word
        for word in types
        if min(len(words.get(("en", half, word), [])) for half in (0, 1)) >= 2
    ]
    for here, there in (LANGUAGES, LANGUAGES[::-1]):
        assert scores[f"{SENTENCES}_chance/{here}-{there}"] == 1 / len(chosen)
        assert scores[f"{WORDS}_chance/{here}-{there}"] == 1 / len(types)
        for layer, value in layers(scores, SENTENCES)[here, there]:
            pair = [np.array([v[layer] for v in found[name]]) for name in (here, there)]
            assert value == pytest.approx(translation_accuracy(*pair), abs=1.01 / len(chosen))
        for layer, value in layers(scores, WORDS)[here, there]:
            pair = [
                np.array([np.mean(words[name, half, w], axis=0)[layer] for w in what_order(words)])
                for half, name in enumerate((here, there))
            ]
            assert value == pytest.approx(translation_accuracy(*pair), abs=1.01 / len(types))


def test_a_sentence_is_the_mean_of_its_word_pieces_alone(corpus, text):
    """[CLS] and the separator are left out, whatever else is in the batch."""
    what, model = prepared(corpus, text), model_of(corpus)
    rows = what._batches()[0]
    assert len({len(what._sentences[row].ids) for row in rows}) > 1
    sentences = torch.zeros(len(what._sentences), 3, 16)
    words = torch.zeros(what._num_word_rows, 3, 16, dtype=torch.float64)
    engine = engine_of(model)
    with engine.evaluation():
        what._add_vectors(engine, rows, sentences, words)
        for row in (rows[0], rows[-1]):
            ids = torch.tensor([what._sentences[row].ids])
            hidden = torch.stack(model.encode(ids, torch.zeros_like(ids)))[:, 0, 1:-1]
            torch.testing.assert_close(sentences[row], hidden.mean(dim=1), rtol=1e-5, atol=1e-6)


def what_order(words: dict[tuple[str, int, str], list[np.ndarray]]) -> list[str]:
    """Word types by frequency, as the measurement orders them; order decides the halves."""
    counts = {
        word: [len(words.get(("en", half, word), [])) for half in (0, 1)] for *_, word in words
    }
    return sorted(
        (word for word, both in counts.items() if min(both) >= 2),
        key=lambda word: (-sum(counts[word]), word),
    )


def test_several_processes_find_the_same_together(corpus, text, monkeypatch):
    """What two processes put into the tables adds up to what one does."""
    monkeypatch.setattr("bbert.pretrain.multilinguality._POSITIONS_AT_ONCE", 300)
    what, model = prepared(corpus, text), model_of(corpus)
    shape = (len(what._sentences), 3, 16), (what._num_word_rows, 3, 16)
    whole, parts = ([torch.zeros(shape[0]), torch.zeros(shape[1], dtype=torch.float64)]
                    for _ in range(2))  # fmt: skip
    engine = engine_of(model)
    with engine.evaluation():
        for tables, chosen in ((whole, (0, 1)), (parts, (0,)), (parts, (1,))):
            for number, rows in enumerate(what._batches()):
                if number % 2 in chosen:
                    what._add_vectors(engine, rows, *tables)
    assert len(what._batches()) > 1
    assert torch.equal(whole[0], parts[0])
    torch.testing.assert_close(whole[1], parts[1], rtol=1e-12, atol=1e-12)


def test_language_ids_end_the_sentences(corpus, text):
    rows = prepared(corpus, text, separators={"enfake": 5, "en": 6})._sentences
    half = len(rows) // 2
    assert {row.ids[-1] for row in rows[:half]} == {5}
    assert {row.ids[-1] for row in rows[half:]} == {6}


def test_words_of_a_reversed_language_are_found_from_the_end(corpus, text):
    english = text.sentences["en"]
    reversed_ = [" ".join(reversed(line.split(" "))) for line in english]
    both = ParallelText({"en": english, "enreversed": reversed_}, (("en", "enreversed"),), True)
    what = prepared(corpus, both)
    pieces: dict[int, set[tuple[int, ...]]] = {}
    for row in what._sentences:
        for number in set(row.word_rows) - {-1}:
            at = [i for i, w in enumerate(row.word_rows) if w == number]
            size = round(1 / row.weights[at[0]])
            for i in range(0, len(at), size):
                found = tuple(row.ids[place] for place in at[i : i + size])
                pieces.setdefault(number, set()).add(found)
    assert len(pieces) == what._num_word_rows
    assert all(len(found) == 1 for found in pieces.values())  # every row is one word
    quarter = what._num_word_rows // 4
    for number in range(quarter):  # and the same word in both languages and halves
        assert len(set.union(*(pieces[number + quarter * part] for part in range(4)))) == 1


def test_too_little_parallel_text_is_said_and_left_out(corpus, text, caplog):
    few = ParallelText({n: s[:9] for n, s in text.sentences.items()}, text.pairs, True)
    with caplog.at_level("INFO", logger="bbert"):
        assert prepared(corpus, few).comparisons == []
    assert "no multilinguality curves for enfake-en" in caplog.text


def test_sentences_that_do_not_fit_or_come_twice_are_left_out(corpus, text):
    num = len(prepared(corpus, text)._sentences)
    longest = max(text.sentences["en"], key=len)
    more = {
        "en": [*text.sentences["en"], *text.sentences["en"][:5], longest * 9],
        "enfake": [*text.sentences["enfake"], *text.sentences["enfake"][:5], fake(longest * 9)],
    }
    assert len(prepared(corpus, ParallelText(more, text.pairs, True))._sentences) == num


def test_without_exact_translations_there_are_no_words(corpus, text):
    scores = measure(
        prepared(corpus, ParallelText(text.sentences, text.pairs, False)), model_of(corpus)
    )
    assert {key.split("/")[0] for key in scores} == {SENTENCES, f"{SENTENCES}_chance"}


def test_it_draws_nothing_and_can_be_stopped(corpus, text):
    what, model = prepared(corpus, text), model_of(corpus)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    assert measure(what, model) == measure(what, model)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(tensor, weights[n]) for n, tensor in model.state_dict().items())
    assert model.training
    assert what.measure(engine_of(model), ProcessGroup(), lambda: True) is None


def test_the_best_layer_is_that_of_both_directions():
    scores = {
        f"{SENTENCES}/en-enfake/layer0": 0.5, f"{SENTENCES}/en-enfake/layer1": 0.75,
        f"{SENTENCES}/enfake-en/layer0": 0.7, f"{SENTENCES}/enfake-en/layer1": 0.25,
        f"{SENTENCES}_chance/en-enfake": 0.01, f"{SENTENCES}_chance/enfake-en": 0.01,
    }  # fmt: skip
    expected = "sentence translation en/enfake: 60.0 % (layer 0, chance 1.0 %)"
    assert best_layers(scores) == expected
