"""The sample of seed 0, written once."""

from __future__ import annotations

from pathlib import Path

import pytest

from bbert.sample.write import write_sample


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the whole sample."""
    folder = tmp_path_factory.mktemp("sample") / "sample"
    assert write_sample(folder, seed=0)
    return folder
