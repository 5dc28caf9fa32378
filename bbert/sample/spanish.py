"""Spanish: SVO, articles and adjectives agree in gender, adjective after noun, personal "a", "al"
and "del".

Simplified: the contractions "al" and "del" are one token tagged ADP; no subject is dropped; every
adjective follows its noun; an organisation takes the article of its type ("el Banco Orión").
"""

from __future__ import annotations

from bbert.sample import lexicon_spanish as lexicon
from bbert.sample.clause import Clause, NounPhrase
from bbert.sample.grammar import FINITE, Grammar, attach
from bbert.sample.sentence import Sentence, Word
from bbert.sample.world import ANIMATE, CLASS_OF, CLASSES, MASS_NOUNS

GENDER = {"m": "Gender=Masc|Number=Sing", "f": "Gender=Fem|Number=Sing"}
PEOPLE = frozenset(noun for name in ("role", "human", "kin") for noun in CLASSES[name])
LINKS = {"in": ("en",), "near": ("cerca", "de"), "to": ("a",), "from": ("de",)}
assert PEOPLE <= ANIMATE <= CLASS_OF.keys()


class Spanish(Grammar):
    """The Spanish grammar."""

    language = "es"

    def clause(self, sentence: Sentence, clause: Clause) -> Word:
        time = self.adverb(sentence, clause.time) if clause.front == "time" else None
        place = self.place(sentence, clause) if clause.front == "place" else None
        subject = self.noun_phrase(sentence, clause.subject, "nsubj")
        negation = None
        if clause.negated:
            negation = sentence.add("no", "no", "ADV", "advmod", feats="Polarity=Neg")
        if clause.time == "always":  # the one adverb of time that stands before the verb
            time = self.adverb(sentence, clause.time)
        root = (
            self.verb_phrase(sentence, clause) if clause.verb else self.predicate(sentence, clause)
        )
        manner = self.adverb(sentence, clause.manner)
        if clause.front != "place" and clause.frame != "location":
            place = self.place(sentence, clause)
        if clause.front != "time" and clause.time != "always":
            time = self.adverb(sentence, clause.time)
        attach([time, place, subject, negation, manner], root)
        return root

    def verb_phrase(self, sentence: Sentence, clause: Clause) -> Word:
        lemma, form = lexicon.VERBS[clause.verb]
        verb = sentence.add(form, lemma, "VERB", "root", feats=FINITE)
        if clause.object:
            first = self.object(sentence, clause.object, "obj")
            first.head = verb
            if clause.second_object:
                joiner = sentence.add("y", "y", "CCONJ", "cc")
                second = self.object(sentence, clause.second_object, "conj")
                second.head, joiner.head = first, second
        if clause.recipient:
            self.linked(sentence, ("a",), clause.recipient, "obl:arg").head = verb
        return verb

    def object(self, sentence: Sentence, phrase: NounPhrase, deprel: str) -> Word:
        """People take the personal "a"."""
        if phrase.kind == "person" or phrase.head in PEOPLE:
            return self.linked(sentence, ("a",), phrase, deprel)
        return self.noun_phrase(sentence, phrase, deprel)

    def predicate(self, sentence: Sentence, clause: Clause) -> Word:
        resting = clause.frame == "location" or clause.adjective in lexicon.STATES
        lemma, form = ("estar", "está") if resting else ("ser", "es")
        copula = sentence.add(form, lemma, "AUX", "cop", feats=FINITE)
        if clause.frame == "property":
            very = sentence.add("muy", "muy", "ADV", "advmod") if clause.very else None
            root = self.adjective(sentence, clause.adjective, self.gender(clause.subject), "root")
            attach([very], root)
        elif clause.frame == "identity":
            assert clause.object
            root = self.noun_phrase(sentence, clause.object, "root")
        else:
            place = self.place(sentence, clause)
            assert place
            root = place
        copula.head = root
        return root

    def place(self, sentence: Sentence, clause: Clause) -> Word | None:
        if not clause.place:
            return None
        return self.linked(sentence, LINKS[clause.relation], clause.place, "obl")

    def linked(
        self, sentence: Sentence, links: tuple[str, ...], phrase: NounPhrase, deprel: str
    ) -> Word:
        """Append prepositions and a noun phrase; "a el" and "de el" contract."""
        start = len(sentence)
        for link in links:
            sentence.add(link, link, "ADP", "case")
        first, last = sentence.words[start], sentence.words[-1]
        head = self.noun_phrase(sentence, phrase, deprel)
        following = sentence.words[start + len(links)]
        if last.form in ("a", "de") and following.form == "el":
            last.form, last.lemma = ("al", "al") if last.form == "a" else ("del", "del")
            sentence.words.remove(following)
        first.head = head
        if last is not first:
            last.head, last.deprel = first, "fixed"
        return head

    def adverb(self, sentence: Sentence, adverb: str) -> Word | None:
        if not adverb:
            return None
        form = lexicon.ADVERBS[adverb]
        return sentence.add(form, form, "ADV", "advmod")

    def adjective(self, sentence: Sentence, adjective: str, gender: str, deprel: str) -> Word:
        lemma = lexicon.ADJECTIVES[adjective]
        form = lemma[:-1] + "a" if gender == "f" and lemma.endswith("o") else lemma
        return sentence.add(form, lemma, "ADJ", deprel, feats=GENDER[gender])

    def name(self, sentence: Sentence, phrase: NounPhrase) -> Word:
        if phrase.kind == "noun":
            noun = lexicon.NOUNS[phrase.head][0]
            return sentence.add(noun, noun, "NOUN", "root")
        head = self.noun_phrase(sentence, phrase, "root")
        if phrase.kind == "organisation":
            del sentence.words[0]  # the article
        return head

    def speech(self, sentence: Sentence, speaker: NounPhrase, verb: str) -> Word:
        subject = self.noun_phrase(sentence, speaker, "nsubj")
        lemma, form = lexicon.VERBS[verb]
        root = sentence.add(form, lemma, "VERB", "root", feats=FINITE)
        subject.head = root
        sentence.add("que", "que", "SCONJ", "mark")
        return root

    def gender(self, phrase: NounPhrase) -> str:
        if phrase.kind == "noun":
            return "f" if phrase.female else lexicon.NOUNS[phrase.head][1]
        if phrase.kind == "place":
            return "f" if phrase.head in lexicon.FEMALE_PLACES else "m"
        if phrase.kind == "organisation":
            return lexicon.ORGANISATION_TYPES[phrase.head.split("_")[1]][1]
        return "f" if phrase.female else "m"

    def noun_phrase(self, sentence: Sentence, phrase: NounPhrase, deprel: str) -> Word:
        if phrase.kind == "pronoun":
            feats = f"Case=Nom|{GENDER[self.gender(phrase)]}|Person=3|PronType=Prs"
            return sentence.add(
                "ella" if phrase.female else "él", "él", "PRON", deprel, feats=feats
            )
        if phrase.kind == "person":
            names = [lexicon.NAMES[name] for name in (phrase.head, phrase.surname) if name]
            return sentence.add_name(names, "PER", deprel)
        if phrase.kind == "place":
            return sentence.add_name(lexicon.PLACES[phrase.head].split(), "LOC", deprel)
        gender = self.gender(phrase)
        if phrase.kind == "organisation":
            brand, kind = phrase.head.split("_")
            article = self.article(sentence, "la" if gender == "f" else "el", gender, "Def")
            names = [lexicon.ORGANISATION_TYPES[kind][0], lexicon.BRANDS[brand]]
            head = sentence.add_name(names, "ORG", deprel)
            article.head = head
            return head
        words: list[Word | None] = []
        role_predicate = (
            deprel == "root" and CLASS_OF[phrase.head] == "role" and not phrase.adjective
        )
        if phrase.definite:
            words.append(self.article(sentence, "la" if gender == "f" else "el", gender, "Def"))
        elif phrase.head not in MASS_NOUNS and not role_predicate:
            words.append(self.article(sentence, "una" if gender == "f" else "un", gender, "Ind"))
        form = lexicon.FEMALE.get(phrase.head) if phrase.female else None
        word = lexicon.NOUNS[phrase.head][0]
        noun = sentence.add(form or word, word, "NOUN", deprel, feats=GENDER[gender])
        if phrase.adjective:
            words.append(self.adjective(sentence, phrase.adjective, gender, "amod"))
        attach(words, noun)
        if phrase.of:
            self.linked(sentence, ("de",), phrase.of, "nmod").head = noun
        return noun

    def article(self, sentence: Sentence, form: str, gender: str, definite: str) -> Word:
        lemma = "el" if definite == "Def" else "uno"
        feats = f"Definite={definite}|{GENDER[gender]}|PronType=Art"
        return sentence.add(form, lemma, "DET", "det", feats=feats)
