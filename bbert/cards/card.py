"""Fills the templates beside this file from a run that is about to be finished.

A card holds what the run measured and what it was told, nothing else: no licence and no intended
use, which its author has to add. The head of the file is the metadata of the Hugging Face hub; a
language made for an experiment (a fake, a reversed one) is named in the text only, because the hub
knows real languages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bbert.errors import InputError
from bbert.final_name import MANIFEST
from bbert.json_files import read_json
from bbert.languages import Language
from bbert.provenance import package_versions
from bbert.run_directory import Run
from bbert.stage_config import identity

CARD = "README.md"
_HERE = Path(__file__).parent


def write_corpus_card(run: Run, certificate: Mapping[str, Any]) -> None:
    """A data card in the folder of a corpus run.

    Args:
        certificate: the content of `certificate.json`.
    """
    from huggingface_hub import DatasetCardData

    languages = list(certificate["languages"])
    data = DatasetCardData(
        language=_real(languages), task_categories=["fill-mask"], pretty_name=run.name,
        tags=["bbert"],
    )  # fmt: skip
    rows = [
        {**measured, "name": name, "interventions": _interventions(measured["interventions"])}
        for name, measured in certificate["languages"].items()
    ]
    _write(run, run.path, "corpus.md.j2", data, rows=rows, promises=certificate["promises"],
           pairs=certificate.get("pairs", {}))  # fmt: skip


def write_model_card(run: Run, folder: Path, step: int, measured: Mapping[str, Any]) -> None:
    """A model card beside exported weights of a pretraining.

    Args:
        folder: of the weights, in the run's.
        step: after which these weights were kept.
        measured: losses and perplexities at that step, with the keys of `metrics.jsonl`; empty
            where its row was lost.
    """
    from huggingface_hub import ModelCardData

    data = ModelCardData(
        language=_real(run.extra["languages"]), library_name="transformers", tags=["bbert"],
        pipeline_tag="fill-mask", model_name=run.name,
    )  # fmt: skip
    perplexity = {
        key.split("/")[1]: value
        for key, value in measured.items()
        if key.startswith("validation_perplexity/")
    }
    _write(run, folder, "model.md.j2", data, perplexity=perplexity, weights=folder.name, step=step,
           unigrams={language: run.metrics.get(f"unigram_perplexity/{language}")
                     for language in perplexity},
           best=step == run.metrics.get("best_step"), loss=measured.get("loss"),
           alike=_of_the_same_documents(run.extra["corpus"], run.extra["languages"]),
           corpus=Path(run.extra["corpus"]).name)  # fmt: skip


def write_transfer_card(run: Run, folder: Path, results: Mapping[str, Any]) -> None:
    """A model card beside the weights of a fine-tuned network.

    Args:
        results: the content of `results.json`.
    """
    from huggingface_hub import EvalResult, ModelCardData

    languages = results["languages"]
    scored = {name: score for name, score in languages.items() if score.get("mean") is not None}
    data = ModelCardData(
        language=_learned_from(results), library_name="transformers", tags=["bbert"],
        model_name=run.name,
        eval_results=[
            EvalResult(
                task_type=results["task"], dataset_type=results["task"],
                dataset_name=results["task"], dataset_config=name, dataset_split=score["split"],
                metric_type=results["metric"], metric_value=score["mean"],
            )
            for name, score in scored.items()
        ] or None,
    )  # fmt: skip
    _write(run, folder, "transfer.md.j2", data, results=results)


def _write(run: Run, folder: Path, template: str, data: Any, **content: Any) -> None:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_HERE), undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True, autoescape=False,  # Markdown, not HTML
    )  # fmt: skip
    versions = package_versions()
    text = environment.get_template(template).render(
        name=run.name, options=identity(run.config), counts=run.counts, metrics=run.metrics,
        extra=run.extra, versions=versions, revision=run.git_revision, **content,
    )  # fmt: skip
    head = data.to_yaml()
    (folder / CARD).write_text(f"---\n{head}\n---\n\n{text}", encoding="utf-8")


def _of_the_same_documents(corpus: str, languages: Sequence[str]) -> list[str]:
    """The languages that were made of the same documents as another one (`--shared-text same`)."""
    manifest = Path(corpus) / MANIFEST
    options = read_json(manifest)["config"] if manifest.is_file() else {}
    sources = [Language.parse(name).source for name in languages]
    return [name for name, source in zip(languages, sources, strict=True)
            if options.get("shared_text") == "same" and sources.count(source) > 1]  # fmt: skip


def _learned_from(results: Mapping[str, Any]) -> list[str]:
    """The real languages of the training data; none where only a named set is known."""
    try:
        return _real(results["train_language"].split("+"))
    except InputError:
        return []


def _real(languages: Sequence[str]) -> list[str]:
    """The real languages behind `languages`, each once."""
    return list(dict.fromkeys(Language.parse(name).source for name in languages))


def _interventions(applied: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(f"{one['name']} ({one['variant']})" if one.get("variant") else one["name"]
                     for one in applied) or "none"  # fmt: skip
