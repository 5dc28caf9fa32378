"""What a model folder may do: no code unless trusted, no pickle unless allowed, no network."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from bbert.cli import main
from bbert.errors import InputError
from bbert.finetune.encoder import load_encoder
from bbert.finetune.model_folder import find_model

NOWHERE = Path("none")
MODELING = """
from pathlib import Path
from transformers import BertConfig, BertModel

Path({marker!r}).write_text("ran")


class XConfig(BertConfig):
    model_type = {kind!r}


class XModel(BertModel):
    config_class = XConfig
"""


@pytest.fixture
def copy(bert: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bert, tmp_path / "copy"))


def bring_code(folder: Path, marker: Path, kind: str) -> None:
    """Make a model folder one that brings Python code along, which leaves a mark when it runs."""
    (folder / "modeling_x.py").write_text(MODELING.format(marker=str(marker), kind=kind))
    config = json.loads((folder / "config.json").read_text())
    config["model_type"] = kind
    config["auto_map"] = {"AutoConfig": "modeling_x.XConfig", "AutoModel": "modeling_x.XModel"}
    (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize("kind", ["x-bert", "bert"])
def test_code_of_a_folder_runs_only_where_trusted(
    copy: Path, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
):
    marker = tmp_path / "marker"
    bring_code(copy, marker, kind)
    monkeypatch.setattr(
        "transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules")
    )
    if kind == "bert":  # a known kind is read by the library's own class
        load_encoder(find_model(NOWHERE, str(copy)), 0)
    else:
        with pytest.raises(InputError, match=r"model_type 'x-bert' .*--trust-remote-code"):
            find_model(NOWHERE, str(copy))
    assert not marker.exists()
    folder = find_model(NOWHERE, str(copy), trust_remote_code=True)
    assert copy / "modeling_x.py" in folder.input_files
    module = load_encoder(folder, 0).module
    assert marker.exists()
    assert type(module).__name__ == "XModel"


@pytest.mark.parametrize("kind", ["x-bert", "bert"])
@pytest.mark.parametrize("fusion", ["last", "dlfa"])
def test_scores_of_a_model_with_code_of_its_own_are_kept_and_no_weights(
    copy: Path,
    ner_data: Path,
    tmp_path: Path,
    work: Path,
    kind: str,
    fusion: str,
    capsys,
    monkeypatch,
):
    bring_code(copy, tmp_path / "marker", kind)
    monkeypatch.setattr(
        "transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules")
    )
    typed = ["finetune", "--model", str(copy), "--data", str(ner_data), "--epochs", "1", "--fusion",
             fusion, "--max-train-examples", "16", "--name", "x", "--quiet"]  # fmt: skip
    assert main([*typed, "--trust-remote-code"]) == 0
    assert "copy runs Python code of its own" in capsys.readouterr().err
    run = work / "transfer" / "x"
    content = json.loads((run / "results.json").read_text())
    assert content["network"]["weights"].startswith("not saved")
    assert content["languages"]["en"]["values"]
    assert (run / "predictions" / "en.conll").is_file()
    assert not (run / "model").exists()
    if kind == "bert":  # without its code it is an ordinary model
        assert main([*typed[:-2], "y", "--quiet"]) == 0
        assert (work / "transfer" / "y" / "model" / "model.safetensors").is_file()


def pickled(folder: Path) -> dict[str, torch.Tensor]:
    """Replace the safetensors of a folder by pickled weights; returns them."""
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    return weights


def test_pickled_weights_are_read_only_where_allowed(copy: Path, bert: Path):
    pickled(copy)
    with pytest.raises(InputError, match=r"pickled weights are refused.*--allow-pickle"):
        find_model(NOWHERE, str(copy))
    folder = find_model(NOWHERE, str(copy), allow_pickle=True)
    assert copy / "pytorch_model.bin" in folder.input_files
    expected = load_encoder(find_model(NOWHERE, str(bert)), 0).module.state_dict()
    found = load_encoder(folder, 0).module.state_dict()
    assert found.keys() == expected.keys()
    assert all(tensor.equal(expected[name]) for name, tensor in found.items())


class Touch:
    """Unpickled, it makes a file."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def test_allowed_pickles_still_run_no_code(copy: Path, tmp_path: Path):
    marker = tmp_path / "marker"
    weights = pickled(copy)
    torch.save({**weights, "x": Touch(str(marker))}, copy / "pytorch_model.bin")
    folder = find_model(NOWHERE, str(copy), allow_pickle=True)
    with pytest.raises(InputError, match="the weights cannot be loaded"):
        load_encoder(folder, 0)
    assert not marker.exists()
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps(Touch(str(marker))))
    pickle.loads((tmp_path / "plain.pkl").read_bytes()).close()
    assert marker.exists()  # the trap is a trap


def test_safetensors_are_read_where_both_are_there(copy: Path):
    (copy / "pytorch_model.bin").write_bytes(b"no weights at all")
    folder = find_model(NOWHERE, str(copy), allow_pickle=True)
    assert not folder.pickled
    load_encoder(folder, 0)


def test_switches_do_not_change_the_name_of_a_run(bert: Path, ner_data: Path, work: Path):
    typed = ["finetune", "--model", str(bert), "--data", str(ner_data), "--epochs", "0", "--quiet"]
    assert main(typed) == 0
    assert main([*typed, "--allow-pickle", "--trust-remote-code"]) == 0
    assert len(list((work / "transfer").iterdir())) == 1


CUT = """
import os, socket, sys

attempts = []

def refuse(*arguments, **options):
    attempts.append(arguments)
    raise OSError("the network is cut")

socket.socket.connect = socket.socket.connect_ex = refuse
socket.create_connection = socket.getaddrinfo = socket.gethostbyname = refuse

from bbert.cli import main

for typed in {local!r}:
    assert main(typed) == 0, typed
assert not attempts, attempts
os.environ["HF_HUB_OFFLINE"] = "1"
for typed in {hub!r}:
    assert main(typed) == 2, typed
assert not attempts, attempts
"""


def test_local_folders_and_offline_ids_leave_the_network_alone(
    bert: Path, xlm_roberta: Path, ner_data: Path, tmp_path: Path
):
    from foreign_models import save_multilingual_bert, save_xlm_roberta

    texts = ["Anna visited old Rome .", "Boris saw Paris ."]
    models = [
        bert, xlm_roberta, save_multilingual_bert(tmp_path / "mbert", texts),
        save_xlm_roberta(tmp_path / "xlm-r", texts),
    ]  # fmt: skip
    common = ["--epochs", "1", "--max-train-examples", "16", "--work", str(tmp_path / "work"),
              "--train-lang", "en", "--eval-langs", "en", "--quiet"]  # fmt: skip
    pickled(Path(shutil.copytree(bert, tmp_path / "pickled")))
    models.append(tmp_path / "pickled")
    local = [
        ["finetune", "--model", str(model), "--data", str(ner_data), "--allow-pickle", *common]
        for model in models
    ]
    hub = [
        ["finetune", "--model", "xlm-roberta-base", "--data", str(ner_data), *common],
        ["finetune", "--model", str(bert), "--data", "unimelb-nlp/wikiann", *common],
    ]
    code = CUT.format(local=local, hub=hub)
    environment = {k: v for k, v in os.environ.items() if k != "HF_HUB_OFFLINE"}
    environment["HF_HOME"] = str(tmp_path / "empty-cache")
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stderr.count("HF_HUB_OFFLINE is set") == 2
