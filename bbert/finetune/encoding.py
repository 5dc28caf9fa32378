"""Examples as word-piece ids, the same for every seed of a run.

`[CLS] A [SEP]` or `[CLS] A [SEP] B [SEP]`; XLM-R has two separators between A and B. A model that
was pretrained with language ids gets each text's own separator in place of [SEP].

Words of a labelled sentence are cut one by one, so that labels stay with their words: where basic
tokenisation splits a word ("U.S."), the pieces of all its parts belong to it, and its first piece
speaks for it. A word that gives no piece at all is [UNK]. Every word type is cut once.

Too long (`--too-long`): a sentence is read in windows that overlap (`windows.py`), in training as
in testing, so that every word is seen. Or word-pieces beyond the limit are cut off, and words whose
first piece is lost are counted. A pair loses word-pieces from its longer text, and is counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from bbert.errors import InputError
from bbert.finetune.batches import IGNORED, Batch, collate
from bbert.finetune.encoder import PieceIds
from bbert.finetune.tasks.task import Example, Sentence, TextPair
from bbert.finetune.tasks.trees import arc_of
from bbert.finetune.windows import windows_of
from bbert.languages import Language

Ids = npt.NDArray[np.int32]


@dataclass
class EncodedExamples:
    """Examples as a model reads them, in file order.

    Attributes:
        ids: word-piece ids of every example with its specials; the windows of a long sentence one
            after the other.
        word_positions: where the words' first pieces are; None for pairs.
        second_starts: where the second text begins; None where the encoder has one segment.
        labels: label ids of the words that are within the limit, or one of the pair.
        pad_id: id for padding.
        windows: example → lengths of its windows, of those that have several.
        heads: of tasks with trees, the heads of the words (from 1, 0 the root); else None.
        cut: rows that lost word-pieces.
        counts: `truncated_examples`, `truncated_words` (first piece lost), `words_without_pieces`,
            `windowed_examples`; what no prediction can get right: with trees `unknown_relations`
            (words), of test sets with entities `unknown_types` (entities).
    """

    ids: list[Ids]
    word_positions: list[Ids] | None
    second_starts: npt.NDArray[np.int64] | None
    labels: list[Ids]
    pad_id: int
    windows: dict[int, tuple[int, ...]] = field(default_factory=dict)
    heads: list[Ids] | None = None
    cut: frozenset[int] = frozenset()
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Word-pieces of every example, of its longest window where it has several."""
        lengths = np.array([len(row) for row in self.ids], np.int64)
        for row, parts in self.windows.items():
            lengths[row] = max(parts)
        return lengths

    @property
    def num_windows(self) -> npt.NDArray[np.int64]:
        """Windows of every example."""
        numbers = np.ones(len(self.ids), np.int64)
        for row, parts in self.windows.items():
            numbers[row] = len(parts)
        return numbers

    def batch(self, rows: npt.NDArray[np.int64]) -> Batch:
        """The batch of the examples `rows`."""
        return collate(self, rows)

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def joined(cls, parts: Sequence[EncodedExamples]) -> EncodedExamples:
        """Examples of one task, encoded for one model in several parts, one after the other."""
        firsts = np.cumsum([0, *map(len, parts)]).tolist()
        with_first = list(zip(firsts, parts, strict=False))

        def rows(name: str) -> Any:
            return [row for part in parts for row in getattr(part, name)]

        first = parts[0]
        return cls(
            ids=rows("ids"),
            word_positions=None if first.word_positions is None else rows("word_positions"),
            second_starts=(
                None if first.second_starts is None else np.array(rows("second_starts"), np.int64)
            ),
            labels=rows("labels"),
            pad_id=first.pad_id,
            windows={at + row: w for at, part in with_first for row, w in part.windows.items()},
            heads=None if first.heads is None else rows("heads"),
            cut=frozenset(at + row for at, part in with_first for row in part.cut),
            counts={key: sum(part.counts[key] for part in parts) for key in first.counts},
        )


