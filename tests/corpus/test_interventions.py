"""Interventions through `bbert corpus build`: certificates, planted faults, refusals."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import zstandard
from dump_files import plain_text

from bbert import words_of_lines
from bbert.cli import main
from bbert.corpus import build as build_module
from bbert.corpus import encode as encode_module
from bbert.corpus import language_text, unigram
from bbert.corpus.given_documents import GivenDocuments
from bbert.corpus.token_store import TokenStore, TokenStoreWriter
from bbert.languages import Language, fake, unfake
from bbert.words_of_lines import is_shared


@pytest.fixture(scope="module")
def english(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("text") / "en.txt"
    path.write_text(plain_text(150))
    return path


def build(work: Path, english: Path, *options: str, name: str, languages=("enfake", "en")) -> int:
    return main(
        ["corpus", "build", "--work", str(work), "--quiet", "--text", f"en={english}", "--name",
         name, "--vocab-size", "400", "--shared-text", "same", "--languages", *languages, *options]
    )  # fmt: skip


def read_text(corpus: Path, language: str) -> str:
    with zstandard.open(corpus / "text" / f"{language}.txt.zst", "rt", encoding="utf-8") as stream:
        return stream.read()


def entries(corpus: Path, language: str) -> dict[str, dict]:
    certificate = json.loads((corpus / "certificate.json").read_text())
    return {e["name"]: e for e in certificate["languages"][language]["interventions"]}


@pytest.fixture(scope="module")
def plain(tmp_path_factory, english: Path) -> Path:
    work = tmp_path_factory.mktemp("plain")
    assert build(work, english, name="plain") == 0
    return work / "corpora" / "plain"


@pytest.mark.parametrize("variant", ["released", "positions", "paper"])
def test_permuted_stores_hold_the_same_sentences_in_another_order(
    tmp_path: Path, english: Path, plain: Path, variant
):
    options = ["--permute", "enfake=0.5", "--permute-variant", variant]
    assert build(tmp_path, english, *options, name="permuted") == 0
    corpus = tmp_path / "corpora" / "permuted"
    assert read_text(corpus, "enfake") == read_text(plain, "enfake")
    before, after = TokenStore.open(plain, "enfake"), TokenStore.open(corpus, "enfake")
    assert before.word_ids is None
    assert after.word_ids is not None
    assert after.word_starts.sum() == before.word_starts.sum()
    changed = 0
    for number in range(len(before)):
        start, end = (int(n) for n in after.sentence_offsets[number : number + 2])
        assert sorted(before[number].tolist()) == sorted(after[number].tolist())
        changed += before[number].tolist() != after[number].tolist()
        # Put each word together again by its number: they are the words of the sentence.
        words = after.word_ids[start:end]
        first = before.word_starts[: int(before.sentence_offsets[number])].sum()
        expected = np.cumsum(before.word_starts[start:end]) - 1 + first
        assert sorted(words.tolist()) == expected.tolist()
        pieces = {w: sorted(after.ids[start:end][words == w].tolist()) for w in set(words.tolist())}
        assert pieces == {
            w: sorted(before.ids[start:end][expected == w].tolist()) for w in set(words.tolist())
        }
    assert changed > 0.5 * len(before)
    entry = entries(corpus, "enfake")["permute"]
    assert (entry["p"], entry["variant"]) == (0.5, variant)
    assert entry["within_sampling_error"]
    assert entry["kendall_tau"] < 0.6
    assert "permute" not in entries(corpus, "en")
    assert TokenStore.open(corpus, "en").ids.tolist() == TokenStore.open(plain, "en").ids.tolist()


def test_unigram_keeps_lengths_and_words(tmp_path: Path, english: Path, plain: Path):
    assert build(tmp_path, english, "--unigram", "en", name="unigram") == 0
    corpus = tmp_path / "corpora" / "unigram"
    drawn, natural = read_text(corpus, "en"), read_text(plain, "en")
    assert [len(line.split()) for line in drawn.split("\n")] == [
        len(line.split()) for line in natural.split("\n")
    ]
    assert set(drawn.split()) <= set(natural.split())
    common = Counter(natural.split()).most_common(3)
    for word, number in common:
        assert drawn.split().count(word) == pytest.approx(number, abs=6 * number**0.5)
    entry = entries(corpus, "en")["unigram"]
    assert entry["lengths_preserved"]
    assert entry["kl_divergence"] > 0
    assert read_text(corpus, "enfake") == read_text(plain, "enfake")
    certificate = json.loads((corpus / "certificate.json").read_text())
    assert certificate["languages"]["en"]["characters"] == len(set(drawn) - {" ", "\n"})


@pytest.mark.parametrize("vocab", ["joint", "mirror"])
def test_partial_overlap(tmp_path: Path, english: Path, plain: Path, vocab: str):
    languages = ("enfakeshare40", "en")
    options = ["--vocab", vocab]
    assert build(tmp_path, english, *options, name="partly", languages=languages) == 0
    corpus = tmp_path / "corpora" / "partly"
    natural, partly = read_text(plain, "en"), read_text(corpus, "enfakeshare40")
    assert unfake(partly) == natural
    types = set(natural.split())
    assert set(partly.split()) & types == {word for word in types if is_shared(word, 0.4)}
    entry = entries(corpus, "enfakeshare40")["fake"]
    assert entry["share"] == 0.4
    assert entry["shared_word_types"] == len(set(partly.split()) & types) / len(types)
    unknown = json.loads((corpus / "certificate.json").read_text())["languages"]
    assert all(language["unk_rate"] <= 0.001 for language in unknown.values())


def test_reversed_word_order(tmp_path: Path, english: Path, plain: Path):
    assert build(tmp_path, english, name="turned", languages=("enfakereversed", "en")) == 0
    turned = read_text(tmp_path / "corpora" / "turned", "enfakereversed")
    natural = read_text(plain, "enfake")
    assert [line.split()[::-1] for line in turned.split("\n")] == [
        line.split() for line in natural.split("\n")
    ]


def test_the_manifest_lists_interventions_in_their_order(tmp_path: Path, english: Path):
    options = ["--unigram", "enfake", "--permute", "enfake=1", "--permute", "enreversed=0.25"]
    code = build(tmp_path, english, *options, name="all", languages=("enfake", "enreversed"))
    assert code == 0
    manifest = json.loads((tmp_path / "corpora" / "all" / "manifest.json").read_text())
    assert manifest["interventions"] == {
        "enfake": ["fake", "unigram", "permute"], "enreversed": ["reversed", "permute"],
    }  # fmt: skip
    names = list(entries(tmp_path / "corpora" / "all", "enfake"))
    assert names == ["fake", "unigram", "permute"]


FAULTS = [
    "wrong order", "lost piece", "unigram", "lengths", "share", "word order", "lost word", "dealt",
    "dropped document", "swapped ids", "another distribution",
]  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_planted_faults_fail_the_build_and_name_the_promise(
    tmp_path: Path, english: Path, monkeypatch, capsys, name: str
):
    languages = ("enfake", "en")
    if name == "wrong order":  # half of what was asked for
        order = encode_module.Permutation.order
        monkeypatch.setattr(
            encode_module.Permutation, "order",
            lambda self, first, lengths: order(
                encode_module.Permutation(self.p / 2, self.variant, self.seed, self.language),
                first, lengths,
            ),
        )  # fmt: skip
        options, said = ["--permute", "en=1"], "en: permute did what it says"
    elif name == "lost piece":
        monkeypatch.setattr(
            encode_module.Permutation, "order",
            lambda self, first, lengths: np.maximum(np.arange(int(lengths.sum())) - 1, 0),
        )  # fmt: skip
        options, said = ["--permute", "en=0.5"], "en: permute keeps the word-pieces"
    elif name == "unigram":
        draw = build_module.draw_unigram

        def as_it_was(source: Path, target: Path, *given):
            words = draw(source, target, *given)
            target.write_bytes(source.read_bytes())
            return words

        monkeypatch.setattr(build_module, "draw_unigram", as_it_was)
        options, said = ["--unigram", "en"], "en: unigram did what it says"
    elif name == "another distribution":  # one word a little more often than in the source
        draw = build_module.draw_unigram

        def skewed(source: Path, target: Path, *given):
            words = draw(source, target, *given)
            with zstandard.open(target, "rb") as stream:
                text = stream.read().replace(b" was ", b" that ")
            target.write_bytes(zstandard.compress(text))
            return words

        monkeypatch.setattr(build_module, "draw_unigram", skewed)
        options, said = ["--unigram", "en"], "en: unigram did what it says"
    elif name == "swapped ids":  # two entries of the vocabulary trade places in the store
        append = TokenStoreWriter.append

        def swapped(self, ids_P, *given):
            one, other = np.argsort(-np.bincount(ids_P))[10:12]
            table = np.arange(1 << 16)
            table[[one, other]] = other, one
            append(self, table[ids_P], *given)

        monkeypatch.setattr(TokenStoreWriter, "append", swapped)
        options, said = [], "enfake: the token store says what the text says in"
    elif name == "lengths":  # a sentence has as many words as the one before it
        shapes = unigram._sentences

        def moved(file):
            for some in shapes(file):
                yield some._replace(lengths_S=np.roll(some.lengths_S, 1))

        monkeypatch.setattr(unigram, "_sentences", moved)
        options, said = ["--unigram", "en"], "en: unigram keeps the words of every sentence"
    elif name == "word order":  # longer sentences stay as they are
        turned = words_of_lines.reverse_words
        monkeypatch.setattr(
            words_of_lines, "reverse_words",
            lambda text: "\n".join(
                turned(line) if line.count(" ") < 7 else line for line in text.split("\n")
            ),
        )  # fmt: skip
        languages, options = ("enfake", "enreversed"), []
        said = "enreversed: reversed turns the words around (Kendall tau"
    elif name == "lost word":  # another word stands in its place
        applied = Language.apply
        monkeypatch.setattr(
            Language, "apply",
            lambda self, text: applied(self, text).replace(fake("river"), fake("house")),
        )  # fmt: skip
        options, said = [], "enfake: fake can be undone in"
    elif name == "dealt":  # both languages get the same documents
        monkeypatch.setattr(
            GivenDocuments, "_is_dealt", lambda self, language: lambda number: number % 3 > 0
        )
        options, said = ["--shared-text", "disjoint"], "enfake-en share 100 documents (0 promised)"
    elif name == "dropped document":
        kept = language_text.kept_pieces

        def dropping(*given):
            for number, piece in enumerate(kept(*given)):
                if number != 5:
                    yield piece

        monkeypatch.setattr(language_text, "kept_pieces", dropping)
        options = ["--shared-text", "disjoint"]
        said = "1 documents before the text lost on the way"
    else:
        shared = words_of_lines.shared_types
        monkeypatch.setattr(
            words_of_lines, "shared_types", lambda *given: shared(*given[:3], given[3] / 4)
        )
        languages, options, said = ("enfakeshare40", "en"), [], "of the word types shared, 40%"
    assert build(tmp_path, english, *options, name="x", languages=languages) == 1
    error = capsys.readouterr().err
    assert "broken promise" in error
    assert said in error
    assert not (tmp_path / "corpora" / "x").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--permute", "enfake=1.5"], "'1.5' is no number from 0 to 1"),
        (["--permute", "enfake=nan"], "'nan' is no number from 0 to 1"),
        (["--permute", "enfake=half"], "'half' is no number"),
        (["--permute", "enfake"], "write --permute enfake=0.25"),
        (["--permute", "es=0.5"], "--permute es: not a language of this corpus (enfake en)"),
        (["--permute", "en=0.5", "--permute", "en=1"], "given twice for en"),
        (["--permute-variant", "paper"], "nothing is permuted"),
        (["--permute", "en=1", "--permute-variant", "shuffle"], "shuffle"),
        (["--unigram", "es"], "--unigram es: not a language of this corpus"),
        (["--unigram", "en", "--unigram", "en"], "given twice for en"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, english: Path, capsys, options, said):
    assert build(tmp_path, english, *options, name="x") == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) <= 2
    assert not (tmp_path / "corpora").exists()


def test_random_words_have_no_order_to_reverse(tmp_path: Path, english: Path, capsys):
    options = ["--unigram", "enreversed"]
    assert build(tmp_path, english, *options, name="x", languages=("enreversed", "en")) == 2
    assert "no order to be reversed" in capsys.readouterr().err
