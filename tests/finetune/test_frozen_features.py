"""Features of a frozen encoder on disk: as recomputed, whatever was killed, shared, never mixed."""

from __future__ import annotations

import json
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_task_files import ner_sentences

from bbert.errors import InputError
from bbert.finetune import feature_files
from bbert.finetune.config import FinetuneConfig
from bbert.finetune.encoder import PieceIds
from bbert.finetune.encoding import EncodedExamples, encode_examples
from bbert.finetune.examples import ExampleSet, RunData
from bbert.finetune.frozen_features import FeaturedExamples, frozen_features
from bbert.finetune.fusion import FUSIONS, WITH_LAYER
from bbert.finetune.model_folder import find_model
from bbert.finetune.network import FinetunedNetwork, NetworkSettings, build_network
from bbert.finetune.tasks.find_files import SplitFiles
from bbert.finetune.tasks.task import Sentence
from bbert.languages import Language

LABELS = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_files, "ROWS_PER_BLOCK", 8)


def encoded(folder: Path, seed: int = 0, max_length: int = 10) -> EncodedExamples:
    """Sentences of which some are longer than the model reads."""
    sentences = [
        Sentence(tuple(w for w, _ in s), tuple(t for _, t in s), Path("file"), 1)
        for s in ner_sentences(30, seed)
    ]
    long = sentences[0].words * 4, sentences[0].labels * 4
    sentences.insert(3, Sentence(*long, Path("file"), 1))
    pieces = PieceIds(find_model(Path("."), str(folder)))
    return encode_examples(sentences, Language.parse("en"), pieces, LABELS, max_length)


def run_data(folder: Path, **options: object) -> RunData:
    examples = encoded(folder, **options)
    one = ExampleSet("en", (), SplitFiles("train", []), [], examples)
    return RunData(LABELS, one, None, {})


def network_of(folder: Path, fusion: str = "scalar-mix", seed: int = 0) -> FinetunedNetwork:
    options = NetworkSettings(
        "bilstm-crf", 5, fusion, fusion_layer=1 if fusion in WITH_LAYER else None, freeze="all",
        lstm_size=6, dropout=0.5,
    )  # fmt: skip
    return build_network(find_model(Path("."), str(folder)), options, seed)[0].eval()


def config_of(work: Path, fusion: str = "scalar-mix", **options: object) -> FinetuneConfig:
    return FinetuneConfig(work=work, head="bilstm-crf", fusion=fusion, precision="fp32", **options)


def featured(folder: Path, work: Path, fusion: str = "scalar-mix", **options: object):
    network = network_of(folder, fusion)
    data = run_data(folder, **options)
    model = find_model(Path("."), str(folder))
    with frozen_features(network, data, model, config_of(work, fusion), 0) as ready:
        return network, data.train.encoded, ready(data.train)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_they_are_what_the_encoder_gives_rounded_to_halves(bert: Path, work: Path, fusion):
    network, plain, examples = featured(bert, work, fusion)
    assert isinstance(examples, FeaturedExamples)
    assert plain.windows
    for rows in (np.array([3, 0, 7]), np.array([5])):
        batch, expected = examples.batch(rows), plain.batch(rows)
        assert batch.num_words == expected.num_words
        assert torch.equal(batch.labels, expected.labels)
        with torch.inference_mode():
            words = batch.words(network.represent(batch))
            reference = expected.words(network.represent(expected))
        for row, length in enumerate(batch.num_words):
            torch.testing.assert_close(
                words[row, :length], reference[row, :length], rtol=2e-3, atol=4e-3
            )
        losses = [network.head.loss(network(b), b) for b in (batch, expected)]
        torch.testing.assert_close(*losses, rtol=1e-2, atol=1e-2)
    halves = examples.layers[0]
    assert halves.dtype == np.float16
    assert isinstance(halves.base, np.memmap)


def test_a_dlfa_of_word_pieces_keeps_all_of_them_and_the_others_words_only(bert: Path, work: Path):
    _, plain, of_words = featured(bert, work, "last")
    _, _, of_pieces = featured(bert, work, "dlfa")
    assert len(of_words.layers[0]) == sum(map(len, plain.labels))
    assert len(of_pieces.layers[0]) == sum(map(len, plain.ids))
    assert (len(of_words.layers), len(of_pieces.layers)) == (1, 2)


def files_of(work: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(work)): path.read_bytes()
        for path in sorted((work / "features").rglob("*.f16"))
    }


