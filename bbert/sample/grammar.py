"""What the grammars of all languages share: from a clause to a closed, annotated sentence."""

from __future__ import annotations

from abc import ABC, abstractmethod

from bbert.sample.clause import Clause, NounPhrase
from bbert.sample.sentence import Sentence, Word

FINITE = "Mood=Ind|Number=Sing|Person=3|Tense=Pres|VerbForm=Fin"


class Grammar(ABC):
    """Tells clauses in one language."""

    language: str
    stop = "."

    def tell(self, clause: Clause) -> Sentence:
        """Return the sentence of `clause` with words, tags, tree and entities."""
        sentence = Sentence()
        if clause.speaker is None:
            root = self.clause(sentence, clause)
        else:
            root = self.speech(sentence, clause.speaker, clause.speech_verb)
            inner = self.clause(sentence, clause)
            inner.deprel, inner.head = "ccomp", root
            for word in sentence:
                if word.deprel in ("mark", "punct") and word.head is None:
                    word.head = inner
        return sentence.close(root, self.stop)

    @abstractmethod
    def clause(self, sentence: Sentence, clause: Clause) -> Word:
        """Append the words of `clause` without speaker and full stop; return its root."""

    @abstractmethod
    def name(self, sentence: Sentence, phrase: NounPhrase) -> Word:
        """Append what an article on `phrase` is called: the bare noun or name."""

    @abstractmethod
    def speech(self, sentence: Sentence, speaker: NounPhrase, verb: str) -> Word:
        """Append "Anna says that"; the head of "that" (and a comma) stays unset."""


def attach(words: list[Word | None], head: Word) -> None:
    """Hang each of `words` on `head`."""
    for word in words:
        if word is not None:
            word.head = head
