"""Tiny random models of other makers, with the classes and tokenizer files that theirs have."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from pathlib import Path

import torch
from tokenizers import ByteLevelBPETokenizer
from transformers import (
    BertConfig,
    BertModel,
    RobertaConfig,
    RobertaModel,
    RobertaTokenizer,
    XLMRobertaConfig,
    XLMRobertaModel,
)

SIZE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
        "intermediate_size": 64}  # fmt: skip


def save_multilingual_bert(directory: Path, texts: Iterable[str]) -> Path:
    """As mBERT on the hub: `vocab.txt`, cased."""
    letters = sorted({letter for text in texts for letter in text if not letter.isspace()})
    entries = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters)]
    directory.mkdir(parents=True)
    (directory / "vocab.txt").write_text("\n".join(entries) + "\n", encoding="utf-8")
    settings = {"tokenizer_class": "BertTokenizer", "do_lower_case": False, "model_max_length": 64}
    (directory / "tokenizer_config.json").write_text(json.dumps(settings))
    config = BertConfig(vocab_size=len(entries), max_position_embeddings=64, **SIZE)
    return _saved(BertModel, config, directory)


def save_xlm_roberta(directory: Path, texts: Iterable[str]) -> Path:
    """As XLM-R on the hub: `sentencepiece.bpe.model`; its ids are those of fairseq."""
    import sentencepiece
    from transformers import AutoTokenizer

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(list(texts) * 20), model_writer=model, vocab_size=120,
        model_type="unigram", hard_vocab_limit=False, minloglevel=2,
    )  # fmt: skip
    directory.mkdir(parents=True)
    (directory / "sentencepiece.bpe.model").write_bytes(model.getvalue())
    settings = {"tokenizer_class": "XLMRobertaTokenizer", "model_max_length": 64}
    (directory / "tokenizer_config.json").write_text(json.dumps(settings))
    (directory / "config.json").write_text(json.dumps({"model_type": "xlm-roberta"}))
    size = len(AutoTokenizer.from_pretrained(directory))
    config = XLMRobertaConfig(vocab_size=size, max_position_embeddings=66, type_vocab_size=1,
                              pad_token_id=1, bos_token_id=0, eos_token_id=2, **SIZE)  # fmt: skip
    return _saved(XLMRobertaModel, config, directory)


def save_roberta(directory: Path, texts: Iterable[str]) -> Path:
    """As RoBERTa: byte-level BPE, where a space belongs to the word after it."""
    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(
        list(texts) * 20, vocab_size=330, min_frequency=2, show_progress=False,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
    )  # fmt: skip
    directory.mkdir(parents=True)
    trained.save_model(str(directory))
    tokenizer = RobertaTokenizer.from_pretrained(directory)
    tokenizer.save_pretrained(directory)
    config = RobertaConfig(vocab_size=len(tokenizer), max_position_embeddings=66,
                           type_vocab_size=1, pad_token_id=1, bos_token_id=0, eos_token_id=2,
                           **SIZE)  # fmt: skip
    return _saved(RobertaModel, config, directory)


FOREIGN = {"mbert": save_multilingual_bert, "xlm-r": save_xlm_roberta, "roberta": save_roberta}


def _saved(model, config, directory: Path) -> Path:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model(config).save_pretrained(directory)
    return directory
