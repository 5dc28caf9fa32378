"""Hindi: SOV, postpositions, adjective before noun, agreement of adjective, genitive and verb in
gender.

Simplified: people as objects take "को", all other objects stand in the direct case; every clause
has its auxiliary "है", also under negation; an indefinite noun takes "एक", a definite one nothing.
"""

from __future__ import annotations

from bbert.sample import lexicon_hindi as lexicon
from bbert.sample.clause import Clause, NounPhrase
from bbert.sample.grammar import Grammar, attach
from bbert.sample.sentence import Sentence, Word
from bbert.sample.world import CLASSES, MASS_NOUNS

PEOPLE = frozenset(noun for name in ("role", "human", "kin") for noun in CLASSES[name])
LINKS = {"in": ("में",), "near": ("के", "पास"), "to": (), "from": ("से",)}
GENDER = {"m": "Gender=Masc|Number=Sing", "f": "Gender=Fem|Number=Sing"}
PRESENT = "Mood=Ind|Number=Sing|Person=3|Tense=Pres|VerbForm=Fin"


class Hindi(Grammar):
    """The Hindi grammar."""

    language = "hi"
    stop = "।"

    def clause(self, sentence: Sentence, clause: Clause) -> Word:
        time = self.adverb(sentence, clause.time) if clause.front == "time" else None
        place = self.place(sentence, clause) if clause.front == "place" else None
        subject = self.noun_phrase(sentence, clause.subject, "nsubj")
        if clause.front != "time":
            time = self.adverb(sentence, clause.time)
        if clause.front != "place" and clause.frame != "location":
            place = self.place(sentence, clause)
        before: list[Word | None] = [time, subject]
        if clause.frame != "location":
            before.append(place)
        if clause.recipient:
            before.append(self.linked(sentence, ("को",), clause.recipient, "iobj"))
        if clause.verb:
            root = self.verb_phrase(sentence, clause, before)
        else:
            root = self.predicate(sentence, clause, before)
        auxiliary = "aux" if clause.verb else "cop"
        before.append(sentence.add("है", "है", "AUX", auxiliary, feats=PRESENT))
        attach(before, root)
        return root

    def verb_phrase(self, sentence: Sentence, clause: Clause, before: list[Word | None]) -> Word:
        if clause.object:
            first = self.object(sentence, clause.object, "obj")
            before.append(first)
            if clause.second_object:
                joiner = sentence.add("और", "और", "CCONJ", "cc")
                second = self.object(sentence, clause.second_object, "conj")
                second.head, joiner.head = first, second
        before.append(self.adverb(sentence, clause.manner))
        noun, stem = lexicon.VERBS[clause.verb]
        if noun:
            before.append(sentence.add(noun, noun, "NOUN", "compound", feats=GENDER["m"]))
        before.append(self.negation(sentence, clause))
        return self.participle(sentence, stem, self.gender(clause.subject))

    def predicate(self, sentence: Sentence, clause: Clause, before: list[Word | None]) -> Word:
        if clause.frame == "property":
            very = sentence.add("बहुत", "बहुत", "ADV", "advmod") if clause.very else None
            gender = self.gender(clause.subject)
            root = self.adjective(sentence, clause.adjective, gender, False, "root")
            attach([very], root)
        elif clause.frame == "identity":
            assert clause.object
            root = self.noun_phrase(sentence, clause.object, "root")
        else:
            place = self.place(sentence, clause)
            assert place
            root = place
        before.append(self.negation(sentence, clause))
        return root

    def participle(self, sentence: Sentence, stem: str, gender: str) -> Word:
        feats = f"Aspect=Imp|{GENDER[gender]}|VerbForm=Part"
        return sentence.add(
            stem + ("ती" if gender == "f" else "ता"), stem, "VERB", "root", feats=feats
        )

    def negation(self, sentence: Sentence, clause: Clause) -> Word | None:
        if not clause.negated:
            return None
        return sentence.add("नहीं", "नहीं", "PART", "advmod", feats="Polarity=Neg")

    def object(self, sentence: Sentence, phrase: NounPhrase, deprel: str) -> Word:
        if phrase.kind == "person" or phrase.head in PEOPLE:
            return self.linked(sentence, ("को",), phrase, deprel)
        return self.noun_phrase(sentence, phrase, deprel)

    def place(self, sentence: Sentence, clause: Clause) -> Word | None:
        if not clause.place:
            return None
        return self.linked(sentence, LINKS[clause.relation], clause.place, "obl")

    def linked(
        self, sentence: Sentence, links: tuple[str, ...], phrase: NounPhrase, deprel: str
    ) -> Word:
        """Append a noun phrase in the oblique case and its postpositions."""
        head = self.noun_phrase(sentence, phrase, deprel, oblique=True)
        first: Word | None = None
        for link in links:
            word = sentence.add(link, link, "ADP", "fixed" if first else "case", first or head)
            first = first or word
        return head

    def adverb(self, sentence: Sentence, adverb: str) -> Word | None:
        if not adverb:
            return None
        form = lexicon.ADVERBS[adverb]
        return sentence.add(form, form, "ADV", "advmod")

    def adjective(
        self, sentence: Sentence, adjective: str, gender: str, oblique: bool, deprel: str
    ) -> Word:
        lemma = lexicon.ADJECTIVES[adjective]
        form = lemma
        if lemma.endswith("ा"):
            form = lemma[:-1] + ("ी" if gender == "f" else "े" if oblique else "ा")
            if adjective == "new":
                form = "नई" if gender == "f" else "नए" if oblique else lemma
        return sentence.add(form, lemma, "ADJ", deprel, feats=GENDER[gender])

    def name(self, sentence: Sentence, phrase: NounPhrase) -> Word:
        if phrase.kind == "noun":
            noun = lexicon.NOUNS[phrase.head][0]
            return sentence.add(noun, noun, "NOUN", "root")
        return self.noun_phrase(sentence, phrase, "root")

    def speech(self, sentence: Sentence, speaker: NounPhrase, verb: str) -> Word:
        subject = self.noun_phrase(sentence, speaker, "nsubj")
        root = self.participle(sentence, lexicon.VERBS[verb][1], self.gender(speaker))
        auxiliary = sentence.add("है", "है", "AUX", "aux", feats=PRESENT)
        attach([subject, auxiliary], root)
        sentence.add("कि", "कि", "SCONJ", "mark")
        return root

    def gender(self, phrase: NounPhrase) -> str:
        if phrase.kind == "noun" and not phrase.female:
            return lexicon.NOUNS[phrase.head][1]
        return "f" if phrase.female else "m"

    def noun_phrase(
        self, sentence: Sentence, phrase: NounPhrase, deprel: str, oblique: bool = False
    ) -> Word:
        gender = self.gender(phrase)
        case = "Case=Acc" if oblique else "Case=Nom"
        if phrase.kind == "pronoun":
            return sentence.add(
                "वह", "वह", "PRON", deprel, feats="Case=Nom|Number=Sing|Person=3|PronType=Prs"
            )
        if phrase.kind == "person":
            names = [lexicon.NAMES[name] for name in (phrase.head, phrase.surname) if name]
            return sentence.add_name(names, "PER", deprel, feats=f"{case}|{GENDER[gender]}")
        if phrase.kind == "place":
            names = lexicon.PLACES[phrase.head].split()
            return sentence.add_name(names, "LOC", deprel, feats=f"{case}|{GENDER['m']}")
        if phrase.kind == "organisation":
            brand, kind = phrase.head.split("_")
            names = [lexicon.BRANDS[brand], lexicon.ORGANISATION_TYPES[kind]]
            return sentence.add_name(names, "ORG", deprel, feats=f"{case}|{GENDER['m']}")
        words: list[Word | None] = []
        if phrase.of:
            owner = self.noun_phrase(sentence, phrase.of, "nmod", oblique=True)
            form = "की" if gender == "f" else "के" if oblique else "का"
            sentence.add(form, "का", "ADP", "case", owner, feats=f"{case}|{GENDER[gender]}")
            words.append(owner)
        elif not phrase.definite and phrase.head not in MASS_NOUNS:
            words.append(sentence.add("एक", "एक", "DET", "det"))
        if phrase.adjective:
            words.append(self.adjective(sentence, phrase.adjective, gender, oblique, "amod"))
        word = lexicon.NOUNS[phrase.head][0]
        form = lexicon.FEMALE.get(phrase.head, word) if phrase.female else word
        if oblique and not phrase.female:
            form = lexicon.OBLIQUE.get(phrase.head, form)
        noun = sentence.add(form, word, "NOUN", deprel, feats=f"{case}|{GENDER[gender]}")
        attach(words, noun)
        return noun
