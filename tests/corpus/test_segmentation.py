"""Both cuts against independent implementations: longest match here, SentencePiece itself."""

from __future__ import annotations

import io

import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st
from invented_text import write_texts

from bbert.corpus.segmentation import Segmenter
from bbert.corpus.unigram_pieces import MAX_WORD_CHARACTERS
from bbert.corpus.vocabulary import RESERVED_SCORE, UNKNOWN_ID, Vocabulary, train_pieces
from bbert.languages import Language, fake

NAMES = ("en", "hi", "enfake")


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Vocabulary, list[str]]:
    """A vocabulary and the words of its text."""
    folder = tmp_path_factory.mktemp("learned")
    files = write_texts(folder, NAMES, odd=True)
    languages = [Language.parse(name) for name in NAMES]
    vocabulary = train_pieces(files, languages, 1200, "joint", seed=0, work_directory=folder)
    words = {word for path in files.values() for word in path.read_text().split()}
    return vocabulary, sorted(words)


@pytest.fixture(scope="module")
def segmenters(learned: tuple[Vocabulary, list[str]]) -> list[Segmenter]:
    return [Segmenter(learned[0], "greedy"), Segmenter(learned[0], "unigram")]


def longest_match(word: str, ids: dict[str, int]) -> list[int]:
    if len(word) > MAX_WORD_CHARACTERS:
        return [UNKNOWN_ID]
    cut: list[int] = []
    start = 0
    while start < len(word):
        prefix = "##" if start else ""
        for end in range(len(word), start, -1):
            if prefix + word[start:end] in ids:
                cut.append(ids[prefix + word[start:end]])
                start = end
                break
        else:
            return [UNKNOWN_ID]
    return cut


def sentencepiece_model(vocabulary: Vocabulary) -> sentencepiece.SentencePieceProcessor:
    """SentencePiece with the same pieces, whose own spelling marks the start of a word."""
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["a b", "b a"]), model_writer=(empty := io.BytesIO()),
        vocab_size=6, hard_vocab_limit=False, normalization_rule_name="identity", bos_id=-1,
        eos_id=-1, minloglevel=2,
    )  # fmt: skip
    from sentencepiece import sentencepiece_model_pb2

    model = sentencepiece_model_pb2.ModelProto.FromString(empty.getvalue())
    del model.pieces[1:]
    for token, score in zip(vocabulary.tokens, vocabulary.scores, strict=True):
        if score == RESERVED_SCORE or "▁" in token:  # what it takes for a space it must not find
            model.pieces.add(piece=f"▁▁{token}", score=score)
        elif token.startswith("##"):
            model.pieces.add(piece=token[2:], score=score)
        else:
            model.pieces.add(piece="▁" + token, score=score)
    return sentencepiece.SentencePieceProcessor(model_proto=model.SerializeToString())


def test_greedy_is_the_longest_match(learned: tuple[Vocabulary, list[str]]) -> None:
    vocabulary, words = learned
    segmenter = Segmenter(vocabulary, "greedy")
    extra = ["b" * 100, "b" * 101, "\u0378", "ba\u0378", "baba\u0378do"]
    expected = [longest_match(word, vocabulary.ids) for word in words + extra]
    assert segmenter.cut(words + extra) == expected
    assert expected[-4:] == [[UNKNOWN_ID]] * 4


def test_unigram_is_what_sentencepiece_finds(learned: tuple[Vocabulary, list[str]]) -> None:
    vocabulary, words = learned
    model = sentencepiece_model(vocabulary)
    words = [word for word in words if "▁" not in word]  # SentencePiece takes it for a space
    cut = Segmenter(vocabulary, "unigram").cut(words)
    for word, ids in zip(words, cut, strict=True):
        expected = [max(number - 1, UNKNOWN_ID) for number in model.encode(word)]
        assert ids == expected, word
    assert sum(map(len, cut)) > len(words)


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_any_word_of_covered_characters_can_be_cut(
    learned: tuple[Vocabulary, list[str]], segmenters: list[Segmenter], data: st.DataObject
) -> None:
    vocabulary, _ = learned
    pieces = vocabulary.tokens[vocabulary.num_reserved :]
    continuing = sorted(p[2:] for p in pieces if p.startswith("##") and len(p) == 3)
    beginning = sorted(p for p in pieces if len(p) == 1)
    word = data.draw(st.sampled_from(beginning)) + data.draw(
        st.text(st.sampled_from(continuing), max_size=99)
    )
    for segmenter in segmenters:
        (ids,) = segmenter.cut([word])
        assert UNKNOWN_ID not in ids
        assert "".join(vocabulary.tokens[i].removeprefix("##") for i in ids) == word
        tokens = [vocabulary.tokens[i] for i in ids]
        assert [token.startswith("##") for token in tokens] == [False] + [True] * (len(ids) - 1)


def test_unigram_keeps_what_it_knows_of_a_word(learned: tuple[Vocabulary, list[str]]) -> None:
    vocabulary, _ = learned
    cut = Segmenter(vocabulary, "unigram").cut(["ba\u0378\u0379do", "\u0378ba", fake("\u0378")])
    assert [ids.count(UNKNOWN_ID) for ids in cut] == [1, 1, 1]
    assert len(cut[0]) >= 3
    assert cut[1][0] == cut[2][0] == UNKNOWN_ID
