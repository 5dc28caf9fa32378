"""What the demo costs, for `--dry-run`: what its parts cost where they were measured.

Two cores (AVX2) with nothing else to do (docs/tutorials/demo.md): corpus 17 s, 3,000 steps 87 s,
18 seeds of fine-tuning 73 s, dealt to the tasks by their processor time. The model is so small that
it runs on one core: more of them change little.
"""

from __future__ import annotations

from bbert.finetune.recipes import SAMPLE_DEFAULTS
from bbert.pretrain.defaults import SAMPLE

DEFAULT_STEPS: int = SAMPLE.steps
DEFAULT_SEEDS: int = SAMPLE_DEFAULTS["seeds"]

SECONDS_OF_CORPUS = 17
SECONDS_OF_A_STEP = 0.029
SECONDS_OF_A_SEED = {"ner": 3.6, "pos": 4.5, "parsing": 5.1, "xnli": 6.5}
PEAK_MEMORY = "about 0.75 GB"
MEGABYTES_WITHOUT_FINE_TUNING = 24  # 16 of them are the sample
MEGABYTES_OF_A_ROW = 1.2
MEGABYTES_OF_A_SEED = 0.2


def seconds_of_stages(
    steps: int, tasks: tuple[str, ...], rows: int, seeds: int
) -> dict[str, float]:
    """Seconds of each stage; `rows` of the table for each task, `seeds` runs for each row."""
    return {
        "corpus build": SECONDS_OF_CORPUS,
        "pretrain": steps * SECONDS_OF_A_STEP,
        "finetune": rows * seeds * sum(SECONDS_OF_A_SEED[task] for task in tasks),
    }


def megabytes(tasks: tuple[str, ...], rows: int, seeds: int) -> float:
    """Of the work folder in the end."""
    a_row = MEGABYTES_OF_A_ROW + seeds * MEGABYTES_OF_A_SEED
    return MEGABYTES_WITHOUT_FINE_TUNING + len(tasks) * rows * a_row
