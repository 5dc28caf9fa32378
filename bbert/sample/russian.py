"""Russian: SVO, no articles, no copula in the present, cases in place of many prepositions.

Simplified: a negated verb keeps its object in the accusative; women keep the masculine word where
Russian has no common feminine ("врач"); the noun before an organisation's name is part of the name
and declined ("в Банке Орион").
"""

from __future__ import annotations

from bbert.sample import lexicon_russian as lexicon
from bbert.sample.clause import Clause, NounPhrase
from bbert.sample.declension_russian import adjective, female_surname, noun
from bbert.sample.grammar import FINITE, Grammar, attach
from bbert.sample.sentence import Sentence, Word
from bbert.sample.world import ANIMATE

LINKS = {"in": ("в", "loc"), "near": ("около", "gen"), "to": ("в", "acc"), "from": ("из", "gen")}
CASE = {"nom": "Nom", "acc": "Acc", "gen": "Gen", "dat": "Dat", "loc": "Loc"}
GENDER = {"m": "Masc", "f": "Fem", "n": "Neut"}


class Russian(Grammar):
    """The Russian grammar."""

    language = "ru"

    def clause(self, sentence: Sentence, clause: Clause) -> Word:
        time = self.adverb(sentence, clause.time) if clause.front == "time" else None
        place = self.place(sentence, clause) if clause.front == "place" else None
        subject = self.noun_phrase(sentence, clause.subject, "nsubj", "nom")
        if clause.verb or clause.frame == "location":
            root = self.verb_phrase(sentence, clause)
        else:
            root = self.predicate(sentence, clause)
        manner = self.adverb(sentence, clause.manner)
        if clause.front != "place":
            place = self.place(sentence, clause)
        if clause.front != "time" and clause.time != "always":
            time = self.adverb(sentence, clause.time)
        attach([time, place, subject, manner], root)
        return root

    def verb_phrase(self, sentence: Sentence, clause: Clause) -> Word:
        negation = self.negation(sentence, clause)
        always = self.adverb(sentence, clause.time if clause.time == "always" else "")
        lemma, form = lexicon.VERBS[clause.verb] if clause.verb else lexicon.LOCATED
        verb = sentence.add(form, lemma, "VERB", "root", feats=FINITE)
        attach([negation, always], verb)
        if clause.object:
            first = self.noun_phrase(sentence, clause.object, "obj", "acc")
            first.head = verb
            if clause.second_object:
                joiner = sentence.add("и", "и", "CCONJ", "cc")
                second = self.noun_phrase(sentence, clause.second_object, "conj", "acc")
                second.head, joiner.head = first, second
        if clause.recipient:
            self.noun_phrase(sentence, clause.recipient, "iobj", "dat").head = verb
        return verb

    def predicate(self, sentence: Sentence, clause: Clause) -> Word:
        words: list[Word | None] = [self.negation(sentence, clause)]
        if clause.frame == "property":
            words.append(sentence.add("очень", "очень", "ADV", "advmod") if clause.very else None)
            root = self.adjective(
                sentence, clause.adjective, self.gender(clause.subject), "nom", False, "root"
            )
        else:
            assert clause.object
            if not clause.negated:
                words.append(sentence.add("—", "—", "PUNCT", "punct"))
            root = self.noun_phrase(sentence, clause.object, "root", "nom")
        attach(words, root)
        return root

    def negation(self, sentence: Sentence, clause: Clause) -> Word | None:
        if not clause.negated:
            return None
        return sentence.add("не", "не", "PART", "advmod", feats="Polarity=Neg")

    def place(self, sentence: Sentence, clause: Clause) -> Word | None:
        if not clause.place:
            return None
        link, case = LINKS[clause.relation]
        preposition = sentence.add(link, link, "ADP", "case")
        place = self.noun_phrase(sentence, clause.place, "obl", case)
        if link == "в" and place.form.startswith("Фр"):
            preposition.form = preposition.lemma = "во"
        preposition.head = place
        return place

    def adverb(self, sentence: Sentence, adverb: str) -> Word | None:
        if not adverb:
            return None
        form = lexicon.ADVERBS[adverb]
        return sentence.add(form, form, "ADV", "advmod")

    def adjective(
        self, sentence: Sentence, concept: str, gender: str, case: str, animate: bool, deprel: str
    ) -> Word:
        lemma = lexicon.ADJECTIVES[concept]
        feats = f"Case={CASE[case]}|Degree=Pos|Gender={GENDER[gender]}|Number=Sing"
        return sentence.add(
            adjective(lemma, gender, case, animate), lemma, "ADJ", deprel, feats=feats
        )

    def name(self, sentence: Sentence, phrase: NounPhrase) -> Word:
        if phrase.kind == "noun":
            noun = lexicon.NOUNS[phrase.head][0]
            return sentence.add(noun, noun, "NOUN", "root")
        return self.noun_phrase(sentence, phrase, "root", "nom")

    def speech(self, sentence: Sentence, speaker: NounPhrase, verb: str) -> Word:
        subject = self.noun_phrase(sentence, speaker, "nsubj", "nom")
        lemma, form = lexicon.VERBS[verb]
        root = sentence.add(form, lemma, "VERB", "root", feats=FINITE)
        subject.head = root
        sentence.add(",", ",", "PUNCT", "punct")
        sentence.add("что", "что", "SCONJ", "mark")
        return root

    def gender(self, phrase: NounPhrase) -> str:
        if phrase.kind == "noun" and not phrase.female:
            return lexicon.NOUNS[phrase.head][1]
        if phrase.kind == "place":
            return lexicon.PLACES[phrase.head][1]
        return "f" if phrase.female else "m"

    def noun_phrase(self, sentence: Sentence, phrase: NounPhrase, deprel: str, case: str) -> Word:
        gender = self.gender(phrase)
        feats = f"Case={CASE[case]}|Gender={GENDER[gender]}|Number=Sing"
        if phrase.kind == "pronoun":
            feats = f"{feats}|Person=3|PronType=Prs"
            return sentence.add("она" if phrase.female else "он", "он", "PRON", deprel, feats=feats)
        if phrase.kind == "person":
            forms, lemmas = person(phrase, case)
            return sentence.add_name(forms, "PER", deprel, lemmas, feats)
        if phrase.kind == "place":
            lemmas = lexicon.PLACES[phrase.head][0].split()
            forms = [noun(lemmas[-1], gender, case, False)]
            if len(lemmas) == 2:
                first = lemmas[0][:-2] + "ый"
                forms.insert(
                    0, lemmas[0] if case == "nom" else adjective(first, gender, case, False)
                )
            return sentence.add_name(forms, "LOC", deprel, lemmas, feats)
        if phrase.kind == "organisation":
            brand, kind = phrase.head.split("_")
            lemmas = [lexicon.ORGANISATION_TYPES[kind], lexicon.BRANDS[brand]]
            return sentence.add_name(
                [noun(lemmas[0], "m", case, False), lemmas[1]], "ORG", deprel, lemmas, feats
            )
        animate = phrase.head in ANIMATE
        feats = f"Animacy={'Anim' if animate else 'Inan'}|{feats}"
        lemma = lexicon.NOUNS[phrase.head][0]
        if phrase.female:
            lemma = lexicon.FEMALE.get(phrase.head, lemma)
            gender = "f" if lemma[-1] in "ая" else lexicon.NOUNS[phrase.head][1]
        modifier = None
        if phrase.adjective:
            modifier = self.adjective(sentence, phrase.adjective, gender, case, animate, "amod")
        head = sentence.add(noun(lemma, gender, case, animate), lemma, "NOUN", deprel, feats=feats)
        attach([modifier], head)
        if phrase.of:
            self.noun_phrase(sentence, phrase.of, "nmod", "gen").head = head
        return head


def person(phrase: NounPhrase, case: str) -> tuple[list[str], list[str]]:
    """The words of a person's name in a case, and their nominatives."""
    forms, lemmas = [], []
    gender = "f" if phrase.female else "m"
    if phrase.head:
        lemmas.append((lexicon.WOMEN if phrase.female else lexicon.MEN)[phrase.head])
        forms.append(noun(lemmas[-1], gender, case, True))
    if phrase.surname:
        stem = lexicon.SURNAMES[phrase.surname]
        lemmas.append(stem + "а" if phrase.female else stem)
        forms.append(
            female_surname(lemmas[-1], case) if phrase.female else noun(stem, "m", case, True)
        )
    return forms, lemmas
