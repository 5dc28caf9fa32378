"""Where the recipes, scales and the workflow lie: in a checkout, or where the wheel put them."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

from bbert.errors import InputError


def pipelines_folder() -> Path:
    """The folder `pipelines` of the checkout or of the installation.

    Raises:
        InputError: it is nowhere.
    """
    checkout = Path(__file__).resolve().parents[2] / "pipelines"
    places = [checkout, *(Path(base) / "share" / "bbert" / "pipelines"
              for base in (sysconfig.get_path("data"), sys.prefix))]  # fmt: skip
    for place in places:
        if (place / "Snakefile").is_file():
            return place
    raise InputError(f"no recipes in {' or '.join(map(str, places))}; install bbert anew")
