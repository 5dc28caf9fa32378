"""Why a language ended up without text: the step at which its documents went."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bbert.errors import InputError


def no_text(
    file: Path,
    language: str,
    num_sharing: int,
    select: Mapping[str, int],
    reading: Mapping[str, int],
    text: Mapping[str, int],
) -> InputError:
    """The error for a language of whose final text nothing is left.

    Args:
        file: the first of its files.
        language: its name.
        num_sharing: how many languages the documents of the file are dealt to.
        select: number of documents that were `read`, `dealt` to the language and `kept`.
        reading: what reading counted, see `plain_text.read_pieces`.
        text: the counts of the final text, see `text.TextCounts`.
    """
    if not select["read"]:
        blank = reading.get("white_lines", 0)
        found = f"only blank lines ({blank:,} of them with spaces)" if blank else "only blank lines"
        return InputError(
            f"{file}: no text in it for {language!r}: {found} were read; give another file"
        )
    if not select["dealt"]:
        return InputError(
            f"{file}: {select['read']} document(s) cannot be dealt to {num_sharing} languages, and "
            f"{language!r} got none; put blank lines between documents, or give every language all "
            "of them with --shared-text same"
        )
    if not select["kept"]:
        return InputError(
            f"{file}: of {select['dealt']:,} document(s) dealt to {language!r} --max-bytes keeps "
            "none; give more"
        )
    return InputError(
        f"{file}: no text in it for {language!r}: {select['read']:,} document(s) read, "
        f"{select['dealt']:,} dealt to it, {select['kept']:,} kept, and none of them has a word "
        f"({text['removed_characters']:,} control characters were removed); give another file"
    )
