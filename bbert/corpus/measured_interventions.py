"""What the interventions on a language did, measured on what was written: entries of a certificate.

Each entry names the intervention and its variant and holds what was measured; `certificate.py`
turns the measures into promises.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bbert.corpus.permute import Permutation
from bbert.fake import FAKE, SHIFT, TERRITORY
from bbert.languages import Language


def of_language(
    language: Language, measured: Mapping[str, Mapping[str, Any]], shared: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Entries for the interventions in a language's name, in order.

    Args:
        language: with the interventions.
        measured: as `measure_names` gives it.
        shared: as `measure_shared_words` gives it; {} where no words stay.
    """
    described = {"fake": _fake(), "reversed": {"variant": "words of a sentence"}}
    return [
        {"name": name, **described[name], **measured[name], **(shared if name == "fake" else {})}
        for name in language.interventions
    ]


def of_unigram(measured: dict[str, Any]) -> dict[str, Any]:
    """The entry of `unigram`; `measured` as `measure_unigram` gives it."""
    return {"name": "unigram", "variant": "released", **measured}


def of_permutation(permutation: Permutation, measured: dict[str, Any]) -> dict[str, Any]:
    """The entry of `permute`; `measured` as `measure_order` gives it."""
    return {"name": "permute", "variant": permutation.variant, "p": permutation.p, **measured}


def _fake() -> dict[str, Any]:
    first, last = TERRITORY
    return {
        "variant": "corrected",  # the released code stops at a character that cannot be shifted
        "shift": SHIFT,
        "code_points": f"U+{first:04X}..U+{last:04X}",
        "bijection": FAKE.description(),
    }
