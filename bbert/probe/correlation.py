"""Spearman's rank correlation with p and a bootstrap interval over the points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FEWEST_POINTS = 4
_MOST_EXACT = 8  # points: 8! = 40,320 orders
_LEVEL = (0.025, 0.975)


@dataclass(frozen=True)
class Correlation:
    """Spearman's rho; `p` is two-sided, exact up to 8 points; `reason` says why there is none."""

    n: int
    rho: float | None = None
    p: float | None = None
    low: float | None = None
    high: float | None = None
    reason: str | None = None


def spearman(
    first: Sequence[float], second: Sequence[float], num_samples: int = 2000, seed: int = 0
) -> Correlation:
    """Correlate the ranks of paired numbers (ties share the mean of their ranks).

    Args:
        first, second: paired numbers.
        num_samples: of the bootstrap; those in which all points are one are left out.
        seed: of the samples.
    """
    x, y = np.asarray(first, float), np.asarray(second, float)
    assert x.shape == y.shape
    n = len(x)
    if n < FEWEST_POINTS:
        return Correlation(n, reason=f"{n} points; a rank correlation needs {FEWEST_POINTS}")
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return Correlation(n, reason="all values are the same: ranks have no order")
    rho = float(_correlations(_ranks(x[None]), _ranks(y[None]))[0])
    rng = np.random.default_rng([seed, n])
    drawn = rng.integers(n, size=(num_samples, n))
    samples = _correlations(_ranks(x[drawn]), _ranks(y[drawn]))
    samples = samples[np.isfinite(samples)]
    low, high = (float(v) for v in np.quantile(samples, _LEVEL))
    return Correlation(n, rho, _p_value(x, y, rho), low, high)


def _ranks(values_SN: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.stats import rankdata

    return np.asarray(rankdata(values_SN, axis=1))


def _correlations(x_SN: NDArray[np.float64], y_SN: NDArray[np.float64]) -> NDArray[np.float64]:
    x_SN = x_SN - x_SN.mean(axis=1, keepdims=True)
    y_SN = y_SN - y_SN.mean(axis=1, keepdims=True)
    norms_S = np.sqrt((x_SN**2).sum(axis=1) * (y_SN**2).sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(norms_S > 0, (x_SN * y_SN).sum(axis=1) / norms_S, np.nan)


def _p_value(x: NDArray[np.float64], y: NDArray[np.float64], rho: float) -> float:
    """Over all orders where these are few, else from Student's t as scipy has it."""
    if len(x) <= _MOST_EXACT:
        from itertools import permutations

        orders = np.array(list(permutations(range(len(y)))))
        ranks = _ranks(y[None])[0]
        found = _correlations(np.broadcast_to(_ranks(x[None]), orders.shape), ranks[orders])
        return float((np.abs(found) >= abs(rho) - 1e-12).mean())
    from scipy.stats import spearmanr

    result: Any = spearmanr(x, y)
    return float(result.pvalue)
