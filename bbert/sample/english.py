"""English: SVO, articles, adjective before noun, do-support under negation."""

from __future__ import annotations

from bbert.sample.clause import Clause, NounPhrase
from bbert.sample.grammar import FINITE, Grammar, attach
from bbert.sample.sentence import Sentence, Word
from bbert.sample.world import MASS_NOUNS

IRREGULAR = {"fly": "flies", "cry": "cries", "carry": "carries", "go": "goes"}
NAMES = {
    "john": "John", "peter": "Peter", "paul": "Paul", "david": "David", "michael": "Michael",
    "thomas": "Thomas", "mary": "Mary", "anna": "Anna", "helen": "Helen", "sophia": "Sophia",
    "julia": "Julia", "kate": "Kate", "smith": "Smith", "taylor": "Taylor", "wilson": "Wilson",
    "clark": "Clark", "evans": "Evans", "walker": "Walker", "harris": "Harris", "cooper": "Cooper",
}  # fmt: skip
LINKS = {"in": "in", "near": "near", "to": "to", "from": "from"}


class English(Grammar):
    """The English grammar and, as its concepts are named in English, its lexicon too."""

    language = "en"

    def clause(self, sentence: Sentence, clause: Clause) -> Word:
        time = self.adverb(sentence, clause.time) if clause.front == "time" else None
        place = self.place(sentence, clause) if clause.front == "place" else None
        subject = self.noun_phrase(sentence, clause.subject, "nsubj")
        if clause.verb:
            root = self.verb_phrase(sentence, clause)
        else:
            root = self.predicate(sentence, clause)
        manner = self.adverb(sentence, clause.manner)
        if clause.front != "place" and clause.frame != "location":
            place = self.place(sentence, clause)
        if clause.front != "time" and clause.time != "always":
            time = self.adverb(sentence, clause.time)
        attach([time, place, subject, manner], root)
        return root

    def verb_phrase(self, sentence: Sentence, clause: Clause) -> Word:
        if clause.negated:
            does = sentence.add("does", "do", "AUX", "aux", feats=FINITE)
            negation = sentence.add("not", "not", "PART", "advmod", feats="Polarity=Neg")
            always = self.always(sentence, clause)
            verb = sentence.add(clause.verb, clause.verb, "VERB", "root", feats="VerbForm=Inf")
            attach([does, negation, always], verb)
        else:
            always = self.always(sentence, clause)
            verb = sentence.add(
                third_person(clause.verb), clause.verb, "VERB", "root", feats=FINITE
            )
            attach([always], verb)
        if clause.object:
            first = self.noun_phrase(sentence, clause.object, "obj")
            first.head = verb
            if clause.second_object:
                joiner = sentence.add("and", "and", "CCONJ", "cc")
                second = self.noun_phrase(sentence, clause.second_object, "conj")
                second.head, joiner.head = first, second
        if clause.recipient:
            case = sentence.add("to", "to", "ADP", "case")
            recipient = self.noun_phrase(sentence, clause.recipient, "obl")
            case.head, recipient.head = recipient, verb
        return verb

    def predicate(self, sentence: Sentence, clause: Clause) -> Word:
        words: list[Word | None] = [sentence.add("is", "be", "AUX", "cop", feats=FINITE)]
        if clause.negated:
            words.append(sentence.add("not", "not", "PART", "advmod", feats="Polarity=Neg"))
        if clause.frame == "property":
            very = sentence.add("very", "very", "ADV", "advmod") if clause.very else None
            root = sentence.add(
                clause.adjective, clause.adjective, "ADJ", "root", feats="Degree=Pos"
            )
            words.append(very)
        elif clause.frame == "identity":
            assert clause.object
            root = self.noun_phrase(sentence, clause.object, "root")
        else:
            place = self.place(sentence, clause)
            assert place
            root = place
        attach(words, root)
        return root

    def place(self, sentence: Sentence, clause: Clause) -> Word | None:
        if not clause.place:
            return None
        link = LINKS[clause.relation]
        if clause.relation == "in" and clause.place.kind == "organisation":
            link = "at"
        case = sentence.add(link, link, "ADP", "case")
        place = self.noun_phrase(sentence, clause.place, "obl")
        case.head = place
        return place

    def adverb(self, sentence: Sentence, adverb: str) -> Word | None:
        return sentence.add(adverb, adverb, "ADV", "advmod") if adverb else None

    def always(self, sentence: Sentence, clause: Clause) -> Word | None:
        """The one adverb of time that stands before the verb."""
        return self.adverb(sentence, "always" if clause.time == "always" else "")

    def name(self, sentence: Sentence, phrase: NounPhrase) -> Word:
        if phrase.kind == "noun":
            noun = phrase.head
            return sentence.add(noun, noun, "NOUN", "root")
        return self.noun_phrase(sentence, phrase, "root")

    def speech(self, sentence: Sentence, speaker: NounPhrase, verb: str) -> Word:
        subject = self.noun_phrase(sentence, speaker, "nsubj")
        root = sentence.add(third_person(verb), verb, "VERB", "root", feats=FINITE)
        subject.head = root
        sentence.add("that", "that", "SCONJ", "mark")
        return root

    def noun_phrase(self, sentence: Sentence, phrase: NounPhrase, deprel: str) -> Word:
        if phrase.kind == "pronoun":
            gender = "Fem" if phrase.female else "Masc"
            feats = f"Case=Nom|Gender={gender}|Number=Sing|Person=3|PronType=Prs"
            return sentence.add(phrase.head, phrase.head, "PRON", deprel, feats=feats)
        if phrase.kind == "person":
            names = [NAMES[name] for name in (phrase.head, phrase.surname) if name]
            return sentence.add_name(names, "PER", deprel, feats="Number=Sing")
        if phrase.kind == "place":
            return sentence.add_name(place_name(phrase.head), "LOC", deprel, feats="Number=Sing")
        if phrase.kind == "organisation":
            return sentence.add_name(place_name(phrase.head), "ORG", deprel, feats="Number=Sing")
        words: list[Word | None] = [self.article(sentence, phrase)]
        if phrase.adjective:
            words.append(
                sentence.add(phrase.adjective, phrase.adjective, "ADJ", "amod", feats="Degree=Pos")
            )
        noun = sentence.add(phrase.head, phrase.head, "NOUN", deprel, feats="Number=Sing")
        attach(words, noun)
        if phrase.of:
            case = sentence.add("of", "of", "ADP", "case")
            owner = self.noun_phrase(sentence, phrase.of, "nmod")
            case.head, owner.head = owner, noun
        return noun

    def article(self, sentence: Sentence, phrase: NounPhrase) -> Word | None:
        if phrase.definite:
            return sentence.add("the", "the", "DET", "det", feats="Definite=Def|PronType=Art")
        if phrase.head in MASS_NOUNS:
            return None
        form = "an" if (phrase.adjective or phrase.head)[0] in "aeiou" else "a"
        return sentence.add(form, "a", "DET", "det", feats="Definite=Ind|PronType=Art")


def third_person(verb: str) -> str:
    """The third person singular of an English verb."""
    return IRREGULAR.get(verb) or (verb + "es" if verb.endswith(("s", "sh", "ch")) else verb + "s")


def place_name(concept: str) -> list[str]:
    """The words of a place or an organisation, from its concept: south_africa → South Africa."""
    return [part.capitalize() for part in concept.split("_")]
