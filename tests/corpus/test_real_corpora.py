"""Corpora of real text in every variant keep what their certificates promise."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from bbert.cli import main
from bbert.corpus.compressed import read_chunks

TEXT_BYTES = 110_000
PARAGRAPHS = 3  # a document

VARIANTS = {
    "fake, mirror vocabulary, permuted as released": [
        "enfake", "en", "--vocab", "mirror", "--permute", "enfake=0.5", "--permute", "en=0.25",
    ],
    "fake, joint vocabulary, positions permuted": [
        "enfake", "es", "--permute", "enfake=0.25", "--permute", "es=1", "--permute-variant",
        "positions",
    ],
    "permuted as in the paper, unigram cut": [
        "enfake", "ru", "--permute", "enfake=0.25", "--permute-variant", "paper", "--segmentation",
        "unigram",
    ],
    "unigram": ["enfake", "es", "--unigram", "es", "--unigram", "enfake"],
    "unigram, then permuted": ["en", "es", "--unigram", "es", "--permute", "es=0.5"],
    "reversed": ["enreversed", "esfakereversed"],
    "a share of the words, joint vocabulary": ["enfakeshare30", "en"],
    "a share of the words, mirror vocabulary": [
        "enfakeshare60", "en", "--vocab", "mirror", "--shared-text", "same",
    ],
    "characters": ["enfake", "en", "hi", "--tokenization", "char", "--vocab", "mirror"],
    "words": ["enfake", "es", "--tokenization", "word", "--vocab-size", "3000"],
    "four languages, smoothed": ["enfake", "es", "ru", "hi", "--smoothing", "0.3"],
}  # fmt: skip
OPTION = "--"


@pytest.fixture(scope="module")
def texts(real_data: Path, tmp_path_factory) -> dict[str, Path]:
    """The first paragraphs of Wikipedia in four languages, three of them a document."""
    folder = tmp_path_factory.mktemp("texts")
    files = {}
    for language, times in (("en", 2), ("es", 1), ("ru", 1), ("hi", 1)):
        size = times * TEXT_BYTES
        source = real_data / "text" / f"wikipedia-paragraphs.{language}.txt.xz"
        raw = b"".join(itertools.islice(read_chunks(source), 1 + size // 50_000))
        lines = raw[:size].decode("utf-8", "ignore").split("\n")[:-1]
        lines = [line for line in lines if line.strip()]
        documents = (lines[i : i + PARAGRAPHS] for i in range(0, len(lines), PARAGRAPHS))
        files[language] = folder / f"{language}.txt"
        files[language].write_text("\n\n".join("\n".join(d) for d in documents), encoding="utf-8")
    return files


@pytest.mark.realdata
@pytest.mark.parametrize("variant", VARIANTS)
def test_real_text_keeps_its_promises(texts: dict[str, Path], tmp_path: Path, variant: str):
    given = VARIANTS[variant]
    languages = list(itertools.takewhile(lambda word: not word.startswith(OPTION), given))
    options = given[len(languages) :]
    if "--tokenization" not in options:
        options = [*options, "--vocab-size", "2500"]
    for source in sorted({language[:2] for language in languages}):
        options += ["--text", f"{source}={texts[source]}"]
    code = main(
        ["corpus", "build", "--work", str(tmp_path), "--quiet", "--name", "x", "--processes", "1",
         "--languages", *languages, *options]
    )  # fmt: skip
    assert code == 0
    certificate = json.loads((tmp_path / "corpora" / "x" / "certificate.json").read_text())
    assert len(certificate["promises"]) >= 2 * len(languages)
    for entry in certificate["languages"].values():
        assert entry["sentences"] > 200
        for measured in entry["interventions"]:
            assert measured.get("within_sampling_error", True)
    mix = certificate["mix"]["languages"]
    for shares in mix.values():
        assert shares["realised"] == pytest.approx(shares["expected"], abs=1e-5)
    assert sum(shares["rows"] for shares in mix.values()) == pytest.approx(1)
