"""Case forms of the sample's Russian words: nominative, accusative, genitive, dative, locative."""

from __future__ import annotations

CASES = ("nom", "acc", "gen", "dat", "loc")
INDECLINABLE = frozenset({"кофе", "пальто", "Дели"})
STEMS = {  # stems that are not the nominative without its ending
    "певец": "певц", "отец": "отц", "лев": "льв", "церковь": "церкв", "Пётр": "Петр",
    "Павел": "Павл", "Египет": "Египт", "учитель": "учител", "писатель": "писател", "чай": "ча",
    "Музей": "Музе", "дверь": "двер", "лошадь": "лошад", "мышь": "мыш",
}  # fmt: skip
IRREGULAR = {  # acc, gen, dat, loc
    "мать": ("мать", "матери", "матери", "матери"),
    "животное": ("животное", "животного", "животному", "животном"),
    "сад": ("сад", "сада", "саду", "саду"),
}
HUSHING = "гкхжшчщ"  # after these -и stands for -ы


def noun(nominative: str, gender: str, case: str, animate: bool) -> str:
    """One case form of a singular noun or name; `gender` is "m", "f" or "n"."""
    if case == "nom" or nominative in INDECLINABLE:
        return nominative
    if nominative in IRREGULAR:
        return IRREGULAR[nominative][CASES.index(case) - 1]
    last = nominative[-1]
    if last in "ая":
        return _first_declension(nominative, case)
    if gender == "f":
        if case == "acc":
            return nominative
        return STEMS[nominative] + "и"
    if gender == "n":
        return (
            nominative
            if case == "acc"
            else nominative[:-1] + {"gen": "а", "dat": "у", "loc": "е"}[case]
        )
    if case == "acc":
        case = "gen" if animate else "nom"
    if case == "nom":
        return nominative
    soft = last in "ьй"
    stem = STEMS.get(nominative, nominative)
    return stem + {"gen": "я" if soft else "а", "dat": "ю" if soft else "у", "loc": "е"}[case]


def _first_declension(nominative: str, case: str) -> str:
    stem = nominative[:-1]
    if nominative.endswith("я"):
        oblique = "и" if stem.endswith("и") else "е"
        return stem + {"acc": "ю", "gen": "и", "dat": oblique, "loc": oblique}[case]
    genitive = "и" if stem[-1] in HUSHING else "ы"
    return stem + {"acc": "у", "gen": genitive, "dat": "е", "loc": "е"}[case]


def female_surname(nominative: str, case: str) -> str:
    """Case forms of a woman's surname in -ова: Иванова, Иванову, Ивановой."""
    return nominative[:-1] + {"nom": "а", "acc": "у", "gen": "ой", "dat": "ой", "loc": "ой"}[case]


def adjective(nominative: str, gender: str, case: str, animate: bool) -> str:
    """One form of an adjective given in the masculine nominative."""
    stem = nominative[:-2]
    soft = stem[-1] in "шчщж" and nominative not in ("большой", "чужой")
    if gender == "f":
        return stem + {"nom": "ая", "acc": "ую"}.get(case, "ей" if soft else "ой")
    if case == "acc":
        case = "gen" if gender == "m" and animate else "nom"
    if case == "nom":
        return nominative if gender == "m" else stem + ("ее" if soft else "ое")
    vowel = "е" if soft else "о"
    return stem + vowel + {"gen": "го", "dat": "му", "loc": "м"}[case]
