"""The languages of the sample: one line each."""

from __future__ import annotations

from bbert.sample.english import English
from bbert.sample.grammar import Grammar
from bbert.sample.hindi import Hindi
from bbert.sample.russian import Russian
from bbert.sample.spanish import Spanish

GRAMMARS: dict[str, Grammar] = {
    grammar.language: grammar for grammar in (English(), Spanish(), Hindi(), Russian())
}
