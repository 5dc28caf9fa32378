"""One layer of two languages → numbers: what each probe of sentence vectors computes.

Every measure comes with a bootstrap interval over sentences and with shuffled pairs as its floor. A
layer that cannot be measured gives an empty value with the reason.

Legend of suffixes: N sentences, E hidden size, S samples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from bbert.errors import InputError
from bbert.probe.cka_spread import measured_cka
from bbert.probe.config import CkaConfig, CosineConfig, RetrievalConfig, TranslationConfig
from bbert.probe.nearest import translated
from bbert.probe.results import LayerValue

Vectors = NDArray[np.floating]
LayerMeasures = dict[str, LayerValue]
"""measure → value; the first one is the headline."""

_LEVEL = (0.025, 0.975)
BOTH, FORTH, BACK = "both directions", "forth", "back"


def cka_of_layer(x_NE: Vectors, y_NE: Vectors, layer: int, config: CkaConfig) -> LayerMeasures:
    """CKA, see `bbert.probe.cka`."""

    def measure() -> LayerValue:
        found = measured_cka(
            x_NE, y_NE, config.variant, minibatch=config.minibatch,
            num_samples=config.num_samples, num_shuffles=config.num_shuffles, seed=config.seed,
        )  # fmt: skip
        return LayerValue(layer, **found._asdict())

    return {"cka": _or_reason(measure, layer)}


def cosine_of_layer(
    x_NE: Vectors, y_NE: Vectors, layer: int, config: CosineConfig
) -> LayerMeasures:
    """Mean cosine of the pairs (Chen et al. 2022, table VI), and of shuffled pairs."""

    def measure() -> LayerValue:
        x, y = (_unit(v, config.variant == "centered") for v in (x_NE, y_NE))
        rng = np.random.default_rng([config.seed, len(x)])
        cosines_N = (x * y).sum(axis=1)
        floors = [float((x * y[rng.permutation(len(y))]).sum(axis=1).mean())
                  for _ in range(config.num_shuffles)]  # fmt: skip
        low, high = bootstrap_mean(cosines_N, config.num_samples, rng)
        return LayerValue(
            layer, float(cosines_N.mean()), float(np.mean(floors)), low, high, max(floors)
        )

    return {"cosine": _or_reason(measure, layer)}


def retrieval_of_layer(
    x_NE: Vectors, y_NE: Vectors, layer: int, config: RetrievalConfig
) -> LayerMeasures:
    """Nearest-neighbour accuracy of sentences, of both directions together and of each."""
    return accuracies(x_NE, y_NE, (x_NE, y_NE), layer, config, None)


def accuracies(
    x_NE: Vectors,
    y_ME: Vectors,
    backwards: tuple[Vectors, Vectors],
    layer: int,
    config: RetrievalConfig | TranslationConfig,
    gold: tuple[Sequence[Sequence[int]], Sequence[Sequence[int]]] | None,
) -> LayerMeasures:
    """Nearest-neighbour accuracies under every distance asked for.

    Args:
        x_NE, y_ME: what is translated, and the candidates.
        backwards: candidates and what is translated, of the other direction: the same for
            sentences, other occurrences for words.
        layer: its number.
        config: distances, offset, samples, shuffles and seed.
        gold: right candidates of either direction; without it those of the same number.
    """
    found: LayerMeasures = {}
    ways = [(FORTH, x_NE, y_ME, 0), (BACK, backwards[1], backwards[0], 1)]
    for distance in config.distance:
        rng = np.random.default_rng([config.seed, layer])
        hits, floors = {}, {}
        try:
            for way, here, there, side in ways:
                right = gold[side] if gold is not None else [(row,) for row in range(len(here))]
                hits[way] = translated(here, there, distance, config.offset, right)
                floors[way] = [
                    translated(
                        here, there[rng.permutation(len(there))], distance, config.offset, right
                    ).mean()
                    for _ in range(config.num_shuffles)
                ]
        except InputError as error:
            reason = str(error)
            found |= {f"{distance}, {way}": LayerValue(layer, None, reason=reason)
                      for way in (BOTH, FORTH, BACK)}  # fmt: skip
            continue
        paired = len(hits[FORTH]) == len(hits[BACK]) and gold is None
        together = np.array(floors[FORTH]) / 2 + np.array(floors[BACK]) / 2
        value = float(hits[FORTH].mean() + hits[BACK].mean()) / 2
        if paired:  # a pair that is hard in both directions is drawn, or not, as one
            low, high = bootstrap_mean(
                (hits[FORTH].astype(float) + hits[BACK]) / 2, config.num_samples, rng
            )
        else:
            low, high = _of_two(hits[FORTH], hits[BACK], config.num_samples, rng)
        found[f"{distance}, {BOTH}"] = LayerValue(
            layer, value, float(together.mean()), low, high, float(together.max())
        )
        for way, right in hits.items():
            low, high = bootstrap_mean(right.astype(float), config.num_samples, rng)
            found[f"{distance}, {way}"] = LayerValue(
                layer, float(right.mean()), float(np.mean(floors[way])), low, high,
                float(np.max(floors[way])),
            )  # fmt: skip
    return found


def bootstrap_mean(
    values_N: NDArray[np.float64], num_samples: int, rng: np.random.Generator
) -> tuple[float, float]:
    """The 95 % percentile interval of a mean."""
    low, high = np.quantile(_sample_means(values_N, num_samples, rng), _LEVEL)
    return float(low), float(high)


def _of_two(
    first_N: NDArray[np.bool_],
    second_M: NDArray[np.bool_],
    num_samples: int,
    rng: np.random.Generator,
) -> tuple[float, float]:
    """As `bootstrap_mean`, of the mean of two means that are drawn independently."""
    means_S = [_sample_means(hits.astype(float), num_samples, rng) for hits in (first_N, second_M)]
    low, high = np.quantile((means_S[0] + means_S[1]) / 2, _LEVEL)
    return float(low), float(high)


def _sample_means(
    values_N: NDArray[np.float64], num_samples: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    n = len(values_N)
    return rng.multinomial(n, np.full(n, 1 / n), size=num_samples) @ values_N / n


def _unit(vectors_NE: Vectors, centered: bool) -> NDArray[np.float64]:
    vectors = vectors_NE.astype(np.float64)
    if not np.isfinite(vectors).all():
        raise InputError("vectors hold NaN or infinity: the model is damaged")
    if centered:
        vectors = vectors - vectors.mean(axis=0)
    lengths_N = np.linalg.norm(vectors, axis=1)
    if not (lengths_N > 0).all():
        zeros = int((lengths_N == 0).sum())
        raise InputError(f"{zeros:,} of {len(vectors):,} vectors are zero: they have no direction")
    return vectors / lengths_N[:, None]


def _or_reason(measure: Callable[[], LayerValue], layer: int) -> LayerValue:
    try:
        return measure()
    except InputError as error:
        return LayerValue(layer, None, reason=str(error))
