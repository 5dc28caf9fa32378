"""A tiny random bilingual model, a fused one that was fine-tuned from it, and parallel text."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import pytest

# the tiny models and task files of the fine-tuning tests serve here too
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "finetune"))

SENTENCES = 60


@pytest.fixture(scope="session")
def english(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Different sentences of 4 to 9 words, one a line."""
    from tiny_task_files import WORDS

    rng = random.Random(7)
    lines: dict[str, None] = {}
    while len(lines) < SENTENCES:
        lines[" ".join(rng.choices(WORDS, k=rng.randint(4, 9)))] = None
    path = tmp_path_factory.mktemp("parallel") / "tiny.en"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def pair(english: Path) -> tuple[str, ...]:
    """What `--parallel` takes for English and its fake, words of which correspond exactly."""
    return (f"en={english}", f"enfake={english}")


@pytest.fixture
def tiny_run(work: Path, tmp_path: Path) -> Path:
    """A complete models run `tiny` of enfake and en in the work folder."""
    from tiny_models import save_bert, save_run
    from tiny_task_files import WORDS

    own = {"languages": ["enfake", "en"], "lang_id": False, "nsp": True}
    model = save_bert(tmp_path / "model", WORDS, own=own)
    return save_run(work / "models" / "tiny", model, ["enfake", "en"], None)


@pytest.fixture
def fused_run(tiny_run: Path, work: Path) -> Path:
    """A transfer run `tiny-dlfa` with a fused network of the tiny model."""
    from bbert.finetune.encoder import PieceIds
    from bbert.finetune.export import export
    from bbert.finetune.model_folder import find_model
    from bbert.finetune.network import NetworkSettings, build_network

    folder = find_model(work, "tiny")
    settings = NetworkSettings("linear", 3, "dlfa", 1, "sigmoid", "masked")
    network, _ = build_network(folder, settings, 0)
    path = work / "transfer" / "tiny-dlfa"
    path.mkdir(parents=True)
    tokenizer = PieceIds(folder).tokenizer
    export(network, settings, ("a", "b", "c"), tokenizer, path / "model", {})
    (path / "manifest.json").write_text(json.dumps({"stage": "finetune", "finished": "x"}))
    return path
