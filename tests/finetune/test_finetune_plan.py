"""What a command line means: precedence of settings, defaults of model, data and languages."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_models import save_run

from bbert.cli import parse
from bbert.errors import InputError
from bbert.finetune.config import FinetuneConfig
from bbert.finetune.fusion import FUSIONS, WITH_GATE, WITH_LAYER
from bbert.finetune.heads import HEADS
from bbert.finetune.plan import Plan, make_plan
from bbert.finetune.recipes import DEFAULTS, RECIPES, SAMPLE_DEFAULTS
from bbert.finetune.tasks import TASKS, load_task


@pytest.fixture
def sample_run(tmp_path: Path, bert: Path, ner_data: Path) -> Path:
    """A work folder with one model pretrained on the embedded sample."""
    sample = tmp_path / "sample"
    shutil.copytree(ner_data, sample / "panx")
    model = Path(shutil.copytree(bert, tmp_path / "copy"))
    save_run(tmp_path / "work" / "models" / "tiny", model, ["enfake", "en"], sample)
    return tmp_path / "work"


def plan_of(*arguments: str, work: Path) -> Plan:
    return make_plan(parse("finetune", ["--work", str(work), *arguments]))


def test_nothing_typed_means_the_sample(sample_run: Path):
    plan = plan_of("--fusion", "dlfa", work=sample_run)
    config = plan.config
    assert (config.task, config.model, config.train_lang) == ("ner", "tiny", "enfake")
    assert config.eval_langs == ("enfake", "en")
    assert plan.data == sample_run.parent / "sample" / "panx"
    assert (config.fusion_layer, config.fusion_gate, config.fusion_pool) == (1, "sigmoid", "masked")
    assert plan.name == "tiny-ner-dlfa"
    for name, value in (DEFAULTS | SAMPLE_DEFAULTS | {"fusion": "dlfa"}).items():
        expected = min(value, 64) if name == "max_length" else value  # the model has 64 positions
        assert getattr(config, name) == expected
    assert all(files.split == "test" for files in plan.evaluation.values())


@pytest.mark.parametrize(
    ("typed", "instructions", "precision"),
    [
        ((), True, "fp32"),
        (("--precision", "fast"), True, "bf16"),
        (("--precision", "fast"), False, "fp32"),
        (("--precision", "fast"), None, "fp32"),
        (("--precision", "bf16"), False, "bf16"),
    ],
)
def test_fast_is_bf16_where_a_processor_has_instructions_for_it(
    sample_run: Path, tmp_path: Path, monkeypatch, typed, instructions, precision
):
    monkeypatch.setattr("bbert.finetune.plan.has_bf16", lambda: instructions)
    monkeypatch.setattr("bbert.finetune.plan.NVIDIA_DRIVER", tmp_path / "none")
    assert plan_of(*typed, work=sample_run).config.precision == precision


def test_options_win_over_recipes_and_recipes_over_the_sample(sample_run: Path):
    config = plan_of("--recipe", "muller2021", "--epochs", "1", work=sample_run).config
    assert (config.epochs, config.learning_rate, config.batch_size) == (1, 3.5e-5, 16)
    assert (config.seeds, config.selection) == (5, "best-dev")


def test_a_real_model_needs_data_and_has_other_defaults(tmp_path: Path, bert: Path, ner_data: Path):
    with pytest.raises(InputError, match="--data is needed: a folder with files of task ner"):
        plan_of("--model", str(bert), work=tmp_path)
    plan = plan_of("--model", str(bert), "--data", str(ner_data.parent), work=tmp_path)
    assert plan.config.seeds == 1
    assert plan.config.max_train_examples is None
    assert plan.data == ner_data


def test_a_foreign_model_needs_a_language(tmp_path: Path, foreign_bert: Path, ner_data: Path):
    typed = ["--model", str(foreign_bert), "--data", str(ner_data)]
    with pytest.raises(InputError, match="give --train-lang"):
        plan_of(*typed, work=tmp_path)
    plan = plan_of(*typed, "--train-lang", "en", work=tmp_path)
    assert list(plan.evaluation) == ["en"]


def test_dev_stands_in_for_a_missing_test_file(tmp_path: Path, bert: Path, ner_data: Path):
    typed = ["--model", str(bert), "--data", str(ner_data), "--eval-langs", "enfake", "en", "es"]
    plan = plan_of(*typed, work=tmp_path)
    assert {n: f.split for n, f in plan.evaluation.items()} == {
        "enfake": "test", "en": "test", "es": "dev",
    }  # fmt: skip
    assert plan.dev == ()
    assert plan_of(*typed, "--selection", "best-dev", work=tmp_path).dev


def test_the_resolved_configuration_repeats_the_run(sample_run: Path, tmp_path: Path):
    from bbert.stage_config import identity, save_yaml

    plan = plan_of("--fusion", "dlfa", "--fusion-gate", "paper", work=sample_run)
    save_yaml(plan.config, tmp_path / "config.yaml")
    again = plan_of("--config", str(tmp_path / "config.yaml"), work=sample_run)
    assert again.name == plan.name
    assert identity(again.config) == identity(plan.config)


def test_two_thirds_of_the_depth(sample_run: Path):
    import json

    config = sample_run / "models" / "tiny" / "model" / "config.json"
    for depth, layer in ((1, 1), (2, 1), (3, 2), (4, 3), (6, 4), (12, 8), (24, 16)):
        content = json.loads(config.read_text()) | {"num_hidden_layers": depth}
        config.write_text(json.dumps(content))
        assert plan_of("--fusion", "dlfa", work=sample_run).config.fusion_layer == layer


def test_long_names_stay_file_names(sample_run: Path):
    languages = ["en", "hi", "ru", "it", "de", "fr", "pt", "nl", "sv", "da", "fi", "el"]
    for language in languages:
        shutil.copy(
            sample_run.parent / "sample" / "panx" / "dev-es.tsv",
            sample_run.parent / "sample" / "panx" / f"dev-{language}.tsv",
        )
    options = ["--epochs", "1", "--warmup", "0.25", "--weight-decay", "0.125", "--adam-epsilon",
               "1e-06", "--max-train-examples", "100", "--max-eval-examples", "100", "--dropout",
               "0.25", "--learning-rate", "0.0001", "--batch-size", "16"]  # fmt: skip
    name = plan_of(*options, "--eval-langs", *languages, work=sample_run).name
    other = plan_of(*options, "--eval-langs", *languages[::-1], work=sample_run).name
    assert len(name.encode()) < 200
    assert name != other


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"task": "nre"}, "--task 'nre' is unknown; did you mean ner"),
        ({"fusion": "dlaf"}, "did you mean dlfa"),
        ({"head": "crf"}, "--head 'crf' is unknown"),
        ({"recipe": "k2021"}, "did you mean k2020"),
        ({"recipe": "k2020", "task": "pos"}, "k2020 has no settings for pos (xnli, ner)"),
        ({"fusion_layer": 3}, "--fusion-layer is an option of --fusion dlfa"),
        ({"fusion_gate": "paper"}, "--fusion-gate is an option of --fusion dlfa"),
        ({"fusion": "dlfa", "fusion_layer": 0}, "--fusion-layer: '0' is no set of layers"),
        ({"random_init": "0-2"}, "--random-init: '0-2' is no set of layers"),
        ({"init": "torch"}, "give --random-init too"),
        ({"epochs": -1}, "--epochs -1 is negative"),
        ({"learning_rate": float("nan")}, "--learning-rate nan must be greater than 0"),
        ({"warmup": 1.0}, "--warmup 1.0 must be a share"),
        ({"dropout": -0.1}, "--dropout -0.1 must be a share"),
        ({"weight_decay": -1.0}, "--weight-decay -1.0 must not be negative"),
        ({"max_length": 3}, "--max-length 3: give at least 8"),
        ({"eval_langs": ("en", "es", "en")}, "--eval-langs names en twice"),
        ({"train_lang": "en,"}, "--train-lang 'en,' has a language without a name"),
        ({"train_lang": ""}, "--train-lang '' has a language without a name"),
        ({"train_lang": "en,es,en"}, "--train-lang names en twice"),
        ({"freeze": "1-99999999999"}, "--freeze: '1-99999999999' is no set of layers"),
        ({"max_train_examples": 0}, "--max-train-examples 0"),
        ({"seeds": 0}, "--seeds 0"),
    ],
)
def test_options_that_mean_nothing_are_refused(options: dict, words: str):
    with pytest.raises(ValueError, match="--") as error:
        FinetuneConfig(**options)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (["--fusion", "dlfa", "--fusion-layer", "3"], "--fusion-layer 3: tiny has layers 1 to 2"),
        (["--max-length", "65"], "--max-length 65: tiny has 64 positions"),
        (["--train-lang", "xx"], "--train-lang: language 'xx' is unknown"),
        (["--eval-langs", "en", "English"], "--eval-langs: language 'English' is unknown"),
        (["--train-lang", "hi"], "no train file of task ner for language 'hi'"),
        (["--eval-langs", "ru"], "no test or dev file of task ner for language 'ru'"),
        (["--head", "classifier"], "--head classifier does not fit task ner: use linear"),
        (["--task", "xnli"], "no train file of task xnli"),
        (["--data", "/no/such/folder"], "--data /no/such/folder: no such folder"),
        (["--model", "other"], "no such folder, and no run of that name"),
    ],
)
def test_what_is_not_there_is_named(sample_run: Path, typed: list[str], words: str):
    with pytest.raises(InputError) as error:
        plan_of(*typed, work=sample_run)
    assert words in str(error.value)
    assert len(str(error.value).splitlines()) <= 2


def test_a_sample_that_is_gone_is_missed(sample_run: Path):
    shutil.rmtree(sample_run.parent / "sample")
    with pytest.raises(InputError, match="the embedded sample of tiny is gone") as error:
        plan_of(work=sample_run)
    assert "bbert sample" in str(error.value)


def test_tables_agree():
    fields = {field.name for field in dataclasses.fields(FinetuneConfig)}
    assert set(DEFAULTS) | set(SAMPLE_DEFAULTS) <= fields
    for settings_of_tasks in RECIPES.values():
        assert set(settings_of_tasks) <= set(TASKS)
        assert all(set(settings) <= fields for settings in settings_of_tasks.values())
    assert set(WITH_GATE) <= set(WITH_LAYER) <= set(FUSIONS)
    for name in TASKS:
        task = load_task(name)
        assert task.name == name
        assert set(task.heads) <= set(HEADS)


def test_help_needs_no_torch():
    code = (
        "import sys, bbert.cli\n"
        "bbert.cli.main(['finetune', '--help'])\n"
        "slow = {'torch', 'transformers', 'numpy', 'seqeval'} & set(sys.modules)\n"
        "assert not slow, slow\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "{xnli,pawsx,ner,pos" in done.stdout.replace("\n", "")
