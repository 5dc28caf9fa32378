"""How many pieces held-out words are cut into: bbert's vocabulary beside SentencePiece's own.

    python benchmarks/vocabulary.py TEXT [--language en] [--num-pieces 8000] [--repeat-text 1]

TEXT is raw text, plain or as `.xz`; the vocabulary is learned on its first nine tenths and tried on
the last. Rows: SentencePiece finding its own candidates, then bbert's candidates, so many for each
piece; `unigram` is the likeliest cut, `greedy` the longest match (SentencePiece's pieces converted
`▁x` → `x`, `x` → `##x`). `--repeat-text 2` counts every word twice, which should change nothing.
"""

from __future__ import annotations

import argparse
import io
import lzma
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import sentencepiece
from tokenizers import models

from bbert.corpus import unigram_pieces
from bbert.corpus.character_coverage import covered_characters
from bbert.corpus.segmentation import WORD_START
from bbert.corpus.unigram_pieces import CONTINUATION, Piece, learn_pieces
from bbert.languages import Language

SEEDS_PER_PIECE = (2, 3, 4, 5, 8, 20, 1000)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("text", type=Path)
    parser.add_argument("--language", default="en")
    parser.add_argument("--num-pieces", type=int, default=8000)
    parser.add_argument("--repeat-text", type=int, default=1)
    options = parser.parse_args()
    opener = lzma.open if options.text.suffix == ".xz" else open
    with opener(options.text, "rt", encoding="utf-8") as file:
        lines = Language.parse(options.language).apply(file.read()).split("\n")
    tenth = len(lines) // 10
    learned_on = lines[:-tenth] * options.repeat_text
    words, held_out = (Counter(" ".join(some).split()) for some in (learned_on, lines[-tenth:]))
    print(f"{sum(words.values()):,} words, {len(words):,} of them distinct")
    began = time.perf_counter()
    pieces = sentencepiece_alone(learned_on, options.num_pieces)
    show("SentencePiece's candidates", pieces, words, held_out, began)
    characters = covered_characters({options.language: words}, options.num_pieces)
    for factor in SEEDS_PER_PIECE:
        unigram_pieces._SEEDS_PER_PIECE = factor
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            pieces = learn_pieces(words, characters, options.num_pieces, Path(folder))
        show(f"{factor} candidates a piece", pieces, words, held_out, began)


def sentencepiece_alone(lines: Sequence[str], num_pieces: int) -> list[Piece]:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=model, vocab_size=num_pieces + 1,
        normalization_rule_name="identity", character_coverage=1.0, max_sentence_length=1 << 20,
        bos_id=-1, eos_id=-1, minloglevel=2,
    )  # fmt: skip
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    entries = [(processor.id_to_piece(i), processor.get_score(i)) for i in range(1, len(processor))]
    return [
        Piece(piece[1:] if piece.startswith("▁") else CONTINUATION + piece, score)
        for piece, score in entries
    ]


def show(
    name: str, pieces: list[Piece], words: Counter[str], held_out: Counter[str], began: float
) -> None:
    seconds = time.perf_counter() - began
    ids = {"[UNK]": 0}
    for piece in pieces:
        ids.setdefault(piece.token, len(ids))
    greedy = models.WordPiece(ids, unk_token="[UNK]")
    spelled = [("[UNK]", -1e4)]
    for token, score in pieces:
        is_continuation = token.startswith(CONTINUATION)
        spelled.append((token[2:] if is_continuation else WORD_START + token, score))
    unigram = models.Unigram(spelled, 0)
    total = sum(held_out.values())
    unknown = sum(n for word, n in held_out.items() if greedy.tokenize(word)[0].id == 0)
    cut = sum(len(greedy.tokenize(word)) * n for word, n in held_out.items())
    likeliest = sum(len(unigram.tokenize(WORD_START + word)) * n for word, n in held_out.items())
    missing = [word for word, _ in words.most_common(200) if word not in ids]
    print(
        f"{name:28s} {seconds:6.1f} s  pieces a word: unigram {likeliest / total:.3f}, "
        f"greedy {cut / total:.3f}  [UNK] {unknown / total:.2%}  "
        f"of the 200 most frequent words {len(missing)} missing: {' '.join(missing[:8])}",
        flush=True,
    )


if __name__ == "__main__":
    main()