@dataclass(frozen=True)
class LabelIds:
    """Label → id, with a message for a label that the training data do not have.

    Treebanks do not all use the same relations, and some of a test set may be new: their words keep
    their heads, and IGNORED stands for the relation. So it does, where `new_types`, for the tags of
    an entity whose type is new.
    """

    ids: Mapping[str, int]
    arcs: bool = False
    new_types: bool = False

    def of(self, example: Example, first: int) -> list[int]:
        """Ids of the first `first` labels; all labels are checked."""
        labels = example.labels
        if self.arcs:
            relations = [arc_of(label)[1] for label in labels[:first]]
            return [self.ids.get(relation, IGNORED) for relation in relations]
        if self.new_types:
            return [self.ids.get(label, IGNORED) for label in labels[:first]]
        for word, label in enumerate(labels):
            if label not in self.ids:
                raise InputError(
                    f"{example.where(word)}: label {label!r} does not occur in the training data "
                    f"(there: {', '.join(self.ids)})"
                )
        return [self.ids[label] for label in labels[:first]]

    def num_unknown_types(self, example: Example) -> int:
        """Entities of an example whose type the training data do not have."""
        return sum(label.startswith("B-") and label not in self.ids for label in example.labels)


class PieceCutter:
    """Texts of one language to word-piece ids, every distinct text cut once."""

    def __init__(self, pieces: PieceIds, language: Language, of_words: bool) -> None:
        self.pieces, self.language, self.of_words = pieces, language, of_words
        self.separator = pieces.separator(language.name)
        self._known: dict[str, Ids] = {}

    def learn(self, texts: Iterable[str]) -> None:
        """Cut the texts that are new, all in one call."""
        new = sorted(set(texts) - self._known.keys())
        self._known.update(
            zip(new, self.pieces.cut(new, self.language, self.of_words), strict=True)
        )

    def __getitem__(self, text: str) -> Ids:
        return self._known[text]


def encode_examples(
    examples: Sequence[Example],
    language: Language,
    pieces: PieceIds,
    labels: Sequence[str],
    max_length: int,
    *,
    second_language: Language | None = None,
    too_long: str = "window",
    arcs: bool = False,
    new_types: bool = False,
) -> EncodedExamples:
    """Encode the examples of one language, or of a pair of languages.

    Args:
        examples: sentences or pairs, not mixed.
        language: its interventions are applied to the texts.
        pieces: the tokenizer of the model.
        labels: the labels in the order of their ids.
        max_length: word-pieces of an example at most, specials counted.
        second_language: of the second text of every pair, where it is another.
        too_long: "window", or anything else to cut; pairs are always cut.
        arcs: whether labels are heads and relations, see `trees.py`.
        new_types: whether entities may have types that `labels` lacks.

    Raises:
        InputError: a label that is not in `labels`, with file and line.
    """
    label_ids = LabelIds({label: number for number, label in enumerate(labels)}, arcs, new_types)
    if isinstance(examples[0], Sentence):
        sentences = [example for example in examples if isinstance(example, Sentence)]
        cutter = PieceCutter(pieces, language, of_words=True)
        return _encode_sentences(sentences, cutter, label_ids, max_length, too_long == "window")
    pairs = [example for example in examples if isinstance(example, TextPair)]
    first = second = PieceCutter(pieces, language, of_words=False)
    if second_language is not None:
        second = PieceCutter(pieces, second_language, of_words=False)
    return _encode_pairs(pairs, first, second, label_ids, max_length)


