"""The documentation says what the code is: generated pages are current, links lead somewhere."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
OUTSIDE = [ROOT / name for name in ("README.md", "CONTRIBUTING.md")]
FOLDERS = "bbert|benchmarks|configs|docker|docs|pipelines|tests"


@pytest.fixture(scope="module")
def generator():
    specification = importlib.util.spec_from_file_location(
        "generate_reference", DOCS / "generate_reference.py"
    )
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_the_command_reference_is_current(generator):
    written = (DOCS / "reference" / "cli.md").read_text(encoding="utf-8")
    assert written == generator.page(), "run `python docs/generate_reference.py`"


def test_every_command_and_option_is_in_the_reference(generator):
    from dataclasses import fields
    from importlib import import_module

    from bbert.cli import COMMANDS

    page = generator.page()
    for name, command in COMMANDS.items():
        assert f"## {name}\n" in page
        module = import_module(f"{command.package}.{command.config_module}")
        for field in fields(getattr(module, command.config)):
            flag = f"`--{field.name.replace('_', '-')}`"
            assert flag in page or f"`{field.name.upper()}" in page


def test_a_common_option_that_means_something_else_is_named_again(generator):
    section = generator.page().split("## reproduce\n")[1].split("\n## ")[0]
    assert "| `--force` |" in section
    assert "| `--quiet` |" not in section


def test_the_page_of_verdicts_has_every_claim_of_the_recipes():
    from bbert.reproduce.recipe import load_recipes
    from bbert.reproduce.scale import load_scale
    from bbert.reproduce.shipped import pipelines_folder

    page = (DOCS / "explanation" / "what-the-sample-shows.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\w+ [\w-]+) \| (.+?) \|", page, re.MULTILINE)
    scale = load_scale(pipelines_folder() / "scales", "sample")
    recipes = load_recipes(pipelines_folder() / "recipes", scale)
    claims = [
        (f"{paper} {number}", claim["says"])
        for paper, tables in recipes.items()
        for number, table in tables.items()
        for claim in table.claims
    ]
    assert sorted(place for place, _ in rows) == sorted(place for place, _ in claims)
    written = [says for _, says in rows if not says.startswith(("the same", "as 1"))]
    assert set(written) <= {says for _, says in claims}


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    plain = (re.sub(r"[`*]", "", heading).strip().lower() for heading in headings)
    return {re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", heading)) for heading in plain}


@pytest.mark.parametrize("page", [*PAGES, *OUTSIDE], ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path):
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.S | re.M)
    for link in re.findall(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)", text):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_file(), f"{page}: {link}"
        if anchor:
            assert anchor in anchors(target), f"{page}: {link}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_pictures_are_there_and_say_what_they_show(page: Path):
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.S | re.M)
    for words, path in re.findall(r"!\[([^\]]*)\]\(([^)\s]+)\)", text):
        assert words, f"{page}: {path}"
        picture = ElementTree.parse(page.parent / path).getroot()
        assert picture.tag.endswith("svg")
        assert "prefers-color-scheme:dark" in (picture.findtext("{*}style") or "")


@pytest.mark.parametrize("page", [*PAGES, *OUTSIDE], ids=lambda page: str(page.relative_to(ROOT)))
def test_files_of_the_project_that_a_page_names_are_there(page: Path):
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(rf"`((?:{FOLDERS})/[\w./-]+)`", text))
    own = set(re.findall(r"`([\w./-]+)`:\n\n```python\n", text))  # shown whole: yours to write
    for path in sorted(named - own):
        assert (ROOT / path).exists(), path


def test_the_code_of_the_page_on_extending_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Every module that the page shows is imported and built as the tables would."""
    import torch

    from bbert.finetune import fusion, heads, tasks

    text = (DOCS / "how-to" / "extend.md").read_text(encoding="utf-8")
    blocks = re.findall(
        r"`bbert/finetune/(\w+)/(\w+)\.py`[^\n]*:\n\n```python\n(.*?)```", text, re.S
    )
    assert [kind for kind, _, _ in blocks] == ["fusion", "heads", "tasks"]
    monkeypatch.syspath_prepend(tmp_path)
    for _, name, code in blocks:
        (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
    (fusion_name, head_name, task_name) = (name for _, name, _ in blocks)
    monkeypatch.setitem(fusion.FUSIONS, "new", fusion_name)
    monkeypatch.setitem(heads.HEADS, "new", head_name)
    monkeypatch.setitem(tasks.TASKS, "new", task_name)
    built = fusion.build_fusion("new", fusion.FusionSettings(hidden_size=4, depth=3, layer=2))
    assert built.layers == (2, 3)
    layers = torch.randn(2, 5, 3, 4).unbind()
    assert built.module(*layers[:2], torch.ones(5, 3)).shape == (5, 3, 4)
    settings = heads.HeadSettings(4, 3, 0.1, 0.02, torch.nn.Identity())
    assert sum(p.numel() for p in heads.build_head("new", settings).parameters()) == 4 * 3 + 3 + 20
    assert tasks.load_task("new").name == task_name


def test_every_page_is_in_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    missing = [
        str(p.relative_to(DOCS)) for p in PAGES if str(p.relative_to(DOCS)) not in navigation
    ]
    assert not missing