def test_layers_are_shared_and_the_same_whichever_pass_wrote_them(bert: Path, tmp_path: Path):
    featured(bert, tmp_path / "a", "last")
    first = files_of(tmp_path / "a")
    assert [Path(name).name for name in first] == ["layer-02.f16"]
    before = (tmp_path / "a" / next(iter(first))).stat().st_mtime_ns
    featured(bert, tmp_path / "a", "scalar-mix")
    assert (tmp_path / "a" / next(iter(first))).stat().st_mtime_ns == before
    featured(bert, tmp_path / "b", "scalar-mix")
    assert files_of(tmp_path / "a") == files_of(tmp_path / "b")
    assert len(files_of(tmp_path / "b")) == 2
    index = json.loads(next((tmp_path / "b").rglob("index.json")).read_text())
    assert (index["dtype"], index["rows"], index["hidden_size"]) == ("float16", 31, 32)


def test_a_layer_that_is_fused_with_itself_is_written_once(bert: Path, work: Path):
    network, data = network_of(bert, "dlfa"), run_data(bert)
    network.fusion_layers = (2, 2)
    model = find_model(Path("."), str(bert))
    with frozen_features(network, data, model, config_of(work, "dlfa"), 0) as ready:
        examples = ready(data.train)
    assert [Path(name).name for name in files_of(work)] == ["layer-02.f16"]
    assert np.array_equal(*examples.layers)


def test_what_is_killed_goes_on_after_the_last_block(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    featured(bert, tmp_path / "whole")
    written: list[int] = []
    real = feature_files.write_json_atomically

    def killed(path: Path, content: dict) -> None:
        real(path, content)
        written.append(content.get("rows", 0))
        if content.get("rows") == 16:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(feature_files, "write_json_atomically", killed)
        with pytest.raises(KeyboardInterrupt):
            featured(bert, tmp_path / "killed")
    assert not files_of(tmp_path / "killed")
    for partial in (tmp_path / "killed").rglob("*.partial"):  # what was not safe yet
        with partial.open("ab") as stream:
            stream.write(b"half a block")
    read: list[int] = []
    forward = FinetunedNetwork.hidden_states

    def counted(network: FinetunedNetwork, batch):
        read.append(len(batch.num_words))
        return forward(network, batch)

    monkeypatch.setattr(FinetunedNetwork, "hidden_states", counted)
    featured(bert, tmp_path / "killed")
    assert sum(read) == 31 - 16
    assert files_of(tmp_path / "killed") == files_of(tmp_path / "whole")
    assert not list((tmp_path / "killed").rglob("*.partial"))
    assert not list((tmp_path / "killed").rglob("progress.json"))
    read.clear()
    featured(bert, tmp_path / "killed")
    assert not read  # all there


def test_another_encoder_or_other_texts_have_other_features(
    bert: Path, foreign_bert: Path, bert_with_language_ids: Path, work: Path
):
    featured(bert, work)
    number = len(files_of(work))
    featured(bert, work, seed=1)
    assert len(files_of(work)) == 2 * number
    featured(bert, work, max_length=12)
    assert len(files_of(work)) == 3 * number
    featured(foreign_bert, work)  # the same weights under another name: its config differs
    assert len(files_of(work)) == 4 * number


def test_a_random_encoder_leaves_nothing_behind(bert: Path, work: Path):
    network, data = network_of(bert), run_data(bert)
    model = find_model(Path("."), str(bert))
    config = config_of(work, random_init="all", init="bert", name="floor")
    with frozen_features(network, data, model, config, 0) as ready:
        ready(data.train)
        assert files_of(work)
    assert not files_of(work)


def test_a_disk_without_room_is_refused_before_anything_is_computed(
    bert: Path, work: Path, monkeypatch: pytest.MonkeyPatch
):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(feature_files.shutil, "disk_usage", lambda _: usage(100, 90, 10))
    monkeypatch.setattr(FinetunedNetwork, "hidden_states", None)
    with pytest.raises(InputError, match=r"features need 0\.0 MB .* 0\.0 MB are free"):
        featured(bert, work)
    assert not files_of(work)


def test_values_beyond_half_precision_are_refused(bert: Path, work: Path):
    network, data = network_of(bert), run_data(bert)
    with torch.no_grad():
        network.encoder.encoder.layer[1].output.LayerNorm.weight.mul_(1e6)
    model = find_model(Path("."), str(bert))
    with (
        frozen_features(network, data, model, config_of(work), 0) as ready,
        pytest.raises(InputError, match="layer 2 of the encoder has values beyond"),
    ):
        ready(data.train)


def test_a_damaged_progress_file_begins_again(bert: Path, work: Path):
    _, _, examples = featured(bert, work)
    (path,) = {p.parent for p in (work / "features").rglob("*.f16")}
    before = files_of(work)
    for file in path.glob("*.f16"):
        file.unlink()
    (path / "layer-01.f16.partial").write_bytes(b"short")
    (path / "progress.json").write_text('{"layers": [1, 2], "rows": 24}')
    featured(bert, work)
    assert files_of(work) == before
    assert replace(examples).of_words