def _encode_sentences(
    sentences: Sequence[Sentence],
    cutter: PieceCutter,
    label_ids: LabelIds,
    max_length: int,
    in_windows: bool,
) -> EncodedExamples:
    pieces = cutter.pieces
    cutter.learn(word for sentence in sentences for word in sentence.words)
    unknown = np.array([pieces.unk_id], np.int32)
    room = max_length - 2
    encoded = EncodedExamples([], [], None, [], pieces.pad_id, heads=[] if label_ids.arcs else None)
    assert encoded.word_positions is not None
    lost = without = unknown_relations = 0
    cut_rows = []
    for row, sentence in enumerate(sentences):
        cut = [cutter[word] for word in sentence.words]
        without += sum(not len(word) for word in cut)
        cut = [word if len(word) else unknown for word in cut]
        starts = np.cumsum([0, *(len(word) for word in cut[:-1])])
        body = np.concatenate(cut)
        kept = len(cut)
        if len(body) > room and in_windows:
            parts, positions = windows_of(starts, len(body), room)
            framed = [_framed(body[start:end], cutter) for start, end in parts]
            encoded.windows[row] = tuple(len(part) for part in framed)
            encoded.ids.append(np.concatenate(framed))
            encoded.word_positions.append(positions)
        else:
            if len(body) > room:
                kept = int(np.searchsorted(starts, room))
                lost += len(cut) - kept
                cut_rows.append(row)
            encoded.ids.append(_framed(body[:room], cutter))
            encoded.word_positions.append((starts[:kept] + 1).astype(np.int32))
        encoded.labels.append(np.array(label_ids.of(sentence, kept), np.int32))
        if encoded.heads is not None:
            heads = [arc_of(label)[0] for label in sentence.labels[:kept]]
            encoded.heads.append(np.array(heads, np.int32))
            unknown_relations += int((encoded.labels[-1] == IGNORED).sum())
    encoded.cut = frozenset(cut_rows)
    encoded.counts = {
        "truncated_examples": len(cut_rows),
        "truncated_words": lost,
        "windowed_examples": len(encoded.windows),
        "words_without_pieces": without,
    }
    if label_ids.arcs:
        encoded.counts["unknown_relations"] = unknown_relations
    if label_ids.new_types:
        encoded.counts["unknown_types"] = sum(map(label_ids.num_unknown_types, sentences))
    return encoded


def _framed(body: Ids, cutter: PieceCutter) -> Ids:
    ids = np.empty(len(body) + 2, np.int32)
    ids[0], ids[1:-1], ids[-1] = cutter.pieces.cls_id, body, cutter.separator
    return ids


def _encode_pairs(
    pairs: Sequence[TextPair],
    first_cutter: PieceCutter,
    second_cutter: PieceCutter,
    label_ids: LabelIds,
    max_length: int,
) -> EncodedExamples:
    pieces = first_cutter.pieces
    first_cutter.learn(pair.first for pair in pairs)
    second_cutter.learn(pair.second for pair in pairs)
    between = np.array(
        [first_cutter.separator, *[first_cutter.separator] * pieces.double_separator], np.int32
    )
    end = np.array([second_cutter.separator], np.int32)
    begin = np.array([pieces.cls_id], np.int32)
    room = max_length - len(begin) - len(between) - len(end)
    encoded = EncodedExamples([], None, None, [], pieces.pad_id)
    second_starts = []
    truncated = []
    for row, pair in enumerate(pairs):
        first, second = first_cutter[pair.first], second_cutter[pair.second]
        if len(first) + len(second) > room:
            truncated.append(row)
            kept = _longest_first(len(first), len(second), room)
            first, second = first[: kept[0]], second[: kept[1]]
        encoded.ids.append(np.concatenate([begin, first, between, second, end]))
        second_starts.append(len(begin) + len(first) + len(between))
        encoded.labels.append(np.array(label_ids.of(pair, 1), np.int32))
    if pieces.num_segments > 1:
        encoded.second_starts = np.array(second_starts, np.int64)
    encoded.cut = frozenset(truncated)
    encoded.counts = {"truncated_examples": len(truncated)}
    return encoded


def _longest_first(first: int, second: int, room: int) -> tuple[int, int]:
    """Lengths after taking word-pieces off the longer text, the second where both are equal."""
    shorter = min(first, second)
    if 2 * shorter >= room:
        kept_first = (room + 1) // 2
        return kept_first, room - kept_first
    return (shorter, room - shorter) if first <= second else (room - shorter, shorter)
