"""What the interventions on a language did, measured on what was written: entries of a certificate.

Each entry names the intervention and its variant and holds what was measured; `certificate.py`
turns the measures into promises.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bbert.corpus.permute import Permutation
from bbert.corpus.unigram import WordCounts
from bbert.fake import FAKE, SHIFT, TERRITORY
from bbert.languages import Language

_STANDARD_ERRORS = 6


def of_language(language: Language, words: WordCounts | None) -> list[dict[str, Any]]:
    """Entries for the interventions in a language's name; `words` of its text, for shared words."""
    entries: list[dict[str, Any]] = []
    for name in language.interventions:
        if name == "fake":
            entries.append(_fake())
            if language.shared_words:
                assert words is not None
                entries[-1] |= _shared_words(language.shared_words, words)
        else:
            entries.append({"name": name, "variant": "words of a sentence"})
    return entries


def of_unigram(measured: dict[str, Any]) -> dict[str, Any]:
    """The entry of `unigram`; `measured` as `measure_unigram` gives it."""
    return {"name": "unigram", "variant": "released", **measured}


def of_permutation(permutation: Permutation, measured: dict[str, Any]) -> dict[str, Any]:
    """The entry of `permute`; `measured` as `measure_order` gives it."""
    return {"name": "permute", "variant": permutation.variant, "p": permutation.p, **measured}


def characters_of(words: WordCounts) -> np.ndarray:
    """The characters (code points, int64) of a text."""
    text = b"".join(words.counts).decode()
    return np.unique(np.frombuffer(text.encode("utf-32-le"), np.uint32)).astype(np.int64)


def _fake() -> dict[str, Any]:
    first, last = TERRITORY
    return {
        "name": "fake",
        "variant": "corrected",  # the released code stops at a character that cannot be shifted
        "shift": SHIFT,
        "code_points": f"U+{first:04X}..U+{last:04X}",
        "bijection": FAKE.description(),
    }


def _shared_words(share: float, words: WordCounts) -> dict[str, Any]:
    first, last = (chr(code).encode() for code in TERRITORY)
    # UTF-8 sorts as code points do: a word of the fake alphabet begins within its territory.
    plain = [word for word in words.counts if not first <= word[: len(first)] <= last]
    number = len(words.counts)
    realised = len(plain) / number if number else 0.0
    error = float(np.sqrt(share * (1 - share) / max(number, 1)))
    return {
        "share": share,
        "shared_word_types": realised,
        "shared_words": sum(words.counts[word] for word in plain) / max(words.num_words, 1),
        "standard_error": error,
        "within_sampling_error": abs(realised - share) <= _STANDARD_ERRORS * error,
        "types": number,
    }
