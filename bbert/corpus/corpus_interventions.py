"""Interventions that belong to a corpus and not to a language: `unigram` and `permute`.

They change what is pretrained on and nothing else: fine-tuning and probes see the language without
them, as in K et al. 2020. `unigram` comes first (it draws words), `permute` after it (it moves
word-pieces). No numpy here: the command line imports this.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from bbert.errors import InputError
from bbert.languages import Language

PermuteVariant = Literal["released", "positions", "paper"]
VARIANTS: tuple[str, ...] = get_args(PermuteVariant)


@dataclass(frozen=True)
class CorpusInterventions:
    """What happens to one language of a corpus, in this order."""

    unigram: bool = False
    permute: float | None = None
    permute_variant: PermuteVariant = "released"

    def names(self, language: Language) -> list[str]:
        """All interventions of the language in the order of their application."""
        own = ["unigram"] * self.unigram + ["permute"] * (self.permute is not None)
        return [*language.interventions, *own]


def parse_interventions(
    languages: Sequence[str],
    unigram: Sequence[str],
    permute: Sequence[str],
    permute_variant: PermuteVariant,
) -> dict[str, CorpusInterventions]:
    """The interventions of every language, from the options `--unigram L` and `--permute L=P`.

    Raises:
        InputError: see `bbert.corpus.config.interventions`.
    """
    drawn = [_known(name, languages, "--unigram", unigram) for name in unigram]
    shares: dict[str, float] = {}
    for value in permute:
        name, equals, share = value.partition("=")
        names = [other.partition("=")[0] for other in permute]
        _known(name, languages, "--permute", names)
        if not equals:
            raise InputError(f"--permute {value}: how much? write --permute {name}=0.25")
        shares[name] = _share(value, share)
    if permute_variant != "released" and not permute:
        raise InputError(
            f"--permute-variant {permute_variant}: nothing is permuted; add --permute LANGUAGE=P"
        )
    for name in drawn:
        if Language.parse(name).is_reversed:
            raise InputError(
                f"--unigram {name}: words drawn at random have no order to be reversed; leave one "
                "of the two out"
            )
    return {
        name: CorpusInterventions(name in drawn, shares.get(name), permute_variant)
        for name in languages
    }


def _known(name: str, languages: Sequence[str], option: str, given: Sequence[str]) -> str:
    if name not in languages:
        raise InputError(
            f"{option} {name}: not a language of this corpus ({' '.join(languages) or 'none'})"
        )
    if list(given).count(name) > 1:
        raise InputError(f"{option} is given twice for {name}; give it once")
    return name


def _share(value: str, text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:
        raise InputError(f"--permute {value}: {text!r} is no number from 0 to 1")
    return share
