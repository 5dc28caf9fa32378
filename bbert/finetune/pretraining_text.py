"""The final text that a model was pretrained on, where it is still there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bbert.errors import InputError
from bbert.finetune.model_folder import ModelFolder
from bbert.json_files import read_json
from bbert.provenance import sha256
from bbert.run_directory import STAGE_FOLDERS, RunDirectory

_MOST_STEPS = 8  # from a model back to the one it was fine-tuned from


class NotThere(LookupError):
    """There is no text to compare with; the message says why."""


@dataclass(frozen=True)
class PretrainingText:
    """The corpus of a model: its folder, and the interventions of every language by name."""

    corpus: Path
    interventions: Mapping[str, tuple[str, ...]]

    @property
    def has_fake(self) -> bool:
        """Whether a fake language is among its own, so that the others gave way to it."""
        return any("fake" in names for names in self.interventions.values())

    def file(self, language: str) -> Path:
        """The text of a language; raises NotThere where the corpus has none."""
        for suffix in (".txt.zst", ".txt"):
            path = self.corpus / "text" / f"{language}{suffix}"
            if path.is_file():
                return path
        raise NotThere(f"{language} is no language of corpus {self.corpus.name}")


def pretraining_text(model: ModelFolder) -> PretrainingText:
    """What a model was pretrained on.

    Raises:
        NotThere: it is no model of bbert, or its corpus is gone or was built anew since.
    """
    manifest, folder = _pretraining_run(model)
    written = manifest.get("corpus")
    if not written:
        raise NotThere(f"{model.name} does not say its corpus")
    moved = folder.parent.parent / STAGE_FOLDERS["corpus"] / Path(written).name
    there = [path for path in (Path(written), moved) if RunDirectory.is_run(path)]
    if not there:
        raise NotThere(f"corpus {written} is gone")
    known = {entry.get("sha256") for entry in manifest.get("inputs", ())}
    same = [path for path in there if sha256(path / "manifest.json") in known]
    if not same:
        raise NotThere(f"corpus {there[0].name} was built anew since {model.name} was pretrained")
    corpus = same[0]
    try:
        languages = read_json(corpus / "certificate.json")["languages"]
    except (InputError, KeyError):
        raise NotThere(f"corpus {corpus.name} has no certificate") from None
    interventions = {
        name: tuple(step["name"] for step in entry.get("interventions") or ())
        for name, entry in languages.items()
    }
    return PretrainingText(corpus, interventions)


def _pretraining_run(model: ModelFolder) -> tuple[dict[str, Any], Path]:
    """The manifest and folder of the pretraining run that a model comes from."""
    path = model.path
    for _ in range(_MOST_STEPS):
        folder = path.parent
        if not RunDirectory.is_run(folder):
            break
        manifest = RunDirectory(folder).manifest
        if manifest.get("stage") == "pretrain":
            return manifest, folder
        if manifest.get("stage") != "finetune" or not manifest.get("model"):
            break
        path = Path(manifest["model"])
    raise NotThere(f"{model.name} is no pretraining run of bbert: its pretraining text is unknown")
