"""Which treebank of a language is read where a folder holds several: `--train-treebank ewt`,
`--eval-treebank pud --eval-treebank ru=gsd`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from bbert.errors import InputError
from bbert.languages import Language

_TREEBANK = re.compile(r"(?:(?P<language>[\w-]+)=)?(?P<code>[a-z0-9]+)")


def parse_treebanks(texts: Sequence[str], option: str) -> dict[str, str]:
    """Language ("" for all others) → the code of its treebank.

    Raises:
        ValueError: a text that is neither TREEBANK nor LANGUAGE=TREEBANK; a language that is
            unknown, made by an intervention, or there twice.
    """
    treebanks: dict[str, str] = {}
    for text in texts:
        parts = _TREEBANK.fullmatch(text)
        if parts is None:
            raise ValueError(
                f"{option} {text!r}: give a treebank's code as in the names of its files, ewt of "
                "en_ewt-ud-train.conllu, or LANGUAGE=TREEBANK"
            )
        language = parts["language"] or ""
        if language and Language.parse(language).interventions:
            source = Language.parse(language).source
            raise ValueError(f"{option} {text!r}: its files are those of {source}; give {source}=…")
        if language in treebanks:
            of = f"of {language}" if language else "of all languages"
            raise ValueError(f"{option} names a treebank {of} twice")
        treebanks[language] = parts["code"]
    return treebanks


def name_of_files(language: str, treebanks: Sequence[str], option: str) -> str:
    """What the files of a language are called: by its code, or as `en_ewt` where one of its
    treebanks is asked for."""
    chosen = parse_treebanks(treebanks, option)
    code = chosen.get(language, chosen.get(""))
    return language if code is None else f"{language}_{code}"


def needed_treebanks(
    languages: Iterable[str], treebanks: Sequence[str], option: str
) -> tuple[str, ...]:
    """Those of `treebanks`, as typed, that choose files of one of these languages."""
    named = parse_treebanks(treebanks, option)
    choosing = {language if language in named else "" for language in languages}
    return tuple(text for text in treebanks if _language_of(text) in choosing)


def refuse_idle_treebanks(
    languages: Iterable[str], treebanks: Sequence[str], option: str, read: str
) -> None:
    """An option that would do nothing is refused.

    Args:
        languages: whose files are read.
        treebanks: as typed.
        option: that they were typed for.
        read: what is done with the languages: "learnt from", "tested".

    Raises:
        InputError: one of the treebanks chooses no file.
    """
    spoken = list(dict.fromkeys(languages))
    needed = needed_treebanks(spoken, treebanks, option)
    for text in treebanks:
        if text not in needed:
            language = _language_of(text)
            why = (
                f"{language} is not {read} (languages: {', '.join(spoken)})"
                if language
                else f"every language that is {read} has a treebank of its own"
            )
            raise InputError(f"{option} {text}: {why}; leave it out")


def _language_of(text: str) -> str:
    return text.rpartition("=")[0]
