"""Probes of a model: equal to plain loops over the model, known values, resumed, refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from bbert.cli import main
from bbert.errors import InputError
from bbert.languages import Language
from bbert.probe.cka import cka
from bbert.probe.config import CkaConfig, CosineConfig, RetrievalConfig
from bbert.probe.nearest import translated
from bbert.probe.results import cut_note
from bbert.probe.run import run
from bbert.run_directory import RunDirectory


def results(directory) -> dict:
    assert isinstance(directory, RunDirectory)
    return json.loads((directory.path / "results.json").read_text())


def plain_vectors(model_dir: Path, lines: list[str], language: str) -> np.ndarray:
    """(layers, sentences, size), one sentence at a time and without padding."""
    tokenizer = AutoTokenizer.from_pretrained(model_dir)
    model = AutoModel.from_pretrained(model_dir).eval()
    vectors = []
    for line in lines:
        text = Language.parse(language).apply(line)
        ids = torch.tensor([[2, *tokenizer(text, add_special_tokens=False)["input_ids"], 3]])
        with torch.no_grad():
            states = model(ids, output_hidden_states=True).hidden_states
        vectors.append([state[0, 1:-1].double().mean(dim=0).numpy() for state in states])
    return np.array(vectors).swapaxes(0, 1)


def test_every_layer_is_that_of_a_plain_loop_over_the_model(tiny_run, english, pair):
    found = results(run(CkaConfig(parallel=pair)))
    lines = english.read_text().splitlines()
    x, y = (plain_vectors(tiny_run / "model", lines, name) for name in ("en", "enfake"))
    assert [layer["layer"] for layer in found["layers"]] == [0, 1, 2]
    for layer in found["layers"]:
        expected = cka(x[layer["layer"]], y[layer["layer"]])
        assert layer["value"] == pytest.approx(expected, abs=1e-4)
        assert layer["low"] <= layer["value"] <= layer["high"]
        assert abs(layer["floor"]) < 0.1
    retrieved = results(run(RetrievalConfig(parallel=pair)))
    assert retrieved["chance"] == pytest.approx(1 / len(lines))
    for layer, a, b in zip(retrieved["layers"], x, y, strict=True):
        both = (translated(a, b).mean() + translated(b, a).mean()) / 2
        assert layer["value"] == pytest.approx(both, abs=1 / len(lines))
    cosines = results(run(CosineConfig(parallel=pair)))
    for layer, a, b in zip(cosines["layers"], x, y, strict=True):
        norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
        assert layer["value"] == pytest.approx(((a * b).sum(axis=1) / norms).mean(), abs=1e-5)


def test_pooled_by_its_first_vector_a_sentence_is_that_of_cls(tiny_run, english, pair):
    found = results(run(CosineConfig(parallel=pair, pool="cls")))
    tokenizer = AutoTokenizer.from_pretrained(tiny_run / "model")
    model = AutoModel.from_pretrained(tiny_run / "model").eval()
    cosines = []
    for line in english.read_text().splitlines():
        states = []
        for name in ("en", "enfake"):
            text = Language.parse(name).apply(line)
            ids = [[2, *tokenizer(text, add_special_tokens=False)["input_ids"], 3]]
            with torch.no_grad():
                states.append(model(torch.tensor(ids), output_hidden_states=True).hidden_states)
        pairs = zip(*states, strict=True)
        cosines.append([float(torch.cosine_similarity(a[0, 0], b[0, 0], dim=0)) for a, b in pairs])
    values = [layer["value"] for layer in found["layers"]]
    assert values == pytest.approx(np.mean(cosines, axis=0), abs=1e-5)
    assert values[0] == pytest.approx(1), "the same embedding in both languages"


def test_layers_are_drawn_afresh_by_the_seed(tiny_run, pair):
    """A random encoder shows what lengths alone give: another seed, another encoder."""
    plain, drawn = [], []
    for seed in (0, 0, 1):
        config = CosineConfig(parallel=pair, random_init="all", seed=seed, name=f"s{len(plain)}")
        for entry, values in zip(results(run(config))["measurements"], (plain, drawn), strict=True):
            values.append([layer["value"] for layer in entry["layers"]])
    assert plain[0] == plain[1] == plain[2]
    assert drawn[0] == drawn[1] != drawn[2]


def test_the_files_are_those_that_other_programs_read(tiny_run, pair, work):
    directory = run(CkaConfig(parallel=pair, variant="paper", random_init="1/all"))
    found = results(directory)
    assert {"probe", "variant", "model", "languages", "n", "layers"} <= found.keys()
    assert (found["probe"], found["variant"], found["model"]) == ("cka", "paper", "tiny")
    assert (found["languages"], found["n"]) == (["en", "enfake"], 60)
    assert directory.path.parent == work / "probes"
    titles = [entry["model"] for entry in found["measurements"]]
    assert titles == ["tiny", "tiny, layers 1 random", "tiny, random encoder"]
    with (directory.path / "layers.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 9
    assert float(rows[0]["value"]) == found["layers"][0]["value"]
    assert not list(directory.path.glob("vectors*"))
    manifest = directory.manifest
    assert manifest["stage"] == "probe"
    assert any(entry["path"].endswith("tiny.en") for entry in manifest["inputs"])


def test_the_same_text_is_at_one_everywhere(tiny_run, english):
    same = (f"en={english}", f"es={english}")
    for config in (CkaConfig(parallel=same), CosineConfig(parallel=same),
                   RetrievalConfig(parallel=same)):  # fmt: skip
        found = results(run(config))
        assert [layer["value"] for layer in found["layers"]] == pytest.approx([1, 1, 1])


def test_a_model_with_shuffled_sentences_is_at_the_floor(tiny_run, english, tmp_path):
    lines = english.read_text().splitlines()
    other = tmp_path / "shuffled"
    other.write_text("\n".join(lines[1:] + lines[:1]) + "\n")
    given = (f"en={english}", f"es={other}")
    found = results(run(CkaConfig(parallel=given)))
    assert all(abs(layer["value"]) < 0.15 for layer in found["layers"])
    found = results(run(RetrievalConfig(parallel=given)))
    assert all(layer["value"] < 0.1 for layer in found["layers"])


def test_fused_and_plain_models_stand_beside_each_other(fused_run, tiny_run, pair):
    config = CosineConfig(model="tiny", beside=("tiny-dlfa",), parallel=pair)
    plain, fused = results(run(config))["measurements"]
    assert (plain["transfer"], fused["transfer"]) == (None, "tiny-dlfa")
    assert plain["fused"] is None
    assert -1 <= fused["fused"]["value"] <= 1
    values = [[layer["value"] for layer in entry["layers"]] for entry in (plain, fused)]
    assert values[0] == pytest.approx(values[1])  # the network was never trained


def test_a_killed_run_goes_on_with_the_next_model(tiny_run, fused_run, pair, monkeypatch):
    import bbert.probe.layer_run as module

    config = CkaConfig(model="tiny", beside=("tiny-dlfa",), parallel=pair, name="whole")
    whole = results(run(config))
    measure, calls = module.measure_model, []

    def killed(plan, number, folder):
        calls.append(number)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return measure(plan, number, folder)

    monkeypatch.setattr(module, "measure_model", killed)
    again = CkaConfig(model="tiny", beside=("tiny-dlfa",), parallel=pair, name="again")
    with pytest.raises(KeyboardInterrupt):
        run(again)
    resumed = results(run(again))
    assert calls == [0, 1, 1]
    assert resumed == whole
    run(again)
    assert calls == [0, 1, 1]


def test_damaged_activations_leave_the_cell_empty_and_say_why(tiny_run, pair):
    from safetensors.torch import load_file, save_file

    path = tiny_run / "model" / "model.safetensors"
    weights = load_file(path)
    name = next(key for key in weights if "encoder.layer.1.output.dense.weight" in key)
    weights[name][:] = float("nan")
    save_file(weights, path, metadata={"format": "pt"})
    for config in (CkaConfig(parallel=pair), CosineConfig(parallel=pair),
                   RetrievalConfig(parallel=pair)):  # fmt: skip
        layers = results(run(config))["layers"]
        assert [layer["value"] is None for layer in layers] == [False, False, True]
        assert "NaN" in layers[2]["reason"]


def test_the_command_line(tiny_run, pair, capsys, english):
    assert main(["probe", "cka", "--parallel", *pair, "--max-sentences", "20"]) == 0
    shown = capsys.readouterr().out
    assert "floor" in shown
    assert "n = 20" in shown
    assert "cut off" not in shown
    assert main(["probe", "retrieval", "--parallel", *pair, "--dry-run"]) == 0
    assert "sentences: 60 in each of en, enfake" in capsys.readouterr().out
    short = english.with_name("short.es")
    short.write_text("one line\n")
    assert main(["probe", "cka", "--parallel", f"en={english}", f"es={short}"]) == 2
    said = capsys.readouterr().err
    assert "has 60 sentences and" in said
    assert "1; sentence n of one must be the translation" in said


def test_how_many_sentences_were_cut_off_is_said(tiny_run, pair, capsys):
    assert main(["probe", "cka", "--parallel", *pair, "--max-length", "8", "--quiet"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    content = results(run(CkaConfig(parallel=pair, max_length=8)))
    (counts,) = [found for model, found in content["cut"].items() if model == "tiny"]
    assert 0 < counts["en"]["truncated"] < 60
    said = ", ".join(f"{name} {found['truncated']}" for name, found in counts.items())
    assert cut_note(content) == f"sentences cut off at 8 word-pieces: {said}"
    assert cut_note(content) in shown
    other = {**content, "cut": {**content["cut"], "random": {"en": {"truncated": 0}}}}
    assert cut_note(other) == f"sentences cut off at 8 word-pieces: {said} (tiny)"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"random_init": "3"}, "has layers 1 to 2"),
        ({"model": "nowhere"}, "no such folder"),
        ({"beside": ("nowhere",)}, "no such folder"),
        ({"max_length": 500}, "64 positions"),
        ({"parallel": ()}, "--parallel is needed"),
    ],
)
def test_what_is_not_there_is_refused(tiny_run, pair, options, says):
    with pytest.raises(InputError, match=says):
        run(CkaConfig(**{"parallel": pair, **options}))


def test_few_sentences_are_refused_before_the_model_is_loaded(tiny_run, tmp_path):
    few = tmp_path / "few"
    few.write_text("Anna left .\nBoris left .\nCarla saw Rome .\n\n")
    with pytest.raises(InputError, match="needs 4 pairs"):
        run(CkaConfig(parallel=(f"en={few}", f"enfake={few}")))


def test_the_rbf_kernel_of_many_sentences_is_refused_before_the_model_is_loaded(tiny_run, tmp_path):
    many = tmp_path / "many"
    many.write_text("".join(f"Anna saw {number} .\n" for number in range(2001)))
    parallel = (f"en={many}", f"enfake={many}")
    with pytest.raises(InputError, match=r"all 2,001 sentences .*--minibatch 500"):
        run(CkaConfig(parallel=parallel, variant="released"))
