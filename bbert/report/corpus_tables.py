"""Corpora as tables: what was counted and what the certificate proves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bbert.report.records import RunRecord, is_number
from bbert.report.table import Cell, Column, Table, number, share, words

_PROOFS = ("kendall_tau", "fixed_positions", "kept_bigrams", "kl_divergence", "lengths_preserved")


def corpus_runs(records: Sequence[RunRecord]) -> list[RunRecord]:
    """The corpora that could be read."""
    return [r for r in records if r.stage == "corpus" and r.problem is None]


def language_table(records: Sequence[RunRecord]) -> Table:
    """Size, unknown words and interventions of every language of every corpus."""
    rows = []
    for run in corpus_runs(records):
        for language, facts in run.content["languages"].items():
            rows.append(
                (
                    Cell(run.name, anchor=run.anchor),
                    words(language),
                    number(facts.get("documents")),
                    number(facts.get("sentences")),
                    number(facts.get("words")),
                    number(facts.get("word_pieces")),
                    share(facts.get("unk_rate"), 3),
                    words("; ".join(map(_intervention, facts.get("interventions") or ()))),
                )
            )
    columns = (
        Column("Corpus"), Column("Language"), Column("Documents", True), Column("Sentences", True),
        Column("Words", True), Column("Word-pieces", True), Column("[UNK]", True),
        Column("Interventions"),
    )  # fmt: skip
    return Table("corpora", "Corpora by language", columns, tuple(rows))


def pair_table(records: Sequence[RunRecord]) -> Table:
    """What every two languages of a corpus share."""
    rows = []
    for run in corpus_runs(records):
        for pair, facts in run.content["pairs"].items():
            rows.append(
                (
                    Cell(run.name, anchor=run.anchor),
                    words(pair),
                    number(facts.get("shared_characters")),
                    number(facts.get("shared_vocabulary_entries")),
                    share(facts.get("same_segmentation_rate"), 1),
                    number(facts.get("identical_documents")),
                )
            )
    columns = (
        Column("Corpus"), Column("Languages"), Column("Shared characters", True),
        Column("Shared vocabulary entries", True), Column("Same segmentation", True),
        Column("Same documents", True),
    )  # fmt: skip
    note = (
        "Same segmentation: share of lines that are cut alike in a language and its fake; "
        "measured for such pairs only. Same documents: raw texts that both were given."
    )
    return Table(
        "certificates", "Certificates: what two languages share", columns, tuple(rows), note
    )


def mix_table(records: Sequence[RunRecord]) -> Table:
    """How much of every language is read, beside its natural share; of several languages only."""
    rows = []
    for run in corpus_runs(records):
        mix = run.content.get("mix") or {}
        languages = mix.get("languages") or {}
        for language, shares in languages.items() if len(languages) > 1 else ():
            rows.append(
                (
                    Cell(run.name, anchor=run.anchor),
                    words(language),
                    number(mix.get("smoothing"), 2),
                    number(shares.get("sentences")),
                    *(
                        share(shares.get(key), 2)
                        for key in ("natural", "expected", "realised", "rows")
                    ),
                    number(shares.get("passes"), 2),
                )
            )
    columns = (
        Column("Corpus"), Column("Language"), Column("Smoothing", True), Column("Sentences", True),
        Column("Natural share", True), Column("Expected share", True),
        Column("Realised share", True), Column("Rows", True), Column("Passes", True),
    )  # fmt: skip
    note = (
        "Shares of the sentences that pretraining reads: expected is the natural one to the power "
        "of the smoothing, realised what the rows that every language gets come to. Passes: how "
        "often a document is read while as many sentences go by as the corpus has."
    )
    return Table("mix", "How much of each language is read", columns, tuple(rows), note)


def promise_table(records: Sequence[RunRecord]) -> Table:
    """What every corpus promised and kept; a corpus with a broken promise is never finished."""
    rows = [
        (Cell(run.name, anchor=run.anchor), words(promise))
        for run in corpus_runs(records)
        for promise in run.content.get("promises") or ()
    ]
    columns = (Column("Corpus"), Column("Kept"))
    caption = "Promises that the certificate holds"
    return Table("promises", caption, columns, tuple(rows), prose=True)


def count_table(records: Sequence[RunRecord]) -> Table:
    """What went in and came out at each step of building a corpus, as its certificate has it."""
    rows = []
    for run in corpus_runs(records):
        for language, facts in run.content["languages"].items():
            for step in facts.get("steps") or ():
                counts = {k: v for k, v in step.items() if is_number(v)}
                shown = ", ".join(f"{k.replace('_', ' ')} {v:,}" for k, v in counts.items())
                exact = " ".join(f"{key}={value}" for key, value in counts.items())
                rows.append(
                    (
                        Cell(run.name, anchor=run.anchor),
                        words(language),
                        words(step.get("step")),
                        Cell(shown, exact) if counts else words(None),
                    )
                )
    columns = (Column("Corpus"), Column("Language"), Column("Step"), Column("Counts"))
    return Table("counts", "In and out of each step", columns, tuple(rows), prose=True)


def _intervention(facts: Mapping[str, Any] | str) -> str:
    """An intervention in words: "permute (released, p 0.25, kendall tau 0.51)"."""
    if isinstance(facts, str):
        return facts
    details = [str(facts[key]) for key in ("variant",) if facts.get(key)]
    details += [f"p {facts['p']:g}"] if is_number(facts.get("p")) else []
    for key in _PROOFS:
        value = facts.get(key)
        if isinstance(value, bool):
            details.append(f"{key.replace('_', ' ')}: {'yes' if value else 'no'}")
        elif is_number(value):
            details.append(f"{key.replace('_', ' ')} {value:.2g}")
    name = str(facts.get("name", "?"))
    return f"{name} ({', '.join(details)})" if details else name
