"""Task data by the id of a data set on the Hugging Face hub.

The files of the languages asked for are downloaded as they are (parquet, or the text files that the
readers know) and then read as local files. No script of a data set is ever run.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Sequence
from pathlib import Path

from bbert.errors import InputError

logger = logging.getLogger(__name__)

IDENTIFIER = re.compile(r"[\w.-]+/[\w.-]+")
_TRUE = ("1", "ON", "YES", "TRUE")
_PATTERNS = (
    "{language}/*.parquet", "{language}/*/*.parquet", "*.{language}/*.parquet",
    "*-{language}.parquet", "*-{language}.tsv", "{language}/*.tsv", "{language}/*.conll",
    "{language}_*/*.conllu", "{language}_*.conllu",
    "{language}_*/*.parquet", "{language}_*/*/*.parquet", "XNLI/*.parquet", "xnli.*.tsv",
)  # fmt: skip


def wanted_files(languages: Sequence[str]) -> list[str]:
    """Patterns of a data set's files in these languages, of all treebanks of each."""
    return [p.format(language=language) for language in languages for p in _PATTERNS]


def is_offline() -> bool:
    """Whether `HF_HUB_OFFLINE` forbids the network."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in _TRUE


def hub_folder(identifier: str, languages: Sequence[str]) -> Path:
    """The local folder of a data set of the hub, downloaded if it is not in the cache.

    Args:
        identifier: `owner/name`.
        languages: source languages whose files are wanted.

    Raises:
        InputError: there is no such data set, or no network and nothing in the cache.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    nowhere = f"--data {identifier}: no such folder"
    offline = is_offline()
    if not offline:
        logger.info("--data %s is no folder: asking the hub", identifier)
    try:
        folder = snapshot_download(
            identifier, repo_type="dataset", allow_patterns=wanted_files(languages),
            local_files_only=offline,
        )  # fmt: skip
    except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError) as error:
        if offline:
            raise InputError(
                f"{nowhere}; as a hub id it is not in the local cache and HF_HUB_OFFLINE is set"
            ) from None
        reason = str(error).strip().splitlines()[0][:120]
        raise InputError(f"{nowhere}; the hub did not give it either: {reason}") from None
    return Path(folder)
