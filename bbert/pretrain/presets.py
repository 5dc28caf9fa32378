"""The models of K et al. 2020 by name: `bbert pretrain --preset k2020-table4-depth6`.

A preset fills in options that are not given, before the defaults do; flags and the configuration
file win over it. Every row of tables 4 to 7 is here. Hidden sizes are those whose parameter counts
the paper prints (vocabulary 60,000, feed-forward layer 4 x hidden, both heads counted). Two counts
of table 4 are printed in each other's place: 139.33 million belong to 18 layers, 136.10 to 24.
Table 7 prints neither hidden size nor width: 192 and 960 give its three counts.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping

_HIDDEN_OF_DEPTH = {1: 1656, 2: 1404, 4: 1152, 6: 1020, 12: 768, 18: 672, 24: 588}  # table 4
_HEADS = (1, 2, 3, 6, 12, 16, 24)  # table 5
_HIDDEN_SIZES = {3: (120, 180, 240), 6: (120, 180, 240), 12: (60, 144, 288, 768, 1200)}  # table 6
_DEPTHS_OF_TABLE_7, _HEADS_OF_TABLE_7 = (16, 24, 36), (1, 3)


def _sizes(depth: int, heads: int, hidden: int, **more: int) -> dict[str, int]:
    return {"depth": depth, "heads": heads, "hidden": hidden, **more}


PRESETS: Mapping[str, Mapping[str, int]] = {
    "k2020": _sizes(12, 12, 768),
    **{
        f"k2020-table4-depth{depth}": _sizes(depth, 12, hidden)
        for depth, hidden in _HIDDEN_OF_DEPTH.items()
    },
    **{f"k2020-table5-heads{heads}": _sizes(12, heads, 768) for heads in _HEADS},
    **{
        f"k2020-table6-depth{depth}-hidden{hidden}": _sizes(depth, depth, hidden)
        for depth, hidden_sizes in _HIDDEN_SIZES.items()
        for hidden in hidden_sizes
    },
    "k2020-table7-depth12-heads12": _sizes(12, 12, 768),
    **{
        f"k2020-table7-depth{depth}-heads{heads}": _sizes(depth, heads, 192, intermediate=960)
        for depth in _DEPTHS_OF_TABLE_7
        for heads in _HEADS_OF_TABLE_7
    },
    "k2020-table10": _sizes(12, 12, 768, batch_size=2048, steps=500_000),
}
"""name → options and their values."""


def preset_options(name: str | None) -> Mapping[str, int]:
    """What a preset fills in; nothing for None.

    Raises:
        ValueError: no preset of that name; names the nearest one.
    """
    if name is None:
        return {}
    if name not in PRESETS:
        close = difflib.get_close_matches(name, PRESETS, n=1, cutoff=0.5)
        mend = f"did you mean {close[0]}?" if close else "docs/reference/presets.md lists them"
        raise ValueError(f"--preset {name!r} is unknown; {mend}")
    return PRESETS[name]
