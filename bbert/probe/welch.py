"""The 95 % interval of a difference of two means over seeds (Welch 1947)."""

from __future__ import annotations

from math import sqrt


def welch_interval(
    first: tuple[float, float, int], second: tuple[float, float, int]
) -> tuple[float, float]:
    """Bounds of the mean of `first` less that of `second`.

    Two or three seeds say little of the spread: Student's t with Welch's degrees of freedom is far
    wider there than the normal distribution (with two seeds each, 4.3 to 12.7 standard errors, not
    1.96). Nothing is assumed to be paired: the runs may have other seeds.

    Args:
        first, second: mean, sample standard deviation and number of seeds (2 at least) of each.
    """
    from scipy.stats import t

    (mean, std, n), (other_mean, other_std, other_n) = first, second
    assert min(n, other_n) > 1
    here, there = std**2 / n, other_std**2 / other_n
    if here + there == 0:
        return mean - other_mean, mean - other_mean
    freedom = (here + there) ** 2 / (here**2 / (n - 1) + there**2 / (other_n - 1))
    half = float(t.ppf(0.975, freedom)) * sqrt(here + there)
    return mean - other_mean - half, mean - other_mean + half
