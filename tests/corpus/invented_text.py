"""Final text of invented languages: Zipfian stems with suffixes, punctuation, rare characters."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bbert.fake import give_way
from bbert.languages import Language

ALPHABETS = {
    "en": ("bcdfghklmnprstvw", "aeiou"),
    "es": ("bcdfghlmnñprstvz", "aeioúé"),
    "hi": ("कखगचजटडतदनपबमरलवसह", "ािीेो"),
    "ru": ("бвгджзклмнпрстфх", "аеиоуы"),
}
ODD_WORDS = (
    "क्\u200dष श्\u200cर 👩\u200d🚀 ▁ ▁x a▁b ▅ ## ##a [UNK] [SEP] [unused0] 中文字 ½ \u0301 ₿ "
    "A\u0301 ﬁ Å 𝔘 \ue000 \U0003134a \ufeff x\u00adx don't co-op 20th x2 \u200bz"
)


def invented_text(source: str, num_documents: int = 60, seed: int = 0, odd: bool = False) -> str:
    """Raw text: a sentence a line, a blank line between documents."""
    rng = np.random.default_rng([seed, *source.encode()])
    consonants, vowels = ALPHABETS[source]

    def syllables(count: int) -> str:
        return "".join(
            rng.choice(list(consonants)) + rng.choice(list(vowels)) for _ in range(count)
        )

    stems = [syllables(int(rng.integers(1, 4))) for _ in range(300)]
    suffixes = [""] * 3 + [syllables(1) for _ in range(6)]
    weights = 1 / np.arange(2, len(stems) + 2)
    weights /= weights.sum()
    odd_words = ODD_WORDS.split(" ")
    documents = []
    for _ in range(num_documents):
        sentences = []
        for _ in range(int(rng.integers(1, 9))):
            count = int(rng.integers(1, 15))
            chosen = rng.choice(len(stems), count, p=weights)
            words = [stems[i] + suffixes[int(rng.integers(len(suffixes)))] for i in chosen]
            if odd:
                words.insert(count // 2, odd_words[int(rng.integers(len(odd_words)))])
            sentences.append(" ".join(words).capitalize() + rng.choice([".", "!", ", so?"]))
        documents.append("\n".join(sentences))
    return "\n\n".join(documents) + "\n"


def write_texts(folder: Path, names: tuple[str, ...], **options: object) -> dict[str, Path]:
    """Final text of each language below `folder`, as the corpus stage writes it."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for name in names:
        language = Language.parse(name)
        raw = invented_text(language.source, **options)  # type: ignore[arg-type]
        files[name] = folder / f"{name}.txt"
        text = language.apply(raw)
        if not language.is_fake and any(Language.parse(other).is_fake for other in names):
            text = give_way(text)
        files[name].write_text(text, encoding="utf-8")
    return files
