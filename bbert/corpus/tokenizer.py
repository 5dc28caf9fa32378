"""The tokenizer that travels with a corpus and its models.

Built by hand from parts of the `tokenizers` library and saved as a folder that
`AutoTokenizer.from_pretrained` loads without remote code. It gives the ids of the token store for
every line of the final text, and does the basic tokenisation itself on raw text. Nothing in it
deletes or splits shifted characters, which BERT's own clean-up might.

Text of a fake language must have gone through `Language.apply` first; the tokenizer does not shift.
As in BERT, `[MASK]` and the other special tokens are recognised where they stand in raw text; basic
tokenisation takes such words apart, so that the final text of a corpus has none.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from bbert.basic_tokenization import NUM_CODE_POINTS, remove_control_characters
from bbert.corpus.segmentation import WORD_START, Segmentation, segmentation_model
from bbert.corpus.vocabulary import SPECIAL_TOKENS, Vocabulary

if TYPE_CHECKING:
    from tokenizers import Tokenizer

MAX_LENGTH = 512
VOCABULARY_FILE = "vocab.txt"


def save_tokenizer(vocabulary: Vocabulary, directory: Path, segmentation: Segmentation) -> None:
    """Write a `save_pretrained` folder, with a plain `vocab.txt` beside it.

    Args:
        vocabulary: the entries in id order.
        directory: made if need be.
        segmentation: how words are cut.
    """
    from transformers import PreTrainedTokenizerFast

    padding, unknown, first, separator, mask = SPECIAL_TOKENS
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=build_tokenizer(vocabulary, segmentation),
        pad_token=padding,
        unk_token=unknown,
        cls_token=first,
        sep_token=separator,
        mask_token=mask,
        model_max_length=MAX_LENGTH,
        padding_side="right",
        truncation_side="right",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        clean_up_tokenization_spaces=False,
    )
    directory.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(directory)
    _name_class(directory / "tokenizer_config.json")
    with (directory / VOCABULARY_FILE).open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{token}\n" for token in vocabulary.tokens)


def build_tokenizer(vocabulary: Vocabulary, segmentation: Segmentation) -> Tokenizer:
    """The tokenizer as the `tokenizers` library knows it."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers
    from tokenizers.processors import TemplateProcessing

    tokenizer = Tokenizer(segmentation_model(vocabulary, segmentation))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(Regex(_removed_characters()), ""),
            normalizers.NFC(),
            normalizers.BertNormalizer(
                clean_text=False, handle_chinese_chars=True, strip_accents=False, lowercase=False
            ),
        ]
    )
    words = pre_tokenizers.BertPreTokenizer()
    if segmentation in ("greedy", "char"):
        tokenizer.pre_tokenizer = words
        tokenizer.decoder = decoders.WordPiece(cleanup=False)
    elif segmentation == "word":
        tokenizer.pre_tokenizer = words  # without a decoder, words are joined by spaces
    else:
        mark = pre_tokenizers.Metaspace(WORD_START, prepend_scheme="always", split=False)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([words, mark])
        tokenizer.decoder = decoders.Sequence([decoders.Fuse(), decoders.Strip(WORD_START, 1, 0)])
    tokenizer.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for token in SPECIAL_TOKENS]
    )
    _, _, first, separator, _ = SPECIAL_TOKENS
    tokenizer.post_processor = TemplateProcessing(
        single=f"{first}:0 $A:0 {separator}:0",
        pair=f"{first}:0 $A:0 {separator}:0 $B:1 {separator}:1",
        special_tokens=[(token, vocabulary.ids[token]) for token in (first, separator)],
    )
    return tokenizer


@cache
def _removed_characters() -> str:
    """The characters that basic tokenisation removes, as a regular expression."""
    every = "".join(map(chr, (*range(0xD800), *range(0xE000, NUM_CODE_POINTS))))
    removed = sorted(set(every) - set(remove_control_characters(every)))
    return "[" + "".join(f"\\x{{{ord(character):X}}}" for character in removed) + "]"


def _name_class(config_file: Path) -> None:
    """Name the class that every version of transformers knows; version 5 writes a newer name."""
    config = json.loads(config_file.read_text(encoding="utf-8"))
    config["tokenizer_class"] = "PreTrainedTokenizerFast"
    text = json.dumps(config, ensure_ascii=False, indent=2)
    config_file.write_text(text + "\n", encoding="utf-8")
