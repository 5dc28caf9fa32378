"""Load an encoder and its tokenizer from a model folder, without the network.

Code that the folder brings along runs only where the user trusts it; pickled weights are read only
where allowed, and then by torch's reader of tensors, which runs none of what a pickle may hold.

For a model of bbert every text goes through the pipeline of its corpus (`Language.apply`) before it
is cut into word-pieces; for a foreign model (mBERT, XLM-R) only where the language has
interventions, since its own tokenizer defines what it saw. Words that are in the fake alphabet
already stay there, whatever the language: a code-switched test set has them on purpose
(`bbert probe code-switch`), so nothing gives way here as it does in a corpus.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from bbert.errors import InputError
from bbert.finetune.model_folder import ModelFolder
from bbert.languages import Language

logger = logging.getLogger(__name__)

_PADDED_VOCABULARY = 128  # a vocabulary may be rounded up to a multiple of at most this


class Encoder(NamedTuple):
    """A loaded encoder; `fresh_pooler` where the folder has no weights for the pooler."""

    module: nn.Module
    fresh_pooler: bool


class PieceIds:
    """A model's tokenizer: texts to word-piece ids, and the ids of its specials."""

    def __init__(self, folder: ModelFolder) -> None:
        self.tokenizer: Any = _load_tokenizer(folder)
        self.own_model = bool(folder.own)
        self.separators: dict[str, int] = dict(folder.own.get("language_separators") or {})
        self.double_separator = folder.config["model_type"] in ("roberta", "xlm-roberta")
        self.num_segments = int(folder.config.get("type_vocab_size", 1))
        self.cls_id = self._special("cls", folder)
        self.sep_id = self._special("sep", folder)
        self.pad_id = self._special("pad", folder)
        self.unk_id = self._special("unk", folder)
        self.space_belongs_to_word = _space_belongs_to_word(self.tokenizer)

    def cut(
        self, texts: Sequence[str], language: Language, words: bool = False
    ) -> list[npt.NDArray[np.int32]]:
        """Word-piece ids of every text, without specials.

        Where `words`, the texts are single words of sentences: a byte-level tokenizer, for which a
        space belongs to the word after it, cuts them as it does behind a space.
        """
        if not texts:
            return []
        if self.own_model or language.interventions:
            lines = [text.replace("\n", " ").replace("\r", " ") for text in texts]
            texts = language.apply("\n".join(lines)).split("\n")
            assert len(texts) == len(lines)
        return self.cut_applied(texts, words)

    def cut_applied(self, texts: Sequence[str], words: bool = False) -> list[npt.NDArray[np.int32]]:
        """As `cut`, of texts that went through the pipeline of their language already."""
        if words and self.space_belongs_to_word:
            texts = [f" {text}" for text in texts]
        encoded = self.tokenizer(
            list(texts), add_special_tokens=False, return_attention_mask=False,
            return_token_type_ids=False, verbose=False,
        )  # fmt: skip
        return [np.array(ids, np.int32) for ids in encoded["input_ids"]]

    def separator(self, language: str) -> int:
        """The id that ends a text of `language`: its own one in a model with language ids."""
        if self.separators and language not in self.separators:
            logger.warning(
                "the model has language ids but none for %r: its texts end in [SEP]", language
            )
        return self.separators.get(language, self.sep_id)

    def _special(self, name: str, folder: ModelFolder) -> int:
        number = getattr(self.tokenizer, f"{name}_token_id")
        if number is None:
            raise InputError(f"{folder.path}: its tokenizer has no {name} token")
        return int(number)


def load_encoder(folder: ModelFolder, seed: int) -> Encoder:
    """The encoder of a model folder in float32, in evaluation mode.

    Args:
        folder: where it is.
        seed: of a pooler that the folder has no weights for.

    Raises:
        InputError: weights that are missing, damaged or belong to another configuration.
    """
    from transformers import AutoModel

    with quiet_transformers(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            module, info = AutoModel.from_pretrained(
                folder.path, local_files_only=True, trust_remote_code=folder.trusted,
                use_safetensors=not folder.pickled, weights_only=True, output_loading_info=True,
                dtype=torch.float32,
            )  # fmt: skip
        except Exception as error:  # safetensors, JSON, shapes: the library has a class for each
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
            raise InputError(f"{folder.path}: the weights cannot be loaded: {reason}") from None
    missing = sorted(info["missing_keys"])
    fresh = [key for key in missing if key.startswith("pooler.")]
    lost = [key for key in missing if key not in fresh]
    mismatched = sorted(str(key) for key in info.get("mismatched_keys", ()))
    # Heads have no place in an encoder; a layer that is left over means that it is cut short.
    left_over = sorted(key for key in info["unexpected_keys"] if "encoder.layer." in key)
    if strange := lost + mismatched + left_over:
        raise InputError(
            f"{folder.path}: the weights do not belong to config.json "
            f"({len(strange)} tensors, e.g. {strange[0]})"
        )
    return Encoder(module, bool(fresh))


def _load_tokenizer(folder: ModelFolder) -> Any:
    from transformers import AutoTokenizer

    with quiet_transformers():
        try:
            tokenizer = AutoTokenizer.from_pretrained(
                folder.path, local_files_only=True, trust_remote_code=folder.trusted
            )
        except Exception as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
            raise InputError(f"{folder.path}: the tokenizer cannot be loaded: {reason}") from None
    in_tokenizer, in_model = len(tokenizer), int(folder.config["vocab_size"])
    padded = in_model % 8 == 0 and 0 <= in_model - in_tokenizer < _PADDED_VOCABULARY
    if in_tokenizer != in_model and not padded:
        raise InputError(
            f"{folder.path}: the tokenizer has {in_tokenizer} entries and the model {in_model}: "
            "they do not belong together"
        )
    return tokenizer


def _space_belongs_to_word(tokenizer: Any) -> bool:
    """Whether a word behind a space is cut otherwise than at the start of a text."""
    alone, behind = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in ("a", " a"))
    return alone != behind


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Without progress bars and the report about heads that an encoder has no use for."""
    from transformers.utils import logging as transformers_logging

    before = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(before)
        transformers_logging.enable_progress_bar()
