"""The saved tokenizer: it gives the ids of the token store, and the right ids on raw text."""

from __future__ import annotations

import json
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from invented_text import write_texts

from bbert.corpus.encode import encode_text
from bbert.corpus.segmentation import Segmentation
from bbert.corpus.token_store import TokenStore
from bbert.corpus.tokenization import make_vocabulary
from bbert.corpus.tokenizer import build_tokenizer, save_tokenizer
from bbert.corpus.vocabulary import UNKNOWN_ID, Vocabulary
from bbert.languages import Language, parse_languages

NAMES = ("enfake", "en", "hi", "ru")
SEGMENTATIONS: tuple[Segmentation, ...] = ("greedy", "unigram", "char", "word")


def make(files: dict[str, Path], segmentation: Segmentation, size: int, work: Path) -> Vocabulary:
    """A vocabulary that `segmentation` goes with; of words, all but the rarest."""
    whole = segmentation in ("char", "word")
    return make_vocabulary(
        segmentation if whole else "wordpiece",  # type: ignore[arg-type]
        files,
        parse_languages(files),
        None if segmentation == "char" else size,
        "joint",
        10**6,
        smoothing=0.7,
        seed=0,
        work_directory=work,
    )


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Texts; `tokenizer-<segmentation>` folders, and `vocabulary-<segmentation>.tsv`."""
    folder = tmp_path_factory.mktemp("corpus")
    files = write_texts(folder, NAMES, odd=True)
    for segmentation in SEGMENTATIONS:
        vocabulary = make(files, segmentation, 2000, folder / "pieces")
        vocabulary.save(folder / f"vocabulary-{segmentation}.tsv")
        save_tokenizer(vocabulary, folder / f"tokenizer-{segmentation}", segmentation)
    return folder


@pytest.fixture(scope="module")
def vocabularies(corpus: Path) -> dict[str, Vocabulary]:
    return {name: Vocabulary.load(corpus / f"vocabulary-{name}.tsv") for name in SEGMENTATIONS}


@pytest.fixture(scope="module")
def words_of(vocabularies: dict[str, Vocabulary]) -> Callable[[str], list[str]]:
    """The words that the tokenizer finds."""
    tokenizer = build_tokenizer(vocabularies["greedy"], "greedy")

    def words(line: str) -> list[str]:
        normalized = tokenizer.normalizer.normalize_str(line)
        return [word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(normalized)]

    return words


def load(folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


def differing_lines(
    folder: Path, text: Path, vocabulary: Vocabulary, segmentation: Segmentation
) -> int:
    """Number of lines with other ids in the store than from `AutoTokenizer`."""
    store_folder = folder / "tokens" / f"{text.name}-{segmentation}"
    encode_text(text, vocabulary, segmentation, store_folder)
    store = TokenStore(store_folder)
    lines = [line for line in text.read_text().split("\n") if line]
    tokenizer = load(folder / f"tokenizer-{segmentation}")
    ids = tokenizer(lines, add_special_tokens=False, verbose=False)["input_ids"]
    assert len(ids) == len(store)
    assert max(map(len, ids)) > 3
    return sum(own.tolist() != other for own, other in zip(store, ids, strict=True))


@pytest.mark.parametrize("segmentation", SEGMENTATIONS)
@pytest.mark.parametrize("name", NAMES)
def test_the_ids_are_those_of_the_token_store(
    corpus: Path, vocabularies: dict[str, Vocabulary], name: str, segmentation: Segmentation
) -> None:
    vocabulary = vocabularies[segmentation]
    assert differing_lines(corpus, corpus / f"{name}.txt", vocabulary, segmentation) == 0


@pytest.mark.realdata
def test_the_ids_are_those_of_the_token_store_for_real_text(
    real_data: Path, tmp_path: Path
) -> None:
    """Some thousand lines of books and Wikipedia in four languages and Fake-English."""
    files = {}
    for name in ("enfake", "en", "es", "hi", "ru"):
        source = Language.parse(name).source
        text = ""
        for book in (f"{source}.txt.xz", f"wikipedia-paragraphs.{source}.txt.xz"):
            with lzma.open(real_data / "text" / book, "rt") as file:
                text += file.read(60_000) + "\n\n"
        files[name] = tmp_path / f"{name}.txt"
        files[name].write_text(Language.parse(name).apply(text))
    for segmentation in SEGMENTATIONS:
        vocabulary = make(files, segmentation, 6000, tmp_path / "pieces")
        save_tokenizer(vocabulary, tmp_path / f"tokenizer-{segmentation}", segmentation)
        for text_file in files.values():
            assert differing_lines(tmp_path, text_file, vocabulary, segmentation) == 0


anything = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=30)
confusing = st.text(
    st.sampled_from(
        "aA\u0301\u030a\u093c\u094d\u200d\u200c한각中\u3000 \t\u00a0.¡[]#▁▅\u0085\ufeff\ue000"
    )
)


@settings(deadline=None, max_examples=300)
@given(anything | confusing)
def test_it_finds_the_words_of_any_final_text(words_of: Callable, raw: str) -> None:
    """Nothing is removed, composed or split that basic tokenisation and the shift have left."""
    for name in ("en", "enfake"):
        for line in Language.parse(name).apply(raw).split("\n"):
            assert words_of(line) == line.split()


@pytest.mark.parametrize("segmentation", SEGMENTATIONS)
def test_raw_text_is_tokenised(
    corpus: Path, vocabularies: dict[str, Vocabulary], segmentation: Segmentation
) -> None:
    tokenizer = load(corpus / f"tokenizer-{segmentation}")
    raw = "Bana,  dono\u00a0(ba\x00du)!\tcafe\u0301 \x07क्\u200dषो"
    expected = Language.parse("en").apply(raw)
    assert expected == "Bana , dono ( badu ) ! café क्\u200dषो"
    ids = tokenizer(raw, add_special_tokens=False)["input_ids"]
    assert ids == tokenizer(expected, add_special_tokens=False)["input_ids"]
    without_e = expected.replace("é", "e")
    ids = tokenizer(without_e, add_special_tokens=False)["input_ids"]
    if UNKNOWN_ID not in ids:
        assert tokenizer.decode(ids) == without_e
    by_word = tokenizer(expected.split(), is_split_into_words=True, add_special_tokens=False)
    assert by_word["input_ids"] == tokenizer(expected, add_special_tokens=False)["input_ids"]
    assert sorted(set(by_word.word_ids())) == list(range(len(expected.split())))


@pytest.mark.parametrize("segmentation", SEGMENTATIONS)
def test_pairs_special_tokens_and_settings(
    corpus: Path, vocabularies: dict[str, Vocabulary], segmentation: Segmentation
) -> None:
    tokenizer = load(corpus / f"tokenizer-{segmentation}")
    assert tokenizer.model_max_length == 512
    assert len(tokenizer) == tokenizer.vocab_size == len(vocabularies[segmentation])
    names = ("pad", "unk", "cls", "sep", "mask")
    assert [getattr(tokenizer, f"{name}_token_id") for name in names] == [0, 1, 2, 3, 4]
    assert tokenizer.convert_tokens_to_ids("[unused0]") == 5
    pair = tokenizer("ba", "do .")
    first, second = (tokenizer(t, add_special_tokens=False)["input_ids"] for t in ("ba", "do ."))
    assert pair["input_ids"] == [2, *first, 3, *second, 3]
    assert pair["token_type_ids"] == [0] * (len(first) + 2) + [1] * (len(second) + 1)
    batch = tokenizer(["ba", "ba do do"], padding=True)
    assert batch["input_ids"][0][-1] == 0
    assert batch["attention_mask"][0][-1] == 0
    assert len(tokenizer("ba " * 600, truncation=True)["input_ids"]) == 512
    if segmentation != "word":  # it knows neither
        assert tokenizer("Ba")["input_ids"] != tokenizer("ba")["input_ids"]
    assert tokenizer("ba [MASK]", add_special_tokens=False)["input_ids"][-1] == 4
    final = Language.parse("en").apply("[SEP] [MASK]")  # from a text, these are ordinary words
    assert not {3, 4} & set(tokenizer(final, add_special_tokens=False)["input_ids"])


@pytest.mark.parametrize("segmentation", SEGMENTATIONS)
def test_final_text_can_be_decoded(corpus: Path, segmentation: Segmentation) -> None:
    """Lines whose words are all known come back as they are."""
    tokenizer = load(corpus / f"tokenizer-{segmentation}")
    num_lines = 0
    for name in NAMES:
        lines = [line for line in (corpus / f"{name}.txt").read_text().split("\n") if line][:100]
        for line, ids in zip(
            lines, tokenizer(lines, add_special_tokens=False)["input_ids"], strict=True
        ):
            if UNKNOWN_ID not in ids and "#" not in line:  # a "#" may come back without its space
                assert tokenizer.decode(ids) == line
                num_lines += 1
    assert num_lines > 80


def test_words_of_over_a_hundred_characters(corpus: Path) -> None:
    tokenizer = load(corpus / "tokenizer-greedy")
    assert tokenizer("b" * 101, add_special_tokens=False)["input_ids"] == [UNKNOWN_ID]
    assert UNKNOWN_ID not in tokenizer("b" * 100, add_special_tokens=False)["input_ids"]
    ids = load(corpus / "tokenizer-char")("b" * 3000, add_special_tokens=False)["input_ids"]
    assert len(ids) == 3000
    assert UNKNOWN_ID not in ids


@pytest.mark.parametrize("segmentation", SEGMENTATIONS)
def test_it_stays_itself_in_the_folder_of_a_bert_model(
    corpus: Path, tmp_path: Path, segmentation: Segmentation
) -> None:
    """There, `AutoTokenizer` could take it for BERT's own, which would split and delete."""
    tokenizer = load(corpus / f"tokenizer-{segmentation}")
    line = (corpus / "enfake.txt").read_text().split("\n")[0]
    tokenizer.save_pretrained(tmp_path)
    config = {"model_type": "bert", "architectures": ["BertForPreTraining"]}
    (tmp_path / "config.json").write_text(json.dumps(config))
    again = load(tmp_path)
    assert again(line)["input_ids"] == tokenizer(line)["input_ids"]
    assert again.model_max_length == 512


def test_vocab_txt_lists_the_entries(corpus: Path, vocabularies: dict[str, Vocabulary]) -> None:
    for segmentation, vocabulary in vocabularies.items():
        content = (corpus / f"tokenizer-{segmentation}" / "vocab.txt").read_bytes().decode()
        assert content.split("\n") == [*vocabulary.tokens, ""]


def test_saving_is_reproducible(
    corpus: Path, vocabularies: dict[str, Vocabulary], tmp_path: Path
) -> None:
    for segmentation in SEGMENTATIONS:
        save_tokenizer(vocabularies[segmentation], tmp_path / segmentation, segmentation)
        for path in (corpus / f"tokenizer-{segmentation}").iterdir():
            assert (tmp_path / segmentation / path.name).read_bytes() == path.read_bytes()
