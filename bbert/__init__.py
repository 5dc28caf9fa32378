"""bbert: what makes a BERT pretrained on the raw text of two languages transfer between them?

`bbert.__version__` is the version of the installed package, which its build took from git.
"""

from __future__ import annotations


def __getattr__(name: str) -> str:
    """The version, looked up when it is asked for: reading it takes longer than all else here."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import metadata

    try:
        return metadata.version("bbert")
    except metadata.PackageNotFoundError:  # imported out of a folder, never installed
        return "0+unknown"
