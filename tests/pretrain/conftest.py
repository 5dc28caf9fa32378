"""Corpora of random word-pieces and a finished run that several test files of this room share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from batch_reading import Text
    from laboratory import Laboratory


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three languages of long documents, so that every row is full."""
    from batch_reading import SHARE
    from random_corpus import FIRST_ORDINARY_ID, random_documents, write_corpus

    return write_corpus(
        tmp_path_factory.mktemp("corpora") / "long",
        {
            "enfake": random_documents(26, sentences=16, seed=1),
            "it": random_documents(14, sentences=16, seed=2),
            "ru": random_documents(8, sentences=16, seed=3),
        },
        vocab_size=FIRST_ORDINARY_ID + 3 * SHARE,
        distinct=True,
    )


@pytest.fixture(scope="session")
def text(corpus: Path) -> Text:
    from batch_reading import Text

    return Text(corpus)


@pytest.fixture(scope="session")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Laboratory:
    """A work folder that holds a run `whole`, which nothing has stopped."""
    from laboratory import Laboratory  # sets DeepSpeed's accelerator

    laboratory = Laboratory(tmp_path_factory.mktemp("resume"))
    laboratory.finish("whole")
    return laboratory
