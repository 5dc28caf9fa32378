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


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    plain = (re.sub(r"[`*]", "", heading).strip().lower() for heading in headings)
    return {re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", heading)) for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
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


def test_every_page_is_in_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    missing = [
        str(p.relative_to(DOCS)) for p in PAGES if str(p.relative_to(DOCS)) not in navigation
    ]
    assert not missing
