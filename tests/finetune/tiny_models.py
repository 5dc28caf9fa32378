"""Tiny random models with tokenizers, saved as `save_pretrained` folders."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    BertConfig,
    BertForPreTraining,
    PreTrainedTokenizerFast,
    XLMRobertaConfig,
    XLMRobertaForMaskedLM,
)

from bbert.languages import Language

BERT_SPECIALS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "[unused0]",
    "[unused1]",
    "[unused2]",
]
XLMR_SPECIALS = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:;'-?!()"


def word_pieces(words: Iterable[str], languages: Iterable[str]) -> list[str]:
    """Whole words, and every letter alone and inside a word, in every language."""
    plain = [*ALPHABET, *(f"##{letter}" for letter in ALPHABET), *sorted(set(words))]
    entries = []
    for name in languages:
        language = Language.parse(name)
        for entry in plain:
            text, mark = entry.removeprefix("##"), "##" * (entry[:2] == "##" and len(entry) > 2)
            applied = language.apply(text)
            if " " not in applied:
                entries.append(mark + applied)
    return list(dict.fromkeys(entries))


def save_tokenizer(directory: Path, entries: Iterable[str], specials: list[str]) -> int:
    """Save a whitespace + WordPiece tokenizer; returns the number of its entries."""
    vocabulary = {entry: number for number, entry in enumerate([*specials, *entries])}
    bert = specials is BERT_SPECIALS
    names = ("[UNK]", "[PAD]", "[CLS]", "[SEP]", "[MASK]")
    if not bert:
        names = ("<unk>", "<pad>", "<s>", "</s>", "<mask>")
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token=names[0]))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token=names[0], pad_token=names[1], cls_token=names[2],
        sep_token=names[3], mask_token=names[4],
    ).save_pretrained(directory)  # fmt: skip
    return len(vocabulary)


def save_bert(
    directory: Path,
    words: Iterable[str],
    languages: Iterable[str] = ("en", "enfake"),
    own: dict | None = None,
    **config: object,
) -> Path:
    """A random BERT of two layers; `own` is what bbert's pretraining would note in config.json."""
    size = save_tokenizer(directory, word_pieces(words, languages), BERT_SPECIALS)
    options = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
               "intermediate_size": 64, "max_position_embeddings": 64} | config  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = BertForPreTraining(BertConfig(vocab_size=size, **options))
    if own is not None:
        model.config.bbert = own
    model.save_pretrained(directory)
    return directory


def save_xlm_roberta(directory: Path, words: Iterable[str]) -> Path:
    """A random XLM-R of two layers."""
    size = save_tokenizer(directory, word_pieces(words, ["en", "enfake"]), XLMR_SPECIALS)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = XLMRobertaConfig(
            vocab_size=size, hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
            intermediate_size=64, max_position_embeddings=66, type_vocab_size=1, pad_token_id=1,
            bos_token_id=0, eos_token_id=2,
        )  # fmt: skip
        XLMRobertaForMaskedLM(config).save_pretrained(directory)
    return directory


def save_run(directory: Path, model: Path, languages: list[str], sample: Path | None) -> Path:
    """Make a complete pretraining run around a model folder."""
    directory.mkdir(parents=True)
    model.rename(directory / "model")
    manifest = {
        "stage": "pretrain", "name": directory.name, "finished": "2024-01-01T00:00:00.000Z",
        "languages": languages, "sample": str(sample) if sample else None,
    }  # fmt: skip
    (directory / "manifest.json").write_text(json.dumps(manifest))
    return directory
