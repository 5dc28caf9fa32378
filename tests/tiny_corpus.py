"""A tiny corpus run, made in a moment: what `bbert corpus build` leaves, at the size of a test.

    corpus = build_tiny_corpus(work)                                  # enfake and en, not a sample
    corpus = build_tiny_corpus(work, languages=("en",), sample=True)  # defaults of the sample

Sentences come from a small asymmetric grammar, so that a model's loss falls within some dozen
steps. About a third of the words have two word-pieces. Every language has words of its own; a
fake language has those of its source, shifted.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bbert.corpus.token_store import TokenStoreWriter
from bbert.json_files import write_json_atomically
from bbert.languages import Language, fake
from bbert.run_directory import timestamp

SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
NUM_UNUSED = 8
_STEMS, _SUFFIXES = 24, 2
_CONSONANTS, _VOWELS = "bdfgklmnprstvz", "aeiou"


def build_tiny_corpus(
    work: Path,
    name: str = "tiny",
    languages: Sequence[str] = ("enfake", "en"),
    documents: int = 60,
    sample: bool = False,
    seed: int = 0,
) -> Path:
    """Write a complete corpus run below `<work>/corpora/`; returns its folder.

    Args:
        documents: of each language; one has 2 to 6 sentences of 4 to 9 words.
        sample: let the manifest say that the corpus was made from the embedded sample.
    """
    folder = work / "corpora" / name
    folder.mkdir(parents=True)
    words = {language: _words(language) for language in languages}
    pieces = [piece for table in words.values() for word in table for piece in word]
    vocabulary = dict.fromkeys(
        (*SPECIALS, *(f"[unused{i}]" for i in range(NUM_UNUSED)), *pieces), 0
    )
    vocabulary = {piece: number for number, piece in enumerate(vocabulary)}
    _write_tokenizer(folder / "tokenizer", vocabulary)
    counts: dict[str, Any] = {}
    for number, language in enumerate(languages):
        rng = np.random.default_rng([seed, number])
        texts = [_document(rng, words[language]) for _ in range(documents)]
        counts[language] = _write_language(folder, language, texts, vocabulary)
    now = timestamp(0 if seed == 0 else seed)
    sample_folder = str(work / "sample") if sample else None
    manifest = {
        "stage": "corpus", "name": name, "config": {}, "config_hash": str(seed), "inputs": [],
        "seed": seed, "versions": {}, "git_revision": None, "started": now, "finished": now,
        "seconds": 0.0, "counts": counts, "metrics": {}, "languages": list(languages),
        "sample": sample_folder,
    }  # fmt: skip
    write_json_atomically(folder / "certificate.json", {"languages": counts, "pairs": {}})
    (folder / "config.yaml").write_text(f"name: {name}\nseed: {seed}\n", encoding="utf-8")
    write_json_atomically(folder / "manifest.json", manifest)
    return folder


def _words(language: str) -> list[tuple[str, ...]]:
    """Words as tuples of word-pieces, the frequent ones first; prefix-free, so greedy is exact."""
    source = Language.parse(language).source
    rng = np.random.default_rng([17, *source.encode()])
    stems: list[str] = []
    while len(stems) < _STEMS:
        letters = "".join(rng.choice(list(kind)) for kind in (_CONSONANTS, _VOWELS) * 2)
        if letters not in stems:
            stems.append(letters)
    suffixes = ["".join((rng.choice(list(_CONSONANTS)), "y")) for _ in range(_SUFFIXES)]
    table = [
        (stem, f"##{suffixes[i % _SUFFIXES]}") if i % 3 == 2 else (stem,)
        for i, stem in enumerate(stems)
    ]
    if language == source:
        return table
    return [tuple(_fake_piece(piece) for piece in word) for word in table]


def _fake_piece(piece: str) -> str:
    return "##" + fake(piece[2:]) if piece.startswith("##") else fake(piece)


def _document(rng: np.random.Generator, words: list[tuple[str, ...]]) -> list[list[tuple]]:
    """Sentences in which a word is often followed by the next one of the list (Zipfian start)."""
    weights = 1 / np.arange(1, len(words) + 1)
    sentences = []
    for _ in range(rng.integers(2, 7)):
        word = int(rng.choice(len(words), p=weights / weights.sum()))
        sentence = []
        for _ in range(rng.integers(4, 10)):
            sentence.append(words[word])
            follows = rng.random() < 0.8
            word = (word + 1) % len(words) if follows else int(rng.integers(len(words)))
        sentences.append(sentence)
    return sentences


def _write_language(
    folder: Path, language: str, documents: list[list[list[tuple]]], vocabulary: dict[str, int]
) -> dict[str, int]:
    sentences = [sentence for document in documents for sentence in document]
    ids = [vocabulary[piece] for sentence in sentences for word in sentence for piece in word]
    starts = [i == 0 for sentence in sentences for word in sentence for i in range(len(word))]
    lengths = [sum(map(len, sentence)) for sentence in sentences]
    begins = [i == 0 for document in documents for i in range(len(document))]
    with TokenStoreWriter(folder / "tokens" / language, len(vocabulary)) as store:
        store.append(np.array(ids), np.array(starts), np.array(lengths), np.array(begins))
    text = "\n".join(
        "".join(
            " ".join("".join(word).replace("##", "") for word in sentence) + "\n"
            for sentence in document
        )
        for document in documents
    )
    (folder / "text").mkdir(exist_ok=True)
    (folder / "text" / f"{language}.txt").write_text(text, encoding="utf-8")
    return {
        "documents": len(documents),
        "sentences": len(sentences),
        "words": sum(map(len, sentences)),
        "word_pieces": len(ids),
    }


def _write_tokenizer(folder: Path, vocabulary: dict[str, int]) -> None:
    """A folder that `AutoTokenizer` loads; written without transformers, which imports slowly."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    folder.mkdir()
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))  # type: ignore[call-arg]
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()  # type: ignore[assignment]
    tokenizer.post_processor = processors.TemplateProcessing(  # type: ignore[assignment]
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")],
    )
    tokenizer.add_special_tokens(list(SPECIALS))
    tokenizer.save(str(folder / "tokenizer.json"))
    names = ("pad", "unk", "cls", "sep", "mask")
    settings = {f"{name}_token": token for name, token in zip(names, SPECIALS, strict=True)}
    settings["tokenizer_class"] = "PreTrainedTokenizerFast"
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2))
