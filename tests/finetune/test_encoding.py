"""Examples as word-piece ids: labels stay with words, specials, separators, truncation."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_task_files import WORDS

from bbert.errors import InputError
from bbert.finetune.batches import IGNORED
from bbert.finetune.encoder import PieceIds
from bbert.finetune.encoding import _longest_first, encode_examples
from bbert.finetune.model_folder import find_model
from bbert.finetune.tasks.task import Sentence, TextPair
from bbert.languages import Language

HERE = Path("file.tsv")
LABELS = ("O", "B-PER", "B-LOC")


def sentence(*words: str, labels: tuple[str, ...] | None = None) -> Sentence:
    return Sentence(words, labels or ("O",) * len(words), HERE, 1)


def pair(first: str, second: str) -> TextPair:
    return TextPair(first, second, ("O",), HERE, 1)


def pieces_of(folder: Path) -> PieceIds:
    return PieceIds(find_model(Path("none"), str(folder)))


def encode(folder: Path, examples, language: str = "en", max_length: int = 64, **options):
    pieces = pieces_of(folder)
    encoded = encode_examples(
        examples, Language.parse(language), pieces, LABELS, max_length, **options
    )
    return encoded, pieces.tokenizer


def text_of(tokenizer, ids) -> list[str]:
    return tokenizer.convert_ids_to_tokens(list(ids))


def test_all_parts_of_a_split_word_belong_to_it(bert: Path):
    example = sentence("Anna", "U.S.", "left", labels=("B-PER", "B-LOC", "O"))
    encoded, tokenizer = encode(bert, [example])
    expected = ["[CLS]", "Anna", "U", ".", "S", ".", "left", "[SEP]"]
    assert text_of(tokenizer, encoded.ids[0]) == expected
    assert encoded.word_positions is not None
    assert encoded.word_positions[0].tolist() == [1, 2, 6]
    assert encoded.labels[0].tolist() == [1, 2, 0]


def test_fake_words_are_the_words_of_the_corpus_shifted(bert: Path):
    example = sentence("Anna", "U.S.", "left")
    plain, tokenizer = encode(bert, [example], "en")
    fake, _ = encode(bert, [example], "enfake")
    enfake = Language.parse("enfake")
    shifted = [enfake.apply(piece) for piece in text_of(tokenizer, plain.ids[0])[1:-1]]
    assert text_of(tokenizer, fake.ids[0])[1:-1] == shifted
    whole = enfake.apply("Anna U.S. left")
    assert text_of(tokenizer, fake.ids[0])[1:-1] == whole.split(" ")
    assert fake.word_positions[0].tolist() == plain.word_positions[0].tolist()
    assert not set(fake.ids[0][1:-1]) & set(plain.ids[0][1:-1])


def test_a_foreign_model_gets_the_words_as_they_are(foreign_bert: Path, bert: Path):
    # Its own tokenizer decides; this one does not set punctuation apart.
    encoded, tokenizer = encode(foreign_bert, [sentence("U.S.")])
    assert text_of(tokenizer, encoded.ids[0]) == ["[CLS]", "U", "##.", "##S", "##.", "[SEP]"]
    encoded, tokenizer = encode(bert, [sentence("U.S.")])
    assert text_of(tokenizer, encoded.ids[0]) == ["[CLS]", "U", ".", "S", ".", "[SEP]"]
    fake, _ = encode(foreign_bert, [sentence("U.S.")], "enfake")  # interventions need words
    assert len(fake.ids[0]) == 6
    assert "[UNK]" not in text_of(tokenizer, fake.ids[0])


def test_a_word_without_pieces_is_unknown_and_counted(bert: Path):
    encoded, tokenizer = encode(bert, [sentence("\u00a0", "left", "\x01")])
    assert text_of(tokenizer, encoded.ids[0]) == ["[CLS]", "[UNK]", "left", "[UNK]", "[SEP]"]
    assert encoded.counts["words_without_pieces"] == 2


@settings(max_examples=60, deadline=None)
@given(words=st.lists(st.sampled_from([*WORDS, "U.S.A.", "xyz"]), min_size=1, max_size=12),
       max_length=st.integers(3, 20))  # fmt: skip
def test_truncation_keeps_labels_aligned_and_counts_what_is_lost(bert: Path, words, max_length):
    labels = tuple(LABELS[i % 3] for i in range(len(words)))
    whole, _ = encode(bert, [sentence(*words, labels=labels)], max_length=200)
    cut, _ = encode(
        bert, [sentence(*words, labels=labels)], max_length=max_length, too_long="wrong"
    )
    kept = len(cut.labels[0])
    assert len(cut.ids[0]) == min(len(whole.ids[0]), max_length)
    assert cut.ids[0][:-1].tolist() == whole.ids[0][: len(cut.ids[0]) - 1].tolist()
    assert cut.ids[0][-1] == whole.ids[0][-1]
    assert cut.word_positions[0].tolist() == whole.word_positions[0][:kept].tolist()
    assert cut.labels[0].tolist() == whole.labels[0][:kept].tolist()
    assert (whole.word_positions[0][:kept] < max_length - 1).all()
    assert (whole.word_positions[0][kept:] >= max_length - 1).all()
    assert cut.counts["truncated_words"] == len(words) - kept
    assert cut.counts["truncated_examples"] == int(len(whole.ids[0]) > max_length)


def test_pairs_as_the_tokenizers_own_templates(bert: Path, xlm_roberta: Path):
    first, second = "Anna left Rome .", "Boris saw Paris ."
    encoded, tokenizer = encode(bert, [pair(first, second)])
    expected = f"[CLS] {first} [SEP] {second} [SEP]".split()
    assert text_of(tokenizer, encoded.ids[0]) == expected
    assert encoded.second_starts.tolist() == [6]
    encoded, tokenizer = encode(xlm_roberta, [pair(first, second)])
    expected = f"<s> {first} </s> </s> {second} </s>".split()
    assert text_of(tokenizer, encoded.ids[0]) == expected
    assert encoded.second_starts is None


def test_language_ids_replace_the_separators(bert_with_language_ids: Path, caplog):
    folder = bert_with_language_ids
    for language, separator in (("enfake", "[unused0]"), ("en", "[unused1]"), ("es", "[SEP]")):
        encoded, tokenizer = encode(folder, [pair("left", "saw")], language)
        tokens = text_of(tokenizer, encoded.ids[0])
        assert [tokens[2], tokens[4]] == [separator] * 2
        encoded, tokenizer = encode(folder, [sentence("left")], language)
        assert text_of(tokenizer, encoded.ids[0])[-1] == separator
    assert "none for 'es'" in caplog.text


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 20))
def test_pairs_lose_pieces_from_the_longer_text_first(first, second, room):
    a, b = first, second
    while a + b > room:  # BERT's own rule
        if a > b:
            a -= 1
        else:
            b -= 1
    if first + second > room:
        assert _longest_first(first, second, room) == (a, b)


def test_truncated_pairs_fit_and_are_counted(bert: Path):
    encoded, tokenizer = encode(bert, [pair("left " * 10, "saw " * 4)], max_length=12)
    assert text_of(tokenizer, encoded.ids[0]) == (
        ["[CLS]", *["left"] * 5, "[SEP]", *["saw"] * 4, "[SEP]"]
    )
    assert encoded.counts == {"truncated_examples": 1}
    assert encoded.cut == {0}


def test_the_texts_of_a_pair_in_two_languages(bert: Path, bert_with_language_ids: Path):
    example = pair("Anna left .", "Boris saw U.S. .")
    enfake, english = Language.parse("enfake"), Language.parse("en")
    for folder in (bert, bert_with_language_ids):
        mixed, tokenizer = encode(folder, [example], "enfake", second_language=english)
        fake, _ = encode(folder, [example], "enfake")
        plain, _ = encode(folder, [example], "en")
        start = int(mixed.second_starts[0])
        assert mixed.ids[0][:start].tolist() == fake.ids[0][:start].tolist()
        assert mixed.ids[0][start:].tolist() == plain.ids[0][start:].tolist()
        tokens = text_of(tokenizer, mixed.ids[0])
        assert tokens[1:4] == enfake.apply("Anna left .").split()
        assert tokens[start:-1] == ["Boris", "saw", "U", ".", "S", ".", "."]


@settings(max_examples=60, deadline=None)
@given(
    words=st.lists(st.sampled_from([*WORDS, "U.S.A.", "xyz"]), min_size=1, max_size=40),
    max_length=st.integers(3, 24),
)
def test_windows_show_every_word_behind_its_own_first_piece(bert: Path, words, max_length):
    labels = tuple(LABELS[i % 3] for i in range(len(words)))
    example = sentence(*words, labels=labels)
    whole, tokenizer = encode(bert, [example], max_length=1000)
    windowed, _ = encode(bert, [example], max_length=max_length)
    assert windowed.labels[0].tolist() == whole.labels[0].tolist()
    assert len(windowed.word_positions[0]) == len(words)
    first_pieces = whole.ids[0][whole.word_positions[0]]
    assert windowed.ids[0][windowed.word_positions[0]].tolist() == first_pieces.tolist()
    parts = windowed.windows.get(0, (len(windowed.ids[0]),))
    assert max(parts) <= max_length
    assert sum(parts) == len(windowed.ids[0])
    assert (0 in windowed.windows) == (len(whole.ids[0]) > max_length and len(parts) > 1) or (
        len(parts) == 1
    )
    ends = [0, *itertools.accumulate(parts)]
    for start, end in itertools.pairwise(ends):
        assert text_of(tokenizer, windowed.ids[0][[start, end - 1]]) == ["[CLS]", "[SEP]"]
    assert windowed.lengths.tolist() == [max(parts)]
    assert windowed.num_windows.tolist() == [len(parts)]
    assert windowed.counts["truncated_words"] == 0


def test_heads_and_relations(bert: Path):
    example = sentence("Anna", "left", ".", labels=("2 nsubj", "0 root", "2 punct"))
    pieces = pieces_of(bert)
    relations = ("nsubj", "punct", "root")
    encoded = encode_examples([example], Language.parse("en"), pieces, relations, 64, arcs=True)
    assert encoded.heads[0].tolist() == [2, 0, 2]
    assert encoded.labels[0].tolist() == [0, 2, 1]
    # A relation that training does not have: the head counts, the relation cannot be right.
    relations = ("punct", "root")
    encoded = encode_examples([example], Language.parse("en"), pieces, relations, 64, arcs=True)
    assert encoded.heads[0].tolist() == [2, 0, 2]
    assert encoded.labels[0].tolist() == [IGNORED, 1, 0]
    assert encoded.counts["unknown_relations"] == 1


def test_a_label_the_training_data_lack_is_named(bert: Path):
    with pytest.raises(InputError, match=r"file.tsv:2: label 'B-MISC' does not occur"):
        encode(bert, [sentence("Anna", "left", labels=("O", "B-MISC"))])


def test_types_of_a_test_set_that_the_training_data_lack(bert: Path):
    example = sentence("Anna", "left", "U.S.", "old", labels=("B-PER", "B-MISC", "I-MISC", "O"))
    encoded, _ = encode(bert, [example, sentence("Anna")], new_types=True)
    assert encoded.labels[0].tolist() == [1, IGNORED, IGNORED, 0]
    assert encoded.counts["unknown_types"] == 1


def test_words_cut_one_by_one_equal_the_sentence_cut_at_once(bert: Path):
    pieces = pieces_of(bert)
    for name in ("en", "enfake"):
        language = Language.parse(name)
        together = pieces.cut(["Anna visited the U.S. , xyz !"], language)[0]
        encoded, _ = encode(bert, [sentence(*"Anna visited the U.S. , xyz !".split())], name)
        assert encoded.ids[0][1:-1].tolist() == together.tolist()
