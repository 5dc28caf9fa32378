"""Each language tells a clause with its own words, order and agreement."""

from __future__ import annotations

import unicodedata
from random import Random

import pytest

from bbert.basic_tokenization import basic_tokenize
from bbert.sample import world
from bbert.sample.articles import Reporter
from bbert.sample.clause import Clause, NounPhrase
from bbert.sample.languages import GRAMMARS
from bbert.sample.sentence import Sentence

ANNA = NounPhrase("person", "anna", surname="smith", female=True)
BREAD = NounPhrase("noun", "bread", "white")
CITY = NounPhrase("place", "moscow")
EATS = Clause("transitive", ANNA, "eat", object=BREAD, relation="in", place=CITY)


@pytest.fixture(scope="module")
def clauses() -> list[Clause]:
    """Clauses of all kinds."""
    return [
        clause
        for article in Reporter(Random(1), "dump").articles(3000)
        for _, section in article.sections
        for clause in section
    ]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Anna Smith eats the white bread in Moscow."),
        ("es", "Ana García come el pan blanco en Moscú."),
        ("hi", "मीरा शर्मा मॉस्को में सफ़ेद रोटी खाती है।"),
        ("ru", "Анна Иванова ест белый хлеб в Москве."),
    ],
)
def test_transitive_clause(language: str, text: str) -> None:
    assert GRAMMARS[language].tell(EATS).text() == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "She does not always give an old apple to the boy."),
        ("es", "Ella no siempre da una manzana vieja al niño."),
        ("hi", "वह हमेशा लड़के को एक पुराना सेब नहीं देती है।"),
        ("ru", "Она не всегда даёт старое яблоко мальчику."),
    ],
)
def test_transfer_under_negation(language: str, text: str) -> None:
    clause = Clause(
        "transfer",
        NounPhrase("pronoun", "she", female=True),
        "give",
        object=NounPhrase("noun", "apple", "old", definite=False),
        recipient=NounPhrase("noun", "boy"),
        time="always",
        negated=True,
    )
    assert GRAMMARS[language].tell(clause).text() == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "John says that Cairo is not the capital of France."),
        ("es", "Juan dice que Cairo no es la capital de Francia."),
        ("hi", "राम कहता है कि काहिरा फ़्रांस की राजधानी नहीं है।"),
        ("ru", "Иван говорит, что Каир не столица Франции."),
    ],
)
def test_speech_and_genitive(language: str, text: str) -> None:
    clause = Clause(
        "identity",
        NounPhrase("place", "cairo"),
        object=NounPhrase("noun", "capital", of=NounPhrase("place", "france")),
        negated=True,
        speaker=NounPhrase("person", "john"),
        speech_verb="say",
    )
    assert GRAMMARS[language].tell(clause).text() == unicodedata.normalize("NFC", text)


def order(sentence: Sentence) -> str:
    """The order of subject, verb and object: "SVO"."""
    letters = {"nsubj": "S", "obj": "O"}
    marks = [
        letters.get(word.deprel) or ("V" if word.deprel == "root" else "") for word in sentence
    ]
    return "".join(marks)


@pytest.mark.parametrize(
    ("language", "expected"), [("en", "SVO"), ("es", "SVO"), ("ru", "SVO"), ("hi", "SOV")]
)
def test_order_of_subject_verb_and_object(language: str, expected: str, clauses: list) -> None:
    told = [c for c in clauses if c.frame == "transitive" and not c.speaker and not c.second_object]
    assert len(told) > 300
    assert {order(GRAMMARS[language].tell(c)) for c in told} == {expected}


@pytest.mark.parametrize(
    ("language", "before"), [("en", True), ("ru", True), ("hi", True), ("es", False)]
)
def test_order_of_adjective_and_noun(language: str, before: bool, clauses: list) -> None:
    found = set()
    for clause in clauses:
        words = GRAMMARS[language].tell(clause).words
        for number, word in enumerate(words):
            if word.deprel == "amod" and word.head is not None:
                found.add(number < words.index(word.head))
    assert found == {before}


def test_adpositions(clauses: list) -> None:
    """Hindi has postpositions, the others prepositions; Russian has no articles, Hindi only ek."""
    for language, grammar in GRAMMARS.items():
        for clause in clauses[:1500]:
            words = grammar.tell(clause).words
            for number, word in enumerate(words):
                if word.deprel == "case" and word.head is not None:
                    assert (number > words.index(word.head)) == (language == "hi")
                if word.upos == "DET":
                    assert language in ("en", "es") or word.form in ("एक",)


