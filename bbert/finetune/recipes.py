"""Hyper-parameters of the papers (`--recipe`), of the embedded sample, and of everything else.

An option that is given wins over the recipe, the recipe over the head's defaults, those over the
sample's, and those over `DEFAULTS`. What a paper does not say is taken from the scripts it names:
they score a pair that is too long on what is left of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DEFAULTS: dict[str, Any] = {
    "epochs": 3,
    "batch_size": 32,
    "learning_rate": 3e-5,
    "max_length": 128,
    "warmup": 0.1,
    "weight_decay": 0.01,
    "adam_epsilon": 1e-8,
    "selection": "last",
    "seeds": 1,
    "fusion": "last",
}

SAMPLE_DEFAULTS: dict[str, Any] = {
    "epochs": 3,
    "learning_rate": 1e-3,
    "max_train_examples": 2000,
    "seeds": 3,
}
"""For models pretrained on the embedded sample: small, few steps, a high rate."""

_BILSTM_CRF = {  # plain Adam: AdamW without decay; the encoder is frozen
    "fusion": "scalar-mix", "epochs": 75, "patience": 25, "selection": "best-dev",
    "batch_size": 32, "learning_rate": 1e-3, "schedule": "constant", "warmup": 0.0,
    "weight_decay": 0.0, "max_gradient_norm": 5.0, "dropout": 0.5, "lstm_size": 200,
}  # fmt: skip
HEAD_DEFAULTS: dict[str, dict[str, Any]] = {"bilstm-crf": _BILSTM_CRF}
"""Of heads that learn in another way than an encoder does."""

_CHEN2022 = {  # epochs, batch and rate are the paper's, the rest defaults of XTREME's scripts
    "epochs": 5, "batch_size": 32, "learning_rate": 2e-5, "max_length": 128, "warmup": 0.0,
    "weight_decay": 0.0, "adam_epsilon": 1e-8, "selection": "best-dev",
}  # fmt: skip
_CHEN2022_PAIRS = {**_CHEN2022, "too_long": "cut"}
_PIRES2019 = {
    "epochs": 3, "batch_size": 32, "learning_rate": 3e-5, "max_length": 128, "warmup": 0.1,
    "dropout": 0.1,
}  # fmt: skip
_MULLER2021 = {  # Adam without decay, best epoch on the source's development data
    "epochs": 6, "batch_size": 16, "warmup": 0.1, "weight_decay": 0.0, "selection": "best-dev",
    "seeds": 5,
}  # fmt: skip

RECIPES: dict[str, dict[str, dict[str, Any]]] = {
    "k2020": {  # "as BERT uses in English": Google's run_classifier with its flags for XNLI
        "xnli": {
            "epochs": 2, "batch_size": 32, "learning_rate": 5e-5, "max_length": 128,
            "warmup": 0.1, "weight_decay": 0.01, "adam_epsilon": 1e-6, "selection": "last",
            "too_long": "cut",
        },
        "ner": {**_BILSTM_CRF, "head": "bilstm-crf", "max_length": 128, "seeds": 5},
    },
    "chen2022": {
        "xnli": _CHEN2022_PAIRS, "pawsx": _CHEN2022_PAIRS, "ner": _CHEN2022, "pos": _CHEN2022,
    },
    "pires2019": {"ner": _PIRES2019, "pos": _PIRES2019},
    "muller2021": {
        "ner": {**_MULLER2021, "learning_rate": 3.5e-5},
        "pos": {**_MULLER2021, "learning_rate": 5e-5},
        "parsing": {
            **_MULLER2021, "learning_rate": 5e-5, "batch_size": 32, "epochs": 15,
            "arc_size": 500, "relation_size": 200, "dropout": 0.1,
        },
    },
}  # fmt: skip


def preset(
    recipe: str | None, task: str, on_sample: bool, head: str | None = None
) -> dict[str, Any]:
    """The values of all options that a recipe, a head, the sample or the defaults set."""
    values = dict(DEFAULTS)
    if on_sample:
        values |= SAMPLE_DEFAULTS
    values |= HEAD_DEFAULTS.get(head or "", {})
    if recipe is not None:
        values |= RECIPES[recipe][task]
    return values


def overruled(recipe: str | None, task: str, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """What a recipe says and `chosen` has otherwise, how many seeds apart; nothing for None.

    A configuration file that names all its options overrules a recipe that a flag adds.
    """
    own = {} if recipe is None else RECIPES[recipe][task]
    return {name: value for name, value in own.items() if name != "seeds" and chosen[name] != value}
