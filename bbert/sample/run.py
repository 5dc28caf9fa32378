"""`bbert sample DIR`."""

from __future__ import annotations

from bbert.sample.config import SampleConfig
from bbert.sample.write import write_sample


def run(config: SampleConfig) -> str:
    """Write the sample; returns what to tell the user."""
    written = write_sample(config.directory, config.seed)
    return f"{'wrote' if written else 'up to date:'} {config.directory}"
