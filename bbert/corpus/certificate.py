"""The certificate: measured proof of what the interventions did, and the promises they must keep.

Everything is measured on what was written: characters on the final text, vocabulary entries on the
token stores. A promise that does not hold fails the build.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bbert.corpus.shown_measures import beside_expected, four_digits
from bbert.corpus.token_store import TokenStore
from bbert.errors import RunFailed
from bbert.fake import GIVE_WAY
from bbert.languages import Language

CERTIFICATE = "certificate.json"
MAXIMUM_UNKNOWN_RATE = 0.001
_MOVED_CHARACTERS_SHOWN = 100


class BrokenPromise(RunFailed):
    """The corpus is not what its options promise; the message says which promise, how far off."""


class Promise(NamedTuple):
    """A sentence about the corpus, whether it holds, and what to do where it does not."""

    sentence: str
    holds: bool
    mend: str = "certificate.json in the unfinished run's folder has all that was measured"


@dataclass(frozen=True)
class LanguageRecord:
    """What is known of one language of a corpus.

    `characters` are the code points of its final text, white space aside; `steps` the counts in and
    out of each step, in order; `tokens` the counts of the token store; `interventions` what each of
    them was measured to have done, in order; `store` how the token store compares with the text.
    """

    language: Language
    characters: npt.NDArray[np.int64]
    steps: Sequence[Mapping[str, Any]]
    tokens: Mapping[str, int]
    interventions: Sequence[Mapping[str, Any]] = ()
    store: Mapping[str, Any] = field(default_factory=dict)


def certify(
    corpus: Path,
    records: Sequence[LanguageRecord],
    is_word_piece: npt.NDArray[np.bool_],
    same_segmentation: Mapping[tuple[str, str], float],
    shared_documents: Mapping[tuple[str, str], Mapping[str, int]],
) -> dict[str, Any]:
    """The certificate of a corpus.

    Args:
        corpus: folder with the token stores.
        records: one for each language, in the order of the corpus.
        is_word_piece: for every id whether it is neither a special nor an unused entry.
        same_segmentation: for a language and its fake, the share of lines cut at the same places.
        shared_documents: for every pair, as `bbert.corpus.shared_documents` gives them.
    """
    entries = {
        name: used_entries(corpus, name, len(is_word_piece)) & is_word_piece
        for name in (record.language.name for record in records)
    }
    pairs: dict[str, dict[str, Any]] = {}
    for one, other in combinations(records, 2):
        names = (one.language.name, other.language.name)
        shared = int(np.count_nonzero(entries[names[0]] & entries[names[1]]))
        pair: dict[str, Any] = {
            "shared_characters": len(np.intersect1d(one.characters, other.characters)),
            "shared_vocabulary_entries": shared,
            **shared_documents[names],
        }
        rate = same_segmentation.get(names, same_segmentation.get((names[1], names[0])))
        if rate is not None:
            pair["same_segmentation_rate"] = rate
        pairs["-".join(names)] = pair
    return {
        "languages": {
            record.language.name: _language(record, entries[record.language.name])
            for record in records
        },
        "pairs": pairs,
        "vocabulary": {
            "entries": len(is_word_piece),
            "word_pieces": int(np.count_nonzero(is_word_piece)),
        },
    }


def check_promises(
    certificate: Mapping[str, Any], languages: Sequence[Language], vocab: str
) -> list[str]:
    """The promises that the corpus keeps, as sentences.

    Raises:
        BrokenPromise: one does not hold.
    """
    kept = []
    for promise in _promises(certificate, languages, vocab):
        if not promise.holds:
            raise BrokenPromise(f"broken promise: {promise.sentence}\n{promise.mend}")
        kept.append(promise.sentence)
    return kept


def used_entries(corpus: Path, language: str, vocab_size: int) -> npt.NDArray[np.bool_]:
    """Which vocabulary entries occur in the token store of a language."""
    store = TokenStore.open(corpus, language)
    used = np.zeros(vocab_size, np.bool_)
    for start in range(0, len(store.ids), 1 << 20):
        used[store.ids[start : start + (1 << 20)]] = True
        store.release()
    return used


def _promises(
    certificate: Mapping[str, Any], languages: Sequence[Language], vocab: str
) -> Iterator[Promise]:
    for one, other in combinations(languages, 2):
        name = f"{one.name}-{other.name}"
        pair = certificate["pairs"][name]
        if one.is_fake != other.is_fake and not (one.shared_words or other.shared_words):
            for key in ("shared_characters", "shared_vocabulary_entries"):
                what = key.replace("_", " ")
                shared = pair[key]
                yield Promise(f"{name} have {shared} {what} (0 promised)", shared == 0)
        rate = pair.get("same_segmentation_rate")
        if rate is not None and vocab == "mirror":
            same = f"{rate:.4%} of lines cut the same"
            yield Promise(f"{name}: {same} (100 % promised)", rate == 1.0)
        if "shared_documents" in pair:
            yield _of_documents(certificate, one.name, other.name, pair["shared_documents"])
    for language in languages:
        entry = certificate["languages"][language.name]
        lost = _lost(entry)  # first: whatever is measured sentence by sentence fails with it
        yield Promise(
            f"{language.name}: {lost or 'nothing'} lost on the way (nothing promised)", not lost
        )
        rate = entry["unk_rate"]
        if certificate["vocabulary"].get("tokenization") == "word":
            yield Promise(
                f"{language.name}: {1 - rate:.2%} of the words are in the vocabulary (no share "
                "promised, but some)",
                rate < 1,
                "take a larger --vocab-size",
            )
        else:
            yield Promise(
                f"{language.name}: [UNK] rate {rate:.4%} "
                f"(at most {MAXIMUM_UNKNOWN_RATE:.1%} promised)",
                rate <= MAXIMUM_UNKNOWN_RATE,
                _mend_of_unknown(certificate),
            )
        for intervention in entry.get("interventions", ()):
            yield from _of_intervention(language.name, intervention)
        if "same_as_text" in entry:
            yield Promise(
                f"{language.name}: the token store says what the text says in "
                f"{entry['same_as_text']:.2%} of {entry['compared_sentences']:,} sentences (100 % "
                "promised)",
                entry["same_as_text"] == 1,
            )


def _mend_of_unknown(certificate: Mapping[str, Any]) -> str:
    vocabulary = certificate["vocabulary"]
    if vocabulary.get("tokenization") == "char":
        return "take a larger --vocab-size, or leave it out for all characters"
    sample = vocabulary.get("sample_sentences")
    sentences = sum(entry.get("sentences", 0) for entry in certificate["languages"].values())
    if sample is not None and sample < sentences:
        # First of all: characters that the sample has not got are in no vocabulary, however large.
        return (
            f"take a larger --sample-sentences: word-pieces were learned from {sample:,} of the "
            f"{sentences:,} sentences"
        )
    if vocabulary.get("segmentation") == "greedy":
        return (
            "take --segmentation unigram, which cuts words where the longest match finds no way "
            "on, or a larger --vocab-size"
        )
    return "take a larger --vocab-size"


def _of_documents(certificate: Mapping[str, Any], one: str, other: str, shared: int) -> Promise:
    """What `--shared-text` promises of two languages of one source."""
    if certificate["shared_text"] == "disjoint":
        return Promise(f"{one}-{other} share {shared} documents (0 promised)", shared == 0)
    kept = []
    for name in (one, other):
        steps = {step["step"]: step for step in certificate["languages"][name]["steps"]}
        kept.append(steps["select"]["kept"])
    promised = f"all of {kept[0]} and {kept[1]} promised"
    sentence = f"{one}-{other} share {shared} documents ({promised})"
    return Promise(sentence, kept == [shared, shared])


def _lost(entry: Mapping[str, Any]) -> str:
    """What went in at one step and neither came out nor was counted as dropped; "" for nothing."""
    steps = {step["step"]: step for step in entry["steps"]}
    select, text, tokens = steps["select"], steps["text"], steps["tokens"]
    losses = {
        "articles": _missing(steps.get("extract")),
        "documents before the text": select["kept"] - text["documents"] - text["empty_documents"],
        "documents": text["documents"] - tokens["documents"],
        "sentences": text["sentences"] - tokens["sentences"],
        "words": text["words"] - tokens["words"],
    }
    if "extract" in steps and not select["other_files"]:
        losses["extracted documents"] = steps["extract"]["documents"] - select["read"]
    return ", ".join(f"{number} {what}" for what, number in losses.items() if number)


def _missing(extract: Mapping[str, int] | None) -> int:
    if extract is None:
        return 0
    outcomes = ("documents", "empty_articles", "failed_articles")
    return extract["articles"] - sum(extract.get(key, 0) for key in outcomes)


def _language(record: LanguageRecord, used: npt.NDArray[np.bool_]) -> dict[str, Any]:
    tokens = record.tokens
    result: dict[str, Any] = {
        "documents": tokens["documents"],
        "sentences": tokens["sentences"],
        "words": tokens["words"],
        "word_pieces": tokens["word_pieces"],
        "unknown": tokens["unknown"],
        "unk_rate": tokens["unknown"] / tokens["word_pieces"],
        "characters": len(record.characters),
        "vocabulary_entries": int(np.count_nonzero(used)),
        "interventions": [dict(entry) for entry in record.interventions],
        "steps": list(record.steps),
        **record.store,
    }
    moved = moved_characters(record.characters)
    if len(moved) and not record.language.is_fake:
        shown = [f"U+{code:04X}" for code in moved[:_MOVED_CHARACTERS_SHOWN].tolist()]
        result["gave_way_to_fake"] = {
            "num_characters": len(moved),
            "characters": shown,
            "bijection": GIVE_WAY.description(),
        }
    return result


def _of_intervention(language: str, entry: Mapping[str, Any]) -> Iterator[Promise]:
    """What an intervention promises of itself."""
    name = entry["name"]
    if "restored" in entry:
        yield Promise(
            f"{language}: {name} can be undone in {entry['restored']:.2%} of "
            f"{entry['sentences']:,} sentences (100 % promised)",
            entry["restored"] == 1,
        )
    if "types_in_both_alphabets" in entry:
        number = entry["types_in_both_alphabets"]
        sentence = f"{language}: {number} words are both shifted and not (0 promised)"
        yield Promise(sentence, number == 0)
    if "same_words" in entry:
        yield Promise(
            f"{language}: {name} keeps the words of {entry['same_words']:.2%} of "
            f"{entry['sentences']:,} sentences (100 % promised)",
            entry["same_words"] == 1,
        )
        tau = entry["kendall_tau"]
        yield Promise(
            f"{language}: {name} turns the words around (Kendall tau {four_digits(tau)}, -1 "
            "promised)",
            tau is None or tau == -1,
        )
    if "lengths_preserved" in entry:
        yield Promise(
            f"{language}: {name} keeps the words of every sentence and the sentences of every "
            "document",
            bool(entry["lengths_preserved"]),
        )
    if "same_word_pieces" in entry:
        yield Promise(
            f"{language}: {name} keeps the word-pieces of every sentence",
            bool(entry["same_word_pieces"]),
        )
    if "within_sampling_error" in entry:
        yield Promise(
            f"{language}: {name} did what it says ({beside_expected(entry)})",
            bool(entry["within_sampling_error"]),
        )


def moved_characters(characters: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The characters that a plain text had in the fake alphabet, of those that it has now."""
    first, last, image = GIVE_WAY.ranges[0]
    in_image = (characters >= image) & (characters <= image + last - first)
    return characters[in_image] - image + first
