"""`bbert probe overlap`: word-pieces that entities of finished runs, or any two texts, share."""

from __future__ import annotations

from itertools import product

import pytest
from finished_runs import results, write_transfer

from bbert.errors import InputError
from bbert.probe.run import run
from bbert.probe.runs_config import OverlapConfig


def test_the_entities_of_real_runs(tiny_run, work, tmp_path):
    """Equal to sets of word-pieces by hand: the fake shares none, the same language most."""
    from tiny_task_files import ner_sentences, write_columns

    from bbert.finetune.config import FinetuneConfig
    from bbert.finetune.run import run as finetune

    data = tmp_path / "panx"
    for seed, name in enumerate(["train-en", "test-en"]):
        write_columns(data / f"{name}.tsv", ner_sentences(20, seed))
    write_columns(tmp_path / "news.tsv", ner_sentences(20, 1))
    finetune(
        FinetuneConfig(
            data=data, train_lang="en", eval_langs=("en", "enfake"), epochs=1,
            eval_set=(f"news=en:{tmp_path / 'news.tsv'}",),
        )
    )  # fmt: skip
    found = results(run(OverlapConfig()))
    rows = {row["eval"]: row for row in found["rows"]}
    assert rows["enfake"]["overlap"] == 0
    assert rows["enfake"]["zero_shot"]
    assert not rows["en"]["zero_shot"]
    assert not rows["news"]["zero_shot"], "another test set of the language it was trained on"
    words = [
        {
            piece
            for sentence in ner_sentences(20, seed)
            for word, tag in sentence
            if tag != "O"
            for piece in (["U", ".", "S"] if word == "U.S." else [word])
        }
        for seed in (0, 1)
    ]
    assert rows["en"]["overlap"] == pytest.approx(
        len(words[0] & words[1]) / len(words[0] | words[1])
    )
    assert found["correlations"][0]["reason"] == "1 points; a rank correlation needs 4"
    with pytest.raises(InputError, match="entities need ner"):
        write_transfer(work, "pos", scores={"en": 0.9, "es": 0.1})
        run(OverlapConfig(runs=("pos",), name="other"))


def test_any_two_texts(tiny_run, english, tmp_path):
    half = tmp_path / "half.txt"
    half.write_text("Anna saw\nRome\n")
    texts = (f"en={english}", f"half=en:{half}", f"enfake={english}")
    rows = results(run(OverlapConfig(texts=texts)))["rows"]
    by_pair = {(row["first"], row["second"]): row for row in rows}
    assert len(rows) == 3
    assert by_pair["en", "half"]["shared_types"] == 3
    assert by_pair["en", "half"]["overlap"] == 3 / by_pair["en", "half"]["first_types"]
    assert by_pair["en", "half"]["second_tokens_in_first"] == 1
    assert by_pair["en", "enfake"]["overlap"] == 0
    with pytest.raises(InputError, match="two or more"):
        run(OverlapConfig(texts=texts[:1]))


def test_a_correlation_over_many_pairs_of_languages(work, monkeypatch):
    """Sixteen points whose F1 falls exactly with the overlap."""
    import bbert.probe.overlap as module

    rows = [
        {"run": f"run-{a}", "model": "m", "random_init": "", "setting": "s", "train": str(a),
         "language": str(b), "zero_shot": a != b, "overlap": (4 * a + b) / 16,
         "score": 1 - (4 * a + b) / 16}
        for a, b in product(range(4), repeat=2)
    ]  # fmt: skip
    (found,) = module._correlations(rows, OverlapConfig())
    assert (found["n"], found["rho"]) == (12, pytest.approx(-1))
    # The same model with random layers is another encoder: its points rise with the overlap.
    drawn = [{**row, "random_init": "1-2", "score": row["overlap"]} for row in rows]
    plain, other = module._correlations(rows + drawn, OverlapConfig())
    assert (plain["random_init"], plain["n"], plain["rho"]) == ("", 12, pytest.approx(-1))
    assert (other["random_init"], other["n"], other["rho"]) == ("1-2", 12, pytest.approx(1))


def test_seeds_and_test_sets_of_one_pair_of_languages_are_one_point():
    import bbert.probe.overlap as module

    def row(run, language, overlap, score, setting="s"):
        of_run = {"run": run, "model": "m", "random_init": "", "setting": setting, "train": "en"}
        return {
            **of_run, "language": language, "zero_shot": True, "overlap": overlap, "score": score
        }  # fmt: skip

    rows = [row("seed-0", name, i / 9, i / 9) for i, name in enumerate(["es", "hi", "ru", "de"])]
    (once,) = module._correlations(rows, OverlapConfig())
    repeated = [
        {**one, "run": f"seed-{seed}", "score": one["score"] + 0.5 * (seed - 1)}
        for one in rows
        for seed in (0, 1, 2)
    ]
    (found,) = module._correlations(repeated, OverlapConfig())
    assert found == once
    assert (found["n"], found["rho"]) == (4, pytest.approx(1))
    # A run with two test sets of a language counts once beside one that has one: 0.35, not 0.3.
    sets = [row("seed-0", "es", 0, 0.1), row("seed-0", "es", 0, 0.3), row("seed-1", "es", 0, 0.5)]
    scores = {"hi": (0.1, 0.32), "ru": (0.2, 0.4), "de": (0.3, 0.5)}
    others = [row("seed-0", name, *both) for name, both in scores.items()]
    (found,) = module._correlations(sets + others, OverlapConfig())
    assert found["rho"] == pytest.approx(0.8), "ranks 2, 1, 3, 4"
    (apart,) = module._correlations(
        rows + [{**one, "setting": "t"} for one in rows], OverlapConfig()
    )
    assert apart["n"] == 8, "another learning rate is another point"
