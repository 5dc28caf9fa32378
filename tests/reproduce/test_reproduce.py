"""`bbert reproduce` end to end on a table of two cells: stopped, resumed, one cell failing."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from bbert.errors import InputError
from bbert.reproduce.chosen_tables import of_tasks
from bbert.reproduce.config import ReproduceConfig
from bbert.reproduce.cost import cost_of, expected_seconds, refuse_too_little_disk
from bbert.reproduce.jobs import Job
from bbert.reproduce.missing_files import refuse_missing_data
from bbert.reproduce.plan import make_plan
from bbert.reproduce.recipe import load_recipes
from bbert.reproduce.run import default_name, run
from bbert.reproduce.scale import load_scale
from bbert.reproduce.shipped import pipelines_folder
from bbert.reproduce.workflow import _lock

FOLDER = pipelines_folder()
SAMPLE = load_scale(FOLDER / "scales", "sample")
RECIPES = load_recipes(FOLDER / "recipes", SAMPLE)


@pytest.fixture
def tiny_pipelines(tmp_path):
    """The shipped workflow with one table: natural inference works, named entities must fail."""
    folder = tmp_path / "pipelines"
    shutil.copytree(FOLDER, folder)
    for recipe in (folder / "recipes").glob("*.yaml"):
        recipe.unlink()
    options = {"train_lang": "enfake", "eval_langs": ["enfake", "es"]}
    row = {
        "label": "enfake-es", "corpus": {"languages": ["enfake", "es"]},
        "transfer": [{"task": "xnli", **options}, {"task": "ner", **options}],
        "published": {"model": "enfake-es", "wordpiece_overlap": "none"},
    }  # fmt: skip
    claim = {"id": "c", "says": "Above chance.", "left": {}, "right": "floor", "expect": "greater"}
    table = {"title": "Two cells", "rows": [row], "claims": [claim]}
    (folder / "recipes" / "k2020.yaml").write_text(yaml.safe_dump({"tables": {"1": table}}))
    scale = yaml.safe_load((folder / "scales" / "sample.yaml").read_text())
    small = {"max_train_examples": 64, "max_eval_examples": 40, "epochs": 1}
    scale |= {
        "seeds": [0],
        "pretrain": {"nsp": False, "steps": 20, "depth": 1, "hidden": 32, "heads": 2,
                     "warmup_steps": 2, "probe": False},
        "transfer": {"xnli": small, "ner": {**small, "fusion": "dlfa", "fusion_layer": 7}},
    }  # fmt: skip
    (folder / "scales" / "sample.yaml").write_text(yaml.safe_dump(scale))
    return folder


def command(folder: Path, work: Path) -> list[str]:
    program = (
        "import sys; from pathlib import Path; import bbert.reproduce.run as r; "
        f"r.pipelines_folder = lambda: Path({str(folder)!r}); "
        "from bbert.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    return [sys.executable, "-c", program, "reproduce", "k2020", "--work", str(work)]


def test_stopped_resumed_and_a_failing_cell_leaves_the_others(tiny_pipelines, sample, tmp_path):
    work = tmp_path / "a $HOME of work"  # a shell takes it for several words
    shutil.copytree(sample, work / "sample")  # not what is tested here, and seconds to write
    arguments = command(tiny_pipelines, work)
    environment = {**os.environ, "COLUMNS": "160"}
    process = subprocess.Popen(arguments, env=environment, stderr=subprocess.PIPE, text=True)
    corpora = work / "corpora"
    deadline = time.monotonic() + 240
    while not list(corpora.glob("*/manifest.json")) and time.monotonic() < deadline:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "the same command goes on" in errors
    (corpus,) = corpora.glob("*/manifest.json")
    built = corpus.stat().st_mtime_ns

    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=400)
    assert done.returncode == 1, "a failed cell shows in the exit code"
    assert corpus.stat().st_mtime_ns == built, "what was done is not done again"
    assert "failed: finetune/ner-enfake" in done.stdout
    assert "the same command tries the failed runs again" in done.stdout
    report = json.loads((work / "reports" / "k2020-sample" / "report.json").read_text())
    tables = {table["identifier"]: table for table in report["tables"]}
    rows = [[cell["text"] for cell in row] for row in tables["reproduced-k2020-1"]["rows"]]
    by_cell = {row[1]: row for row in rows}
    inference, entities = by_cell["xnli, enfake → es"], by_cell["ner, enfake → es"]
    assert inference[2] == "70.9"
    assert inference[-1] == "complete"
    assert float(inference[3]) >= 0
    assert float(inference[4]) >= 0, "the random encoder stands beside it"
    assert entities[3] == "–"
    assert entities[-1] == "1 failed"
    notes = [row[-1].get("note", "") for row in tables["reproduced-k2020-1"]["rows"]]
    log = Path(next(note for note in notes if "see " in note).split("see ")[1])
    assert "--fusion-layer" in log.read_text()
    assert "page:" in done.stdout


def test_missing_files_are_listed_with_size_and_how_to_get_them(tmp_path):
    scale = load_scale(FOLDER / "scales", "small")
    recipes = load_recipes(FOLDER / "recipes", scale)
    plan = make_plan([recipes["k2020"]["1"]], scale, tmp_path)
    with pytest.raises(InputError) as error:
        refuse_missing_data(plan, tmp_path)
    message = str(error.value)
    head, *lines = message.splitlines()
    assert head == f"--scale small: 10 files are missing in {tmp_path} (run the commands there)"
    assert lines[0].startswith("text/{en,es,hi,ru}.txt* or dumps/{en,es,hi,ru}wiki-*/")
    assert lines[0].endswith(": bbert corpus download en es hi ru --parts 1 --work .")
    assert lines[2].startswith("xnli/xnli.test.tsv (20 MB): curl -LO https://")
    with pytest.raises(InputError, match="--data"):
        refuse_missing_data(make_plan([recipes["k2020"]["1"]], scale, None), None)


def test_a_dump_is_found_where_the_command_that_is_named_puts_it(tmp_path):
    """`bbert corpus download` makes a folder for each edition; one beside others is found too."""
    scale = load_scale(FOLDER / "scales", "paper")
    table = load_recipes(FOLDER / "recipes", scale)["k2020"]["3"]
    (needed,) = (needed for needed in scale.data if needed.as_corpus)
    assert needed.how_to_get(["en", "es"]) == "bbert corpus download en es --work ."
    for name in ("enwiki-20261101/enwiki-20261101-pages-articles.xml.bz2",
                 "eswiki-latest-pages-articles1.xml-p1p9.bz2"):  # fmt: skip
        path = tmp_path / "dumps" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    plan = make_plan([table], scale, tmp_path)
    with pytest.raises(InputError) as error:
        refuse_missing_data(plan, tmp_path)
    assert "dumps/{hi,ru}wiki-*/{hi,ru}wiki-*-pages-articles*.xml*.bz2 or" in str(error.value)
    dumps = {text for job in plan.jobs.values() for text in job.options.get("dump", ())}
    folder = tmp_path / "dumps"
    assert f"en={folder}/enwiki-*/enwiki-*-pages-articles*.xml*.bz2" in dumps
    assert f"es={folder}/eswiki-*-pages-articles*.xml*.bz2" in dumps


def test_text_and_dumps_are_read_side_by_side_at_the_scales_that_take_both(tmp_path):
    scale = load_scale(FOLDER / "scales", "small")
    table = load_recipes(FOLDER / "recipes", scale)["k2020"]["3"]
    for path in ("text/en.txt.xz", "dumps/eswiki-20261101/eswiki-20261101-pages-articles.xml.bz2"):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).touch()
    plan = make_plan([table], scale, tmp_path)
    with pytest.raises(InputError, match="bbert corpus download hi ru --parts 1 --work"):
        refuse_missing_data(plan, tmp_path)
    corpora = [job.options for job in plan.jobs.values() if job.stage == "corpus"]
    (options,) = (o for o in corpora if o["languages"] == ["enfake", "es"] and "unigram" not in o)
    assert options["text"] == [f"en={tmp_path}/text/en.txt*"]
    assert options["dump"] == [f"es={tmp_path}/dumps/eswiki-*/eswiki-*-pages-articles*.xml*.bz2"]


def test_one_of_several_layouts_is_enough_and_further_test_sets_are_needed(tmp_path):
    scale = load_scale(FOLDER / "scales", "small")
    recipes = load_recipes(FOLDER / "recipes", scale)
    plan = make_plan([recipes["muller2021"]["2"]], scale, tmp_path)

    def missing() -> str:
        with pytest.raises(InputError) as error:
            refuse_missing_data(plan, tmp_path)
        return str(error.value)

    before = missing()
    assert "udpos/*-{en,es}.tsv or ud/UD_*/{en,es}_*-ud-*.conllu" in before
    assert "\ndomains/ugc: a test set in 'en'" in before
    treebank = tmp_path / "ud" / "UD_Spanish-GSD"
    treebank.mkdir(parents=True)
    (treebank / "es_gsd-ud-test.conllu").touch()
    (tmp_path / "domains" / "ugc").mkdir(parents=True)
    after = missing()
    assert "udpos/*-en.tsv or" in after
    assert "domains/ugc" not in after
    assert "\nud/UD_English-EWT: a test set in 'en'" in after


def test_a_split_that_the_folder_lacks_is_missed_before_anything_runs(tmp_path):
    """A language may have files of a task and none to learn from."""
    scale = load_scale(FOLDER / "scales", "small")
    recipes = load_recipes(FOLDER / "recipes", scale)
    plan = make_plan([recipes["pires2019"]["2"]], scale, tmp_path)
    for folder, names in (
        ("text", [f"{language}.txt" for language in ("en", "es", "hi", "ru")]),
        ("udpos", ["train-en.tsv", "dev-en.tsv", "train-es.tsv", "dev-es.tsv", "test-es.tsv",
                   "dev-hi.tsv", "train-ru.tsv"]),
    ):  # fmt: skip
        (tmp_path / folder).mkdir()
        for name in names:
            (tmp_path / folder / name).touch()
    with pytest.raises(InputError) as error:
        refuse_missing_data(plan, tmp_path)
    head, *lines = str(error.value).splitlines()
    assert head.startswith("--scale small: 2 files are missing in")
    assert lines[0].startswith(
        f"{tmp_path}/udpos: no test or dev file of task pos for language 'ru'"
    )
    assert lines[1].startswith(f"{tmp_path}: no train file of task pos for language 'hi'")
    assert all("ud-treebanks" in line for line in lines)
    for name in ("test-ru.tsv", "train-hi.tsv"):
        (tmp_path / "udpos" / name).touch()
    refuse_missing_data(plan, tmp_path)


def test_the_tasks_whose_files_are_there_are_named(tmp_path):
    """Where nothing else is missing, the table can be run without the others."""
    scale = load_scale(FOLDER / "scales", "small")
    table = load_recipes(FOLDER / "recipes", scale)["chen2022"]["3"]
    plan = make_plan([table], scale, tmp_path)
    paths = [f"text/{language}.txt" for language in ("en", "es", "hi", "ru")]
    for path in [*paths, "xnli/xnli.test.tsv", "xnli/multinli.train.en.tsv"]:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    with pytest.raises(InputError) as error:
        refuse_missing_data(plan, tmp_path)
    assert str(error.value).endswith("\nwhat the others need is there: --task xnli")
    (part,) = of_tasks([table], ["xnli"])
    refuse_missing_data(make_plan([part], scale, tmp_path), tmp_path)
    (tmp_path / paths[0]).unlink()
    with pytest.raises(InputError) as error:
        refuse_missing_data(plan, tmp_path)
    assert "--task" not in str(error.value)


def test_a_plan_that_does_not_fit_on_the_disk_is_refused_before_it_starts(tmp_path, monkeypatch):
    plan = make_plan([RECIPES["k2020"]["1"]], SAMPLE, None)
    cost = cost_of(plan, tmp_path, slots=2)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 9, 10**6))
    with pytest.raises(InputError, match="the plan needs about"):
        refuse_too_little_disk(cost, tmp_path)


def test_time_left_shrinks_with_the_runs_that_are_there(tmp_path):
    plan = make_plan([RECIPES["k2020"]["3"]], SAMPLE, None)
    before = cost_of(plan, tmp_path, slots=1)
    job = next(job for job in plan.jobs.values() if job.stage == "pretrain")
    folder = tmp_path / "models" / job.name
    folder.mkdir(parents=True)
    manifest = {"stage": "pretrain", "name": job.name, "seconds": 1.0, "finished": ""}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    after = cost_of(plan, tmp_path, slots=1)
    assert (before.done, after.done) == (0, 1)
    assert after.measured
    assert after.seconds == pytest.approx(
        before.seconds - 18 * SAMPLE.seconds["pretrain"] + 17 * 1.0
    )


def test_larger_models_are_expected_to_take_longer():
    def seconds(**options):
        return expected_seconds(SAMPLE, Job("pretrain", "a", {**SAMPLE.pretrain, **options}))

    usual = SAMPLE.seconds["pretrain"]
    assert seconds() == seconds(depth=3, hidden=64) == usual
    assert seconds(depth=6, steps=3000) == pytest.approx(6 * usual)
    assert seconds(hidden=128) == pytest.approx(usual * 128 * 256 / (64 * 192))
    assert seconds(depth=1, hidden=4) == usual / 10
    paper = load_scale(FOLDER / "scales", "paper")
    preset = Job("pretrain", "a", {"preset": "k2020-table4-depth1", "steps": 2_000_000})
    assert expected_seconds(paper, preset) == pytest.approx(
        paper.seconds["pretrain"] * (1656 * 1784) / (12 * 768 * 896)
    )
    assert expected_seconds(SAMPLE, Job("finetune", "a", {})) == SAMPLE.seconds["finetune"]


def test_names_tell_papers_tables_and_scales_apart():
    config = ReproduceConfig(paper="k2020", table=("1", "2"))
    assert default_name(config) == "k2020-table1+2-sample"
    both = ReproduceConfig(paper="muller2021", table=("5", "figure-2"), scale="laptop")
    assert default_name(both) == "muller2021-table5-figure-2-laptop"
    assert default_name(ReproduceConfig()) == "all-sample"
    assert default_name(ReproduceConfig(seeds=6, seed=2)) == "all-sample-seeds6-seed2"
    every = [f"random_init={first}-{first + 2}" for first in range(1, 40)]
    long = default_name(ReproduceConfig(paper="muller2021", rows=tuple(every)))
    assert long.startswith("muller2021-sample-random_init=1-3+random_init=2-4")
    assert len(long) == 180
    with pytest.raises(ValueError, match="--table needs the paper"):
        ReproduceConfig(table=("1",))
    with pytest.raises(ValueError, match="--seeds 0 must be at least 1"):
        ReproduceConfig(seeds=0)


def test_a_report_of_some_tasks_says_so(tmp_path):
    config = ReproduceConfig(
        paper="chen2022", table=("3",), task=("xnli",), work=tmp_path / "w", dry_run=True, cores=2
    )
    result = run(config)
    assert result.run_path.name == "chen2022-table3-sample-xnli"
    assert result.estimates["runs"].startswith("14 to do (1 corpus, 10 finetune, 3 pretrain)")
    assert result.estimates["memory"] == "about 1.6 GB at most (2 at a time)"


def test_times_of_a_gpu_are_not_promised_without_one(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    for scale, words in (("small", "on GPUs, and there is none here"), ("laptop", "scale's own")):
        config = ReproduceConfig(
            paper="k2020", table=("3",), scale=scale, data=tmp_path, work=tmp_path / "w",
            dry_run=True,
        )  # fmt: skip
        assert words in run(config).estimates["time"]


def test_a_dry_run_writes_nothing(tmp_path):
    result = run(ReproduceConfig(paper="k2020", table=("2",), work=tmp_path / "w", dry_run=True))
    assert "126 to do" in result.estimates["runs"]
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize("executor", ["slurm", "kubernetes"])
def test_a_profile_without_its_executor_says_what_to_install(tmp_path, executor):
    if importlib.util.find_spec(f"snakemake_executor_plugin_{executor}"):
        pytest.skip("the executor is installed here")
    profile = FOLDER / "profiles" / executor
    config = ReproduceConfig(paper="k2020", table=("11",), work=tmp_path / "work", profile=profile)
    with pytest.raises(InputError, match=f"pip install snakemake-executor-plugin-{executor}"):
        run(config)


def test_two_reproductions_of_one_folder_do_not_meet(tmp_path):
    with _lock(tmp_path) as lock:
        with pytest.raises(InputError, match="bbert reproduce`, or what it left"):
            _lock(tmp_path).__enter__()
        print(11, 12, file=lock, flush=True)  # as the workflow writes, once there is a Snakemake
        with pytest.raises(InputError, match=r"\(process 11; its Snakemake 12\)"):
            _lock(tmp_path).__enter__()
    with _lock(tmp_path), pytest.raises(InputError, match="`, or what"), _lock(tmp_path):
        pass
