"""A sentence of the sample with its gold annotation: words, tags, tree, named entities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

CLOSING = frozenset(".,।")


class Word:
    """One syntactic word; `head` is another word of the same sentence, or None for the root."""

    __slots__ = ("deprel", "entity", "feats", "form", "head", "lemma", "upos")

    def __init__(self, form: str, lemma: str, upos: str, deprel: str, feats: str = "_") -> None:
        self.form = form
        self.lemma = lemma
        self.upos = upos
        self.deprel = deprel
        self.feats = feats
        self.head: Word | None = None
        self.entity = "O"


class Sentence:
    """Words in the order of the language."""

    __slots__ = ("words",)

    def __init__(self) -> None:
        self.words: list[Word] = []

    def __iter__(self) -> Iterator[Word]:
        return iter(self.words)

    def __len__(self) -> int:
        return len(self.words)

    def add(
        self,
        form: str,
        lemma: str,
        upos: str,
        deprel: str,
        head: Word | None = None,
        feats: str = "_",
    ) -> Word:
        """Append a word; its head may be set later, when that word exists."""
        word = Word(form, lemma, upos, deprel, feats)
        word.head = head
        self.words.append(word)
        return word

    def add_name(
        self,
        forms: Sequence[str],
        entity: str,
        deprel: str,
        lemmas: Sequence[str] = (),
        feats: str = "_",
    ) -> Word:
        """Append a name of one or more words tagged B-/I-`entity`; the first word is its head."""
        lemmas = lemmas or forms
        first = self.add(forms[0], lemmas[0], "PROPN", deprel, feats=feats)
        first.entity = f"B-{entity}"
        for form, lemma in zip(forms[1:], lemmas[1:], strict=True):
            self.add(form, lemma, "PROPN", "flat", first, feats).entity = f"I-{entity}"
        return first

    def close(self, root: Word, stop: str) -> Sentence:
        """Make `root` the root, add the full stop and capitalise the first word."""
        root.deprel = "root"
        root.head = None
        self.add(stop, stop, "PUNCT", "punct", root)
        first = self.words[0]
        first.form = first.form[:1].upper() + first.form[1:]
        return self

    def tokens(self) -> list[str]:
        """The word forms; equal to what basic tokenisation makes of `text`."""
        return [word.form for word in self.words]

    def heads(self) -> list[int]:
        """The position of each word's head, from 1; 0 for the root."""
        position = {id(word): number for number, word in enumerate(self.words, start=1)}
        return [position[id(word.head)] if word.head else 0 for word in self.words]

    def text(self) -> str:
        """The sentence as it is written, stops and commas close to the word before."""
        out = self.words[0].form
        for word in self.words[1:]:
            out += word.form if word.form in CLOSING else " " + word.form
        return out
