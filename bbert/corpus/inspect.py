"""`bbert corpus inspect`: what a corpus holds, as tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bbert.corpus.certificate import CERTIFICATE
from bbert.corpus.config import InspectConfig
from bbert.corpus.shown_measures import four_digits
from bbert.corpus.statistics import QUANTILES, STATISTICS, corpus_statistics
from bbert.corpus.summary import languages_table, pairs_table
from bbert.corpus.terminal_table import terminal_table
from bbert.json_files import read_json
from bbert.run_directory import RunDirectory, find_run

_LENGTHS = {
    "words_per_sentence": "sentences in words",
    "word_pieces_per_sentence": "sentences in word-pieces",
    "sentences_per_document": "documents in sentences",
}
_RANKS = (1, 10, 100, 1_000, 10_000)
_MEASURES = (
    "restored", "shared_word_types", "kendall_tau", "fixed_positions", "kept_bigrams",
    "kl_divergence",
)  # fmt: skip


def run(config: InspectConfig) -> RenderableType:
    """Counts, lengths, frequencies, overlap, certificate and examples of a corpus.

    Raises:
        InputError: there is no such corpus, or a file of it is damaged.
    """
    corpus = find_run(config.work, "corpus", config.corpus)
    certificate = read_json(corpus.path / CERTIFICATE)
    file = corpus.path / STATISTICS
    if file.is_file():
        statistics = read_json(file)["languages"]
    else:  # a corpus of an earlier version, which has no examples
        statistics = corpus_statistics(corpus.path, certificate)
    return Group(
        Text(f"{corpus.name}  ({corpus.path})", style="bold"),
        _origin(corpus),
        languages_table(certificate),
        *_mix_table(certificate),
        _lengths_table(statistics),
        _frequency_table(statistics),
        *_overlap_tables(certificate),
        pairs_table(certificate),
        *_intervention_table(certificate),
        _steps_table(certificate),
        _promises_table(certificate),
        *_examples(statistics),
    )


def _origin(corpus: RunDirectory) -> Table:
    manifest = corpus.manifest
    table = Table.grid(padding=(0, 2))
    for entry in manifest["inputs"]:
        table.add_row("input", f"{entry['path']} ({entry['bytes']:,} bytes)")
    table.add_row("seed", str(manifest["seed"]))
    table.add_row("built", f"{manifest['finished']} in {manifest['seconds']:,.0f} s")
    return table


def _mix_table(certificate: Mapping[str, Any]) -> Iterator[Table]:
    """How much of each of several languages is read."""
    mix = certificate.get("mix") or {"languages": {}}
    if len(mix["languages"]) < 2:
        return
    rows = (
        (
            name,
            f"{shares['sentences']:,}",
            *(f"{shares[key]:.2%}" for key in ("natural", "expected", "realised", "rows")),
            f"{shares['passes']:.2f}",
        )
        for name, shares in mix["languages"].items()
    )
    headings = ("language", "sentences", "natural", "expected", "realised", "rows", "passes")
    title = f"Shares of the sentences that are read (smoothing {mix['smoothing']:g})"
    yield terminal_table(title, headings, rows)


def _lengths_table(statistics: Mapping[str, Any]) -> Table:
    names = {0.5: "median"}
    quantiles = (names.get(quantile, f"{quantile:.0%}") for quantile in QUANTILES)
    rows = []
    for name, entry in statistics.items():
        for key, label in _LENGTHS.items():
            lengths = entry[key]
            numbers = (lengths["shortest"], *lengths["quantiles"].values(), lengths["longest"])
            rows.append((name, label, f"{lengths['mean']:,.1f}", *(f"{n:,}" for n in numbers)))
    headings = ("language", "of", "mean", "least", *quantiles, "most")
    return terminal_table("Lengths", headings, rows, num_words=2)


def _frequency_table(statistics: Mapping[str, Any]) -> Table:
    rows = []
    for name, entry in statistics.items():
        for key, label in (("words", "words"), ("word_pieces", "pieces")):
            counts = entry[key]
            ranks = dict(map(tuple, counts["ranks"]))
            at_ranks = (ranks.get(rank) for rank in _RANKS)
            rows.append(
                (
                    name,
                    label,
                    *(f"{counts[of]:,}" for of in ("counted", "types", "once")),
                    *("" if n is None else _rate(1e6 * n / counts["counted"]) for n in at_ranks),
                )
            )
    headings = (
        "language", "of", "counted", "types", "once", *(f"rank {rank:,}" for rank in _RANKS),
    )  # fmt: skip
    title = "Frequencies, in a million"
    return terminal_table(title, headings, rows, num_words=2, caption=_most_frequent(statistics))


def _rate(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _most_frequent(statistics: Mapping[str, Any]) -> str:
    lines = ["most frequent words, fake ones in the letters they come from"]
    for name, entry in statistics.items():
        found = (word["unshifted"] for word in entry["words"]["most_frequent"])
        lines.append(f"{name}: {' '.join(found)}")
        every = entry["words"]["every_block"]
        lines[-1] += "" if every == 1 else f" (counted in one of {every} blocks of the text)"
    return "\n".join(lines)


def _overlap_tables(certificate: Mapping[str, Any]) -> Iterator[Table]:
    """Shared things of every two languages, in the diagonal what each has."""
    languages = certificate["languages"]
    for title, key, own in (
        ("Shared characters", "shared_characters", "characters"),
        ("Shared vocabulary entries", "shared_vocabulary_entries", "vocabulary_entries"),
    ):
        rows = []
        for one, entry in languages.items():
            cells = [one]
            for other, further in languages.items():
                if one == other:
                    cells.append(f"{entry[own]:,}")
                    continue
                pairs = certificate["pairs"]
                shared = (pairs.get(f"{one}-{other}") or pairs[f"{other}-{one}"])[key]
                either = entry[own] + further[own] - shared
                cells.append(f"{shared:,} ({shared / either:.1%})" if either else "0")
            rows.append(cells)
        yield terminal_table(f"{title} (share of what either has)", ("", *languages), rows)


def _intervention_table(certificate: Mapping[str, Any]) -> Iterator[Table]:
    """What interventions did, beside what was to be expected; nothing where none is measured."""
    rows = []
    for name, entry in certificate["languages"].items():
        for facts in entry["interventions"]:
            label = f"{facts['name']} ({facts['variant']})"
            label += f", p {facts['p']:g}" if "p" in facts else ""
            for measure in _MEASURES:
                value, expected = facts.get(measure), facts.get(f"expected_{measure}")
                if value is None:
                    continue
                said = "" if expected is None else four_digits(expected)
                rows.append((name, label, measure.replace("_", " "), four_digits(value), said))
    if rows:
        headings = ("language", "intervention", "measure", "measured", "expected")
        yield terminal_table("Interventions as measured", headings, rows, num_words=3)


def _examples(statistics: Mapping[str, Any]) -> Iterator[Table]:
    """Sentences as they were and as they are; fake word-pieces in the letters they come from."""
    for name, entry in statistics.items():
        if not entry.get("examples"):
            continue
        table = Table(
            title=f"{name}: sentences before and after", title_justify="left", show_lines=True,
            show_header=False,
        )  # fmt: skip
        for example in entry["examples"]:
            pieces = example.get("word_pieces_unshifted", example["word_pieces"])
            lines = Text()
            for label, text in (
                ("source", example["source"]),
                ("final", example["final"]),
                ("pieces", " ".join(pieces)),
            ):
                lines.append(f"{label:<7}", style="dim")
                lines.append(f"{text}\n" if label != "pieces" else text)
            table.add_row(lines)
        yield table


def _steps_table(certificate: Mapping[str, Any]) -> Table:
    rows = []
    for name, entry in certificate["languages"].items():
        for step in entry["steps"]:
            counts = (f"{key.replace('_', ' ')} {v:,}" for key, v in step.items() if key != "step")
            rows.append((name, step["step"], ", ".join(counts)))
    headings = ("language", "step", "counts")
    return terminal_table("Counts in and out of each step", headings, rows, num_words=3)


def _promises_table(certificate: Mapping[str, Any]) -> Table:
    table = Table(title="Promises kept", title_justify="left", show_header=False)
    for sentence in certificate["promises"]:
        table.add_row(sentence)
    for name, entry in certificate["languages"].items():
        for intervention in entry["interventions"]:
            if "shift" in intervention:
                table.add_row(
                    f"{name}: {intervention['name']} ({intervention['variant']}), characters "
                    f"moved by {intervention['shift']:,} to {intervention['code_points']}"
                )
        if moved := entry.get("gave_way_to_fake"):
            table.add_row(
                f"{name}: {moved['num_characters']} characters made way for the fake alphabet: "
                f"{' '.join(moved['characters'])}"
            )
    return table
