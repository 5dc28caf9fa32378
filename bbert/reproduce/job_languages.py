"""The languages whose files a planned command reads; a fake language's are those of its source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def source_of(language: str) -> str:
    """The language that an intervention was made from: `en` of `enfake`."""
    from bbert.languages import Language

    return Language.parse(language).source


def source_languages(fine_tunings: Iterable[Mapping[str, Any]]) -> list[str]:
    """What fine-tunings with these options learn from and are tested on, each language once."""
    names: dict[str, None] = {}
    for options in fine_tunings:
        learned = options["train_lang"].split("+") if "train_lang" in options else []
        tested = [part for name in options["eval_langs"] for part in name.split("-")]
        names.update(dict.fromkeys(map(source_of, [*learned, *tested])))
    return list(names)


def with_its_treebanks(fine_tuning: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a fine-tuning without the treebanks of languages that it does not read: a scale
    names those of a task for all languages together."""
    from bbert.finetune.treebanks import needed_treebanks

    options = dict(fine_tuning)
    learned = options["train_lang"].split("+") if "train_lang" in options else []
    for option, languages in (
        ("train_treebank", learned),
        ("eval_treebank", options["eval_langs"]),
    ):
        spoken = list(map(source_of, languages)) if option in options else []
        needed = needed_treebanks(spoken, options.pop(option, ()), f"--{option}")
        if needed:
            options[option] = list(needed)
    return options