def test_trees_and_tags_are_legal(clauses: list) -> None:
    entities = {"O", *(f"{b}-{t}" for b in "BI" for t in ("PER", "LOC", "ORG"))}
    for grammar in GRAMMARS.values():
        for clause in clauses:
            sentence = grammar.tell(clause)
            heads = sentence.heads()
            assert heads.count(0) == 1
            for start in range(1, len(heads) + 1):
                node, steps = start, 0
                while node:
                    node, steps = heads[node - 1], steps + 1
                    assert steps <= len(heads), "a cycle"
            before = "O"
            for word, head in zip(sentence, heads, strict=True):
                assert (word.deprel == "root") == (head == 0)
                assert word.entity in entities
                if word.entity.startswith("I-"):
                    assert before[2:] == word.entity[2:]
                before = word.entity


def test_words_are_those_of_basic_tokenization(clauses: list) -> None:
    for grammar in GRAMMARS.values():
        for clause in clauses:
            sentence = grammar.tell(clause)
            assert basic_tokenize(sentence.text()) == sentence.tokens()


def test_same_sentence_means_same_key(clauses: list) -> None:
    """What makes the parts disjoint: a sentence of any language has one key."""
    for grammar in GRAMMARS.values():
        keys: dict[str, str] = {}
        for clause in clauses:
            text = " ".join(sorted(grammar.tell(clause).text().lower().rstrip(".।").split()))
            in_order = grammar.tell(clause._replace(front="")).text()
            assert keys.setdefault(in_order + text, clause.key()) == clause.key()


def test_every_language_has_every_word() -> None:
    for grammar in GRAMMARS.values():
        for noun in world.NOUNS:
            for adjective in world.ADJECTIVES:
                phrase = NounPhrase("noun", noun, adjective, definite=False)
                grammar.tell(Clause("identity", CITY, object=phrase))
        for verb in world.VERBS:
            grammar.tell(Clause("transitive", ANNA, verb, object=ANNA))
        for name in (*world.PLACES, *world.ORGANISATIONS):
            kind = "organisation" if name in world.ORGANISATIONS else "place"
            grammar.tell(Clause("location", ANNA, relation="in", place=NounPhrase(kind, name)))


def test_concepts_have_words_of_their_own() -> None:
    """No two nouns, verbs, adjectives or names of a language fall together."""
    for grammar in GRAMMARS.values():
        families = (
            [Clause("identity", CITY, object=NounPhrase("noun", n)) for n in world.NOUNS],
            [Clause("intransitive", CITY, verb) for verb in world.VERBS],
            [Clause("property", CITY, adjective=adjective) for adjective in world.ADJECTIVES],
        )
        for family in families:
            assert len({grammar.tell(clause).text() for clause in family}) == len(family)


@pytest.mark.parametrize(
    ("concept", "forms"),
    [
        ("father", "отец отца отца отцу отце"),
        ("mother", "мать мать матери матери матери"),
        ("bird", "птица птицу птицы птице птице"),
        ("book", "книга книгу книги книге книге"),
        ("horse", "лошадь лошадь лошади лошади лошади"),
        ("teacher", "учитель учителя учителя учителю учителе"),
        ("church", "церковь церковь церкви церкви церкви"),
        ("company", "компания компанию компании компании компании"),
        ("window", "окно окно окна окну окне"),
        ("coat", "пальто пальто пальто пальто пальто"),
        ("man", "мужчина мужчину мужчины мужчине мужчине"),
        ("lion", "лев льва льва льву льве"),
        ("house", "дом дом дома дому доме"),
    ],
)
def test_russian_declension(concept: str, forms: str) -> None:
    from bbert.sample.declension_russian import CASES, noun
    from bbert.sample.lexicon_russian import NOUNS

    word, gender = NOUNS[concept]
    animate = concept in world.ANIMATE
    assert [noun(word, gender, case, animate) for case in CASES] == forms.split()


def test_russian_adjectives() -> None:
    from bbert.sample.declension_russian import adjective

    assert adjective("хороший", "n", "nom", False) == "хорошее"
    assert adjective("хороший", "m", "dat", True) == "хорошему"
    assert adjective("большой", "m", "gen", False) == "большого"
    assert adjective("большой", "f", "loc", False) == "большой"
    assert adjective("горячий", "m", "acc", False) == "горячий"
    assert adjective("маленький", "m", "acc", True) == "маленького"
    assert adjective("дорогой", "f", "acc", False) == "дорогую"


def test_contractions_and_indeclinable_links() -> None:
    hospital = NounPhrase("noun", "hospital")
    france = NounPhrase("place", "france")
    goes = Clause("motion", ANNA, "go", relation="to", place=hospital)
    assert "al hospital" in GRAMMARS["es"].tell(goes).text()
    near = goes._replace(relation="near")
    assert "cerca del hospital" in GRAMMARS["es"].tell(near).text()
    assert "во Франции" in GRAMMARS["ru"].tell(goes._replace(relation="in", place=france)).text()
    garden = goes._replace(relation="in", place=NounPhrase("noun", "garden"))
    assert "в саду" in GRAMMARS["ru"].tell(garden).text()
