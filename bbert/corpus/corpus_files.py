"""Where the files of a corpus lie while it is built.

What only later steps need lies in `intermediate/`, which a finished corpus no longer has.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from bbert.languages import Language


class CorpusFiles(NamedTuple):
    """The files of the corpus in the folder `corpus`."""

    corpus: Path

    @property
    def intermediate(self) -> Path:
        """The folder of what is deleted at the end."""
        return self.corpus / "intermediate"

    @property
    def vocabulary(self) -> Path:
        """The vocabulary with its scores."""
        return self.intermediate / "vocabulary.tsv"

    def extracted(self, key: str) -> Path:
        """The plain text of a source's dumps."""
        return self.intermediate / f"extracted-{key}.txt.zst"

    def sizes(self, key: str) -> Path:
        """Bytes of every document of a source."""
        return self.intermediate / f"sizes-{key}.npy"

    def text(self, language: Language) -> Path:
        """The final text."""
        return self.corpus / "text" / f"{language.name}.txt.zst"

    def natural(self, language: Language) -> Path:
        """The final text before its words are drawn anew."""
        return self.intermediate / f"natural-{language.name}.txt.zst"

    def order(self, language: Language) -> Path:
        """Sample of the order in which word-pieces were put."""
        return self.intermediate / f"order-{language.name}.npz"

    def documents(self, language: Language) -> Path:
        """Numbers and digests of the documents that the language was given."""
        return self.intermediate / f"documents-{language.name}.npz"

    def characters(self, language: Language) -> Path:
        """The code points of the final text."""
        return self.intermediate / f"characters-{language.name}.npy"
