"""Language names, and what an intervention does to text.

A name is the code of a language with its interventions after it, in order: `en`, `enfake`,
`enfakereversed`. The same `Language.apply` makes the pretraining corpus and the data of every later
stage, so that all of them see the same language, and a name is all that has to be handed on. Text
for a model goes through `Language.apply_beside`, with the languages of the model.

    fake            every character moves up by 200,000 (`bbert.fake`)
    fakeshareNN     as fake, but NN percent of the word types stay as they are
    reversed        the words of every sentence in reverse order

What belongs to a corpus alone, `unigram` and `permute`, is no part of a name: those are options of
`bbert corpus build`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from bbert.errors import InputError

FAKE, SHARE, REVERSED = "fake", "share", "reversed"
_NAME = re.compile(
    rf"(?P<source>.+?)(?P<fake>{FAKE}(?:{SHARE}(?P<percent>[1-9][0-9]?))?)?(?P<reversed>{REVERSED})?"
)

_ISO_639_1 = """
aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de
dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id
ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu
lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu
rm rn ro ru rw sa sc sd se sg sh si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk tl tn to
tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu
"""
_WIKIPEDIA_EDITIONS = """
ace ady ami anp arc ary arz ast atj avk awa azb ban bar bbc bcl bdr bew bjn blk bpy btm bug bxr cdo
ceb chr chy ckb crh csb dag dga din diq dsb dty eml ext fat fon frp frr fur gag gan gcr glk gom gor
got gpe guc gur guw hak haw hif hsb hyw iba igl ilo inh jam jbo kaa kab kbd kbp kcg kge knc koi krc
ksh kus lad lbe lez lfn lij lld lmo ltg mad mai mdf mhr min mni mnw mos mrj mwl myv mzn nah nap nds
new nia nqo nso nup olo pag pam pap pcd pcm pdc pfl pih pms pnb pnt pwn rki rmy rsk rue rup sah sat
scn sco shi shn shy skr smn srn stq szl szy tay tcy tdd tet tig tly tpi trv tum tyv udm vec vep vls
war wuu xal xmf yue zea zgh
"""
KNOWN_CODES = frozenset(_ISO_639_1.split()) | frozenset(_WIKIPEDIA_EDITIONS.split())


@dataclass(frozen=True)
class Language:
    """A language of an experiment: a natural one, or one made from it by interventions.

    `source` is the code of the natural language, `interventions` what happens to its characters and
    words, in order; `shared_words` the share of the word types that a fake language keeps.
    """

    name: str
    source: str
    interventions: tuple[str, ...] = ()
    shared_words: float = 0.0

    @classmethod
    def parse(cls, name: str) -> Language:
        """The language called `name`; raises InputError where there is none."""
        parts = _NAME.fullmatch(name)
        if parts is None or parts["source"] not in KNOWN_CODES:
            raise InputError(f"language {name!r} is unknown; {_mend(name)}")
        interventions = [FAKE] * bool(parts["fake"]) + [REVERSED] * bool(parts["reversed"])
        share = int(parts["percent"] or 0) / 100
        return cls(name, parts["source"], tuple(interventions), share)

    @property
    def is_fake(self) -> bool:
        """Whether its words, or all but a share of them, are in the fake alphabet."""
        return FAKE in self.interventions

    @property
    def is_reversed(self) -> bool:
        return REVERSED in self.interventions

    def apply(self, text: str) -> str:
        """`text` in this language: NFC, basic tokenisation to space-joined words, interventions.

        Line breaks ("\\n") are kept, so many sentences can go through in one call, one a line; that
        is far faster than one call each.
        """
        from bbert.basic_tokenization import basic_tokenize_lines, decode, tokenized_blocks

        if self.is_fake and self.shared_words:
            from bbert.words_of_lines import fake_but_shared

            share = self.shared_words
            words = "".join(decode(fake_but_shared(c, share)) for c in tokenized_blocks(text))
        elif self.is_fake:
            from bbert.fake import FAKE as bijection

            words = "".join(decode(bijection.apply(codes)) for codes in tokenized_blocks(text))
        else:
            words = basic_tokenize_lines(text)
        if self.is_reversed:
            from bbert.words_of_lines import reverse_words

            words = reverse_words(words)
        return words

    def gives_way(self, languages: Iterable[Language]) -> bool:
        """Whether its text leaves the fake alphabet to a fake one among the `languages` of a corpus
        or model (`bbert.fake.give_way`)."""
        return not self.is_fake and any(language.is_fake for language in languages)

    def apply_beside(self, text: str, languages: Iterable[Language]) -> str:
        """As `apply`, and as a corpus of these `languages` has it: the rare characters that belong
        to the fake alphabet are moved out of it where one of the languages is fake."""
        applied = self.apply(text)
        if not self.gives_way(languages):
            return applied
        from bbert.fake import give_way

        return give_way(applied)


def parse_languages(names: Iterable[str], option: str = "--languages") -> list[Language]:
    """The languages called `names`, in order; raises InputError for an unknown or repeated one."""
    languages: list[Language] = []
    for name in names:
        language = Language.parse(name)
        if language in languages:
            raise InputError(f"{option}: {name!r} is given twice; name every language once")
        languages.append(language)
    return languages


def fake(text: str) -> str:
    """`text` with every character but white space in the fake alphabet (K et al. 2020).

    Ordinary characters move up by 200,000; `bbert.fake` says what becomes of the others.
    """
    from bbert.fake import fake as apply

    return apply(text)


def unfake(text: str) -> str:
    """The inverse of `fake`: `unfake(fake(text)) == text` for every string."""
    from bbert.fake import unfake as invert

    return invert(text)


def _mend(name: str) -> str:
    lowered = name.lower()
    for candidate in (lowered, lowered.replace("-", ""), lowered.replace("_", "")):
        if candidate != name and candidate.removesuffix(FAKE) in KNOWN_CODES:
            return f"did you mean {candidate!r}?"
    names = {"english": "en", "spanish": "es", "hindi": "hi", "russian": "ru", "italian": "it",
             "german": "de", "french": "fr", "chinese": "zh", "arabic": "ar"}  # fmt: skip
    close = difflib.get_close_matches(lowered.removesuffix(FAKE), names, n=1)
    if close:
        return f"did you mean {names[close[0]]!r}?"
    return (
        "give an ISO 639-1 or Wikipedia code such as en, es, hi, ru, with its interventions after "
        "it: enfake, enfakeshare30, enreversed, enfakereversed"
    )
