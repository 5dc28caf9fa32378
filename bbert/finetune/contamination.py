"""Do sentences that a model is tested on occur in what it learned from?

Two texts are the same when they are equal, character by character, after the corpus's own
normalisation. They are looked for in two places:

    pretraining   the final text of the language in the model's corpus, every line of it; the test
                  sentence with all interventions of its language, so that enfake is compared with
                  enfake. Where a corpus permutes word-pieces, its text is the one before that;
                  where it draws words (unigram), the drawn words are its text. A sentence of a
                  treebank is what its `# text` says: its words ("de", "el" of "del") are not what
                  stands in running text.
    training      the examples that this run is fine-tuned on, whatever their language; both
                  without interventions: a sentence of `en` is found in training data of `enfake`.
                  Words with words, since not every file says the text.

The test sentences are in memory, what they are looked for in is read block by block. Comparing
strings, and not hashes of them, costs no more here and is exact.

A pair counts as found in the pretraining text when one of its two texts is, and as found in the
training data when the pair of both is.

A test set may also be (a part of) the development data that chose the epoch, where a language has
no test file: that is told by the names of the files alone.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

from bbert.corpus.word_blocks import line_blocks
from bbert.fake import give_way
from bbert.finetune.contamination_notes import contamination_notes, not_checked
from bbert.finetune.examples import ExampleSet, RunData
from bbert.finetune.plan import Plan
from bbert.finetune.pretraining_text import NotThere, PretrainingText, pretraining_text
from bbert.finetune.tasks.task import Example, Sentence
from bbert.languages import Language

logger = logging.getLogger(__name__)

DEFINITION = (
    "test examples whose text, after NFC and basic tokenisation, is equal to a line of the "
    "pretraining text of their language (interventions included) or to an example of the training "
    "data (without interventions, in whatever language); words joined by spaces, but of a treebank "
    "its # text where the pretraining text is searched. A pair is in the "
    "pretraining text when either text is, in the training data when both are, as a pair. "
    "selected_on: files of the test set that also chose the epoch"
)
_NOTES = {
    "permute": "compared with the text before its word-pieces were permuted",
    "unigram": "compared with the drawn words, which is what the model saw",
}
_BATCH = 20_000  # training examples normalised in one call
_BOTH = b"\t"  # joins the texts of a pair; basic tokenisation leaves no tab


def contamination(plan: Plan, data: RunData) -> dict[str, Any]:
    """Count the test examples that occur in the pretraining text and in the training data.

    Returns:
        `definition`; `corpus`, its name or null; `not_checked`, why the pretraining text was not
        compared, or null; for each test language `n`, `in_pretraining` (null where not checked),
        `in_training`, for pairs `texts` with the counts of first and second texts, and perhaps
        `not_checked`, `note` or `selected_on`, the files that also chose the epoch.
    """
    corpus: PretrainingText | None = None
    reason = None
    try:
        corpus = pretraining_text(plan.model)
    except NotThere as error:
        reason = str(error)
    languages: dict[str, dict[str, Any]] = {}
    trained = _in_training(plan, data)
    for name, examples in data.evaluation.items():
        entry: dict[str, Any] = {"n": len(examples.examples), "in_pretraining": None}
        entry["in_training"] = trained[name].pop("both")
        if trained[name]:
            entry["texts"] = trained[name]
        if corpus is not None:
            entry |= _in_pretraining(corpus, examples, _languages(plan, name), entry)
        if files := _selected_on(plan, name):
            entry["selected_on"] = files
        languages[name] = entry
    return {
        "definition": DEFINITION,
        "corpus": corpus.corpus.name if corpus else None,
        "not_checked": reason,
        "languages": languages,
    }


def contamination_once(plan: Plan, data: RunData, last: dict[str, Any]) -> dict[str, Any]:
    """As `contamination`; runs of a grid that share their examples (see `load_data_once`) share the
    answer."""
    if "contamination" not in last:
        last["contamination"] = contamination(plan, data)
    return last["contamination"]


def report(found: Mapping[str, Any]) -> None:
    """Log what was found, as warnings."""
    for sentence in contamination_notes(found):
        logger.warning("%s; see contamination in results.json", sentence)
    if reason := not_checked(found):
        logger.info("not checked whether test examples occur in the pretraining text: %s", reason)


def lines_that_occur(text_file: Path, lines: Iterable[bytes]) -> set[bytes]:
    """Those of `lines` that are a line of a text; blank ones never are."""
    wanted = {line + b"\n" for line in lines if line}
    found: set[bytes] = set()
    if wanted:
        for block in line_blocks(text_file):  # every line with its end, as BytesIO gives them
            found.update(wanted.intersection(BytesIO(block)))
    return {line[:-1] for line in found}


def _languages(plan: Plan, name: str) -> list[Language]:
    """The language of each text of an example of a test set."""
    rows = plan.evaluation[name]
    if plan.task.unit != "pair":
        return [rows.language]
    return [rows.language, rows.second_language or rows.language]


def _selected_on(plan: Plan, name: str) -> list[str]:
    """The files of a test set whose texts, in whatever intervention, also chose the epoch."""
    if not plan.config.epochs:
        return []
    chose = {(file, rows.language.source) for rows in plan.dev for file in rows.files}
    rows = plan.evaluation[name]
    tested = [(file, rows.language.source) for file in rows.files]
    if rows.second_language is not None:
        tested += [(file, rows.second_language.source) for file in rows.second_files]
    return list(dict.fromkeys(file.name for file, source in tested if (file, source) in chose))


def _in_pretraining(
    corpus: PretrainingText,
    examples: ExampleSet,
    languages: Sequence[Language],
    entry: Mapping[str, Any],
) -> dict[str, Any]:
    try:
        files = [corpus.file(language.name) for language in languages]
    except NotThere as error:
        return {"not_checked": str(error)}
    texts = [
        _normalised(column, language, corpus.has_fake and not language.is_fake)
        for column, language in zip(
            _texts(examples.examples, languages, as_written=True), languages, strict=True
        )
    ]
    wanted: dict[Path, set[bytes]] = {}
    for file, lines in zip(files, texts, strict=True):
        wanted.setdefault(file, set()).update(lines)
    found = {file: lines_that_occur(file, lines) for file, lines in wanted.items()}
    flags = [
        [line in found[file] for line in lines] for file, lines in zip(files, texts, strict=True)
    ]
    result: dict[str, Any] = {"in_pretraining": sum(map(any, zip(*flags, strict=True)))}
    if len(flags) == 2:
        first, second = map(sum, flags)
        counts = {"first_in_pretraining": first, "second_in_pretraining": second}
        result["texts"] = {**entry["texts"], **counts}
    interventions = {
        step for language in languages for step in corpus.interventions.get(language.name, ())
    }
    notes = [note for name, note in _NOTES.items() if name in interventions]
    if notes:
        result["note"] = "; ".join(notes)
    return result


def _in_training(plan: Plan, data: RunData) -> dict[str, dict[str, int]]:
    """test set → how many of its examples are in the training data as a whole ("both"), and of
    pairs the first and the second texts."""
    keys = {
        name: _keys(_without_interventions(examples.examples, _languages(plan, name)))
        for name, examples in data.evaluation.items()
    }
    wanted = {key for columns in keys.values() for column in columns.values() for key in column}
    wanted -= {b"", _BOTH}
    found: dict[str, set[bytes]] = {}
    train = iter(data.train.examples)
    num_texts = 2 if plan.task.unit == "pair" else 1
    for language, count in data.train.languages:
        of_language = islice(train, count)
        while batch := list(islice(of_language, _BATCH)):
            columns = _keys(_without_interventions(batch, [language] * num_texts))
            for part, column in columns.items():
                found.setdefault(part, set()).update(wanted.intersection(column))
    return {
        name: {part: sum(key in found[part] for key in column) for part, column in columns.items()}
        for name, columns in keys.items()
    }


def _keys(texts: Sequence[list[bytes]]) -> dict[str, list[bytes]]:
    """What is compared with the training data: the example as a whole, and the texts of a pair."""
    if len(texts) == 1:
        return {"both": texts[0]}
    both = [_BOTH.join(pair) for pair in zip(*texts, strict=True)]
    return {"both": both, "first_in_training": texts[0], "second_in_training": texts[1]}


def _without_interventions(
    examples: Sequence[Example], languages: Sequence[Language]
) -> list[list[bytes]]:
    columns = zip(_texts(examples, languages), languages, strict=True)
    return [_normalised(column, Language.parse(of.source), False) for column, of in columns]


def _texts(
    examples: Sequence[Example], languages: Sequence[Language], as_written: bool = False
) -> list[list[str]]:
    """For each text of an example that of every example, as it stood in the file; of sentences the
    words, or where `as_written` what the file says that was written, if it does."""
    sentences = [example for example in examples if isinstance(example, Sentence)]
    if len(languages) == 1:
        # Labelled words of a reversed language have been put in reverse order.
        step = -1 if languages[0].is_reversed else 1
        return [[(as_written and s.text) or " ".join(s.words[::step]) for s in sentences]]
    pairs = [example for example in examples if not isinstance(example, Sentence)]
    return [[pair.first for pair in pairs], [pair.second for pair in pairs]]


def _normalised(texts: Iterable[str], language: Language, gives_way: bool) -> list[bytes]:
    """Texts as a corpus holds them in `language`."""
    joined = "\n".join(text.replace("\n", " ").replace("\r", " ") for text in texts)
    final = language.apply(joined)
    return (give_way(final) if gives_way else final).encode().split(b"\n")
