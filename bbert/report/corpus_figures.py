"""The figures of a corpus: lengths, frequencies, what languages share, what interventions did.

Each has its numbers in a table of `corpus_inside.py` or `corpus_tables.py` too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bbert.report.chart import (
    Chart,
    Line,
    LineChart,
    MatrixChart,
    Measure,
    MeasureChart,
    told_apart,
)
from bbert.report.records import RunRecord, is_number

ORDER_MEASURES = ("kendall_tau", "fixed_positions", "kept_bigrams")
DIVERGENCE = "kl_divergence"
_FEWEST_DOCUMENTS = 20
"""Fewer make no curve."""
_MOST_LANGUAGES = 8
"""A matrix of more languages is left out: its table says it better."""


def corpus_charts(run: RunRecord, number_in_page: int) -> Iterator[Chart]:
    """The figures of one corpus for which there is something to show."""
    n = number_in_page
    yield from _lengths(run, n)
    yield from _frequencies(run, n)
    yield from _overlaps(run, n)
    order = _measures(run, ORDER_MEASURES)
    if order:
        yield MeasureChart(
            f"figure-order-{n}",
            f"Order of the word-pieces in {run.name}",
            "Filled dots are measured on the finished corpus, dashed rings are what the "
            "intervention should give. 1 is the order of the text; a uniform shuffle has a Kendall "
            "tau of 0 and keeps a bigram or a position only by chance.",
            "1 = as in the text",
            order,
            reaches=1.0,
        )
    divergence = _measures(run, (DIVERGENCE,))
    if divergence:
        yield MeasureChart(
            f"figure-divergence-{n}",
            f"Divergence of the drawn words in {run.name}",
            "Kullback-Leibler divergence of the written words from the counts they were drawn "
            "from; the dashed ring is the expectation for a sample of that size.",
            "nats a word",
            divergence,
        )


def intervention_label(facts: Mapping[str, Any]) -> str:
    """An intervention with its variant: "permute (released), p 0.5"."""
    label = str(facts.get("name", "?"))
    label += f" ({facts['variant']})" if facts.get("variant") else ""
    return label + (f", p {facts['p']:g}" if is_number(facts.get("p")) else "")


def shared(run: RunRecord, one: str, other: str, key: str) -> float | None:
    """What two languages share, from the certificate's pairs in either order."""
    pairs = run.content["pairs"]
    value = (pairs.get(f"{one}-{other}") or pairs.get(f"{other}-{one}") or {}).get(key)
    return value if is_number(value) else None


def share_of_either(own: float, other: float, both: float) -> float:
    """Jaccard index: what is shared of what either has."""
    return both / (own + other - both) if own + other > both else 0.0


def _lengths(run: RunRecord, n: int) -> Iterator[Chart]:
    beyond = []
    lines = []
    for language, entry in run.statistics.items():
        lengths = entry["words_per_sentence"]
        edges, counts, number = lengths["edges"], lengths["counts"], max(lengths["num"], 1)
        points = [
            ((low + high - 1) / 2, 100 * count / number / (high - low))
            for low, high, count in zip(edges, edges[1:], counts, strict=False)
        ]
        longest = max((i for i, count in enumerate(counts[: len(points)]) if count), default=0)
        lines.append(Line(language, tuple(points[: longest + 2])))
        if counts[-1]:
            beyond.append(f"{language} {100 * counts[-1] / number:.2g} %")
    if lines:
        longer = f" Longer ones are not drawn: {', '.join(beyond)}." if beyond else ""
        drawn, left_out = told_apart(lines)
        yield LineChart(
            f"figure-words-{n}",
            f"Words per sentence in {run.name}",
            f"Share of the sentences that have so many words.{longer}{left_out}",
            "words",
            "sentences, %",
            drawn,
        )
    lines = []
    for language, entry in run.statistics.items():
        lengths = entry["sentences_per_document"]
        bins = zip(lengths["edges"], [*lengths["edges"][1:], None], lengths["counts"], strict=True)
        number = lengths["num"]
        if number < _FEWEST_DOCUMENTS:
            continue
        points = [
            (math.sqrt(low * ((high or 2 * low) - 1)) if (high or 0) != low + 1 else low, count)
            for low, high, count in bins
        ]
        filled = [i for i, (_, count) in enumerate(points) if count]
        around = points[max(0, filled[0] - 1) : filled[-1] + 2]
        lines.append(Line(language, tuple((x, 100 * count / number) for x, count in around)))
    if lines:
        drawn, left_out = told_apart(lines)
        yield LineChart(
            f"figure-documents-{n}",
            f"Sentences per document in {run.name}",
            "Share of the documents that have about so many sentences; each step of the scale is "
            f"1.3 to 2 times the one before.{left_out}",
            "sentences",
            "documents, %",
            drawn,
            log_x=True,
        )


def _frequencies(run: RunRecord, n: int) -> Iterator[Chart]:
    straight = " Natural text falls in a nearly straight line (Zipf)."
    for key, what, remark in (("words", "Words", straight), ("word_pieces", "Word-pieces", "")):
        lines = []
        for language, entry in run.statistics.items():
            counted = max(entry[key]["counted"], 1)
            points = tuple((rank, 1e6 * count / counted) for rank, count in entry[key]["ranks"])
            if points:
                lines.append(Line(language, points))
        if lines:
            drawn, left_out = told_apart(lines)
            yield LineChart(
                f"figure-{key.replace('_', '-')}-by-rank-{n}",
                f"{what} by rank in {run.name}",
                f"How often the most frequent, the tenth, the hundredth … of the {what.lower()} "
                f"occurs, in a million.{remark}{left_out}",
                "rank",
                "in a million",
                drawn,
                log_x=True,
                log_y=True,
            )


def _overlaps(run: RunRecord, n: int) -> Iterator[Chart]:
    languages: Mapping[str, Any] = run.content["languages"]
    if not 2 <= len(languages) <= _MOST_LANGUAGES:
        return
    for key, own, what in (
        ("shared_characters", "characters", "Characters"),
        ("shared_vocabulary_entries", "vocabulary_entries", "Vocabulary entries"),
    ):
        rows = []
        for one, entry in languages.items():
            row = []
            for other, further in languages.items():
                sizes = (entry.get(own), further.get(own))
                both = sizes[0] if one == other else shared(run, one, other, key)
                if both is None or not (is_number(sizes[0]) and is_number(sizes[1])):
                    return
                row.append((f"{both:,}", share_of_either(sizes[0], sizes[1], both)))
            rows.append(tuple(row))
        yield MatrixChart(
            f"figure-{key.replace('_', '-')}-{n}",
            f"{what} that languages of {run.name} share",
            f"{what} that two languages have in common, on the diagonal those of one; the darker, "
            "the larger a share of what either has.",
            tuple(languages),
            tuple(rows),
        )


def _measures(run: RunRecord, names: Sequence[str]) -> tuple[tuple[str, tuple[Measure, ...]], ...]:
    groups = []
    for language, entry in run.content["languages"].items():
        for facts in entry.get("interventions") or ():
            if not isinstance(facts, Mapping):
                continue
            rows = tuple(
                Measure(
                    name.replace("kl_", "KL ").replace("_", " "),
                    float(facts[name]),
                    facts.get(f"expected_{name}"),
                )
                for name in names
                if is_number(facts.get(name))
            )
            if rows:
                groups.append((f"{language}: {intervention_label(facts)}", rows))
    return tuple(groups)
