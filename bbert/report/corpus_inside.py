"""What is inside corpora, as tables: lengths, frequencies, measured interventions, examples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bbert.report.chart import Chart
from bbert.report.corpus_figures import (
    DIVERGENCE,
    ORDER_MEASURES,
    corpus_charts,
    intervention_label,
)
from bbert.report.corpus_tables import corpus_runs, mix_table
from bbert.report.records import RunRecord, is_number
from bbert.report.table import Cell, Column, Table, number, words

_LENGTHS = {
    "words_per_sentence": "sentences in words",
    "word_pieces_per_sentence": "sentences in word-pieces",
    "sentences_per_document": "documents in sentences",
}
_WORDS = 5
_RANKS = (1, 10, 100, 1_000, 10_000)


def inside_blocks(records: Sequence[RunRecord]) -> list[Chart | Table]:
    """Figures of every corpus, the tables of all of them, then each one's examples."""
    blocks: list[Chart | Table] = []
    for index, run in enumerate(corpus_runs(records), start=1):
        blocks += corpus_charts(run, index)
    tables = (
        mix_table(records), length_table(records), frequency_table(records),
        intervention_table(records),
    )  # fmt: skip
    blocks += [table for table in tables if table.rows]
    for index, run in enumerate(corpus_runs(records), start=1):
        table = example_table(run, index)
        blocks += [table] if table.rows else []
    return blocks


def length_table(records: Sequence[RunRecord]) -> Table:
    """Mean, extremes and quantiles of the lengths of sentences and documents."""
    rows = []
    quantiles: tuple[str, ...] = ()
    for run, language, entry in _languages(records):
        for key, label in _LENGTHS.items():
            lengths = entry[key]
            quantiles = tuple(lengths["quantiles"])
            cells = (lengths["shortest"], *lengths["quantiles"].values(), lengths["longest"])
            rows.append(
                (
                    Cell(run.name, anchor=run.anchor),
                    words(language),
                    words(label),
                    number(lengths["num"]),
                    number(lengths["mean"], 1),
                    *map(number, cells),
                )
            )
    names = ("median" if q == "0.5" else f"{float(q):.0%}" for q in quantiles)
    columns = (
        Column("Corpus"), Column("Language"), Column("Of"), Column("Number", True),
        Column("Mean", True), Column("Shortest", True), *(Column(name, True) for name in names),
        Column("Longest", True),
    )  # fmt: skip
    return Table("lengths", "Lengths of sentences and documents", columns, tuple(rows))


def frequency_table(records: Sequence[RunRecord]) -> Table:
    """Types, and how often those of some ranks occur."""
    rows = []
    sampled = []
    for run, language, entry in _languages(records):
        for key, label in (("words", "words"), ("word_pieces", "word-pieces")):
            counts = entry[key]
            ranks = dict(counts["ranks"])
            rates = (ranks.get(rank) for rank in _RANKS)
            frequent = " ".join(word["unshifted"] for word in counts["most_frequent"][:_WORDS])
            rows.append(
                (
                    Cell(run.name, anchor=run.anchor),
                    words(language),
                    words(label),
                    *(number(counts[of]) for of in ("counted", "types", "once")),
                    *(_rate(count, counts["counted"]) for count in rates),
                    words(frequent),
                )
            )
            if counts.get("every_block", 1) > 1:
                every = counts["every_block"]
                sampled.append(f"{language} of {run.name}: words of one block in {every}")
    columns = (
        Column("Corpus"), Column("Language"), Column("Of"), Column("Counted", True),
        Column("Types", True), Column("Once", True),
        *(Column(f"Rank {rank:,}", True) for rank in _RANKS), Column("Most frequent"),
    )  # fmt: skip
    note = (
        "Ranks: occurrences in a million. Once: types that occur a single time. Fake words are "
        "shown in the letters they come from."
    )
    note += f" Counted: {'; '.join(sampled)}." if sampled else ""
    return Table("frequencies", "Frequencies", columns, tuple(rows), note)


def intervention_table(records: Sequence[RunRecord]) -> Table:
    """What interventions did, beside what they should."""
    rows = []
    for run in corpus_runs(records):
        for language, entry in run.content["languages"].items():
            for facts in entry.get("interventions") or ():
                if not isinstance(facts, Mapping):
                    continue
                for name in (*ORDER_MEASURES, DIVERGENCE):
                    if is_number(facts.get(name)):
                        rows.append(
                            (
                                Cell(run.name, anchor=run.anchor),
                                words(language),
                                words(intervention_label(facts)),
                                words(name.replace("kl_", "KL ").replace("_", " ")),
                                number(facts[name], 4),
                                number(facts.get(f"expected_{name}"), 4),
                            )
                        )
    columns = (
        Column("Corpus"), Column("Language"), Column("Intervention"), Column("Measure"),
        Column("Measured", True), Column("Expected", True),
    )  # fmt: skip
    note = (
        "Order is measured on a sample of sentences of the finished token store, 1 being as in the "
        "text; the divergence, in nats, on all words that were written."
    )
    return Table("interventions", "Interventions as measured", columns, tuple(rows), note)


def example_table(run: RunRecord, number_in_page: int) -> Table:
    """Sentences of a corpus as they were and as they are, side by side."""
    rows = []
    has_fake = False
    for language, entry in run.statistics.items():
        for example in entry.get("examples") or ():
            pieces = example.get("word_pieces_unshifted")
            has_fake |= pieces is not None
            shown = " ".join(pieces or example["word_pieces"])
            rows.append(
                (
                    Cell(language, anchor=run.anchor),
                    words(example["source"]),
                    words(example["final"]),
                    Cell(shown, " ".join(example["word_pieces"])),
                )
            )
    columns = (Column("Language"), Column("Source text"), Column("Final text"),
               Column("Word-pieces"))  # fmt: skip
    note = "Read from the raw text, from the final text, and from the token store."
    if has_fake:
        note += (
            " Few fonts have the fake alphabet, so the final text may show boxes; the word-pieces "
            "of fake languages are shown in the letters they come from."
        )
    caption = f"Examples of {run.name}, before and after"
    return Table(f"examples-{number_in_page}", caption, columns, tuple(rows), note, prose=True)


def _languages(records: Sequence[RunRecord]) -> Iterator[tuple[RunRecord, str, Mapping]]:
    for run in corpus_runs(records):
        for language, entry in run.statistics.items():
            yield run, language, entry


def _rate(count: int | None, counted: int) -> Cell:
    if count is None:
        return words(None)
    rate = 1e6 * count / max(counted, 1)
    return Cell(f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}", rate)
