"""An article as wiki markup: information box, bold type, links, headings, table, references.

None of the markup adds a word to the sentences or takes one away, once an extractor has removed it.
"""

from __future__ import annotations

from random import Random

from bbert.sample.articles import Article
from bbert.sample.grammar import Grammar
from bbert.sample.mediawiki_words import CATEGORIES, HEADINGS, LABELS, NAMESPACES
from bbert.sample.sentence import CLOSING, Sentence, Word


class WikitextWriter:
    """Writes the articles of one language; `counts` adds up what it wrote."""

    def __init__(self, grammar: Grammar, random: Random) -> None:
        self.grammar = grammar
        self.random = random
        self.headings = HEADINGS[grammar.language]
        self.labels = LABELS[grammar.language]
        self.categories = CATEGORIES[grammar.language]
        self.category_prefix = NAMESPACES[grammar.language][14]
        self.counts = {"articles": 0, "sentences": 0, "words": 0}

    def name(self, article: Article) -> str:
        """What the article is about, as the first word of a title is written."""
        sentence = Sentence()
        head = self.grammar.name(sentence, article.topic)
        head.form = head.form[:1].upper() + head.form[1:]
        return sentence.text()

    def article(self, article: Article) -> str:
        """The whole text of an article."""
        name, year = self.name(article), f"| {self.labels['year']} = {article.year}"
        lines = ["{{" + self.labels["box"], f"| {self.labels['name']} = {name}", year, "}}"]
        if self.random.random() < 0.1:
            lines.append(f"<!-- {name} -->")
        for number, (heading, clauses) in enumerate(article.sections):
            if heading:
                lines += ["", f"== {self.headings[heading]} =="]
            sentences = [self.grammar.tell(clause) for clause in clauses]
            texts = [self.sentence(s, bold=number + n == 0) for n, s in enumerate(sentences)]
            lines.append(" ".join(texts))
            self.counts["sentences"] += len(texts)
            if number == 1 and self.random.random() < 0.15:
                cells = ["|-", f"| {article.year}", "|}"]
                lines += ['{| class="wikitable"', f"! {self.labels['year']}", *cells]
        category = self.categories[article.topic.kind]
        lines += ["", f"== {self.headings['references']} ==", "<references />"]
        lines += ["{{" + self.labels["stub"] + "}}", f"[[{self.category_prefix}:{category}]]"]
        self.counts["articles"] += 1
        return "\n".join(lines)

    def sentence(self, sentence: Sentence, bold: bool) -> str:
        """A sentence, some with links on the names, a reference or a no-break space.

        `bold`: a name at its very beginning is set in bold type.
        """
        self.counts["words"] += len(sentence)
        words = sentence.words
        roll = self.random.random()
        pieces: list[str] = []
        position = 0
        while position < len(words):
            span = name_span(words, position)
            name = words[position : position + max(span, 1)]
            text = " ".join(word.form for word in name)
            if span and bold and position == 0:
                text = f"'''{text}'''"
            elif span and roll < 0.3:
                page = " ".join(word.lemma for word in name)
                text = f"[[{text}]]" if page == text else f"[[{page}|{text}]]"
            pieces += [text] if not pieces or text in CLOSING else [" ", text]
            position += len(name)
        if roll > 0.97:
            pieces.append(f"<ref>{self.grammar.language} {self.counts['sentences']}</ref>")
        elif roll > 0.95 and " " in pieces:
            pieces[pieces.index(" ")] = "&nbsp;"
        return "".join(pieces)


def name_span(words: list[Word], position: int) -> int:
    """The number of words of the name that begins at `position`, 0 if none does."""
    if not words[position].entity.startswith("B-"):
        return 0
    end = position + 1
    while end < len(words) and words[end].entity.startswith("I-"):
        end += 1
    return end - position
