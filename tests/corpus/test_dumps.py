"""Dumps of every form give the articles that they hold, through the real wikiextractor."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from dump_files import PAGES, SITE, dump, extract, page, read, write

from bbert.corpus import dumps as dumps_module
from bbert.corpus.dumps import check_wikiextractor, clean_article, extract_dumps
from bbert.corpus.wiki_pages import SiteInfo, mark_headings, read_pages, write_articles
from bbert.corpus.workers import ALONE, Workers
from bbert.errors import InputError


@pytest.fixture(scope="module")
def expected(tmp_path_factory) -> list[list[str]]:
    return extract(write(tmp_path_factory.mktemp("dump"), dump(PAGES)))[0]


def test_articles_without_headings_markup_or_other_pages(tmp_path: Path, expected):
    documents, counts = extract(write(tmp_path, dump(PAGES)))
    assert documents == expected
    assert counts == {
        "pages": 6, "articles": 3, "redirects": 1, "templates": 1, "other_pages": 1,
        "documents": 3, "headings": 6, "paragraphs": sum(map(len, expected)),
    }  # fmt: skip
    text = "\n".join(map("\n".join, documents))
    assert documents[0][0].startswith("Article 1 is about things. ")
    assert len(documents[0]) == 4
    for markup in ("History", "Early life", "See also", "[[", "{", "|", "<", "'''", "heading"):
        assert markup not in text


def one_line(text: str) -> str:
    """Without a line break, but for those of the articles, as character references."""
    inside = text.split("<text")
    return inside[0].replace("\n", "") + "".join(
        "<text" + body.partition("</text>")[0].replace("\n", "&#10;") + "</text>"
        + body.partition("</text>")[2].replace("\n", "")
        for body in inside[1:]
    )  # fmt: skip


FORMS = {
    "bz2": lambda folder: write(folder, dump(PAGES), "dump.xml.bz2"),
    "gz": lambda folder: write(folder, dump(PAGES), "dump.xml.gz"),
    "utf-16": lambda folder: write(folder, dump(PAGES), encoding="utf-16"),
    "utf-8 mark": lambda folder: write(folder, dump(PAGES), encoding="utf-8-sig"),
    "one line": lambda folder: write(folder, one_line(dump(PAGES))),
    "windows": lambda folder: write(folder, dump(PAGES).replace("\n", "\r\n")),
    "latin-1": lambda folder: write(
        folder, '<?xml version="1.0" encoding="ISO-8859-1"?>\n' + dump(PAGES), encoding="latin-1"
    ),
    "no namespaces": lambda folder: write(
        folder, dump([p.replace("<ns>0</ns>", "").replace("<ns>1</ns>", "") for p in PAGES])
    ),
    "unmarked redirects": lambda folder: write(
        folder, dump(PAGES).replace('<redirect title="Elsewhere" />', "")
    ),
    "no site information": lambda folder: write(folder, dump(PAGES, site="")),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_dump_gives_the_same_text(tmp_path: Path, form: str, expected):
    assert extract(FORMS[form](tmp_path))[0] == expected


def test_parts_and_processes_do_not_show(tmp_path: Path, expected):
    parts = [write(tmp_path, dump(PAGES[:2]), "p1.xml"), write(tmp_path, dump(PAGES[2:]), "p2.xml")]
    found, contents = {}, set()
    for processes in (1, 2, 3):
        found[processes], counts = extract(*parts, processes=processes)
        assert counts["articles"] == 3
        contents.add((tmp_path / "text.txt.zst").read_bytes())
        assert found[processes] == expected
    assert len(contents) == 1


def test_a_template_of_one_part_serves_the_articles_of_another(tmp_path: Path):
    template = page("Template:Said", "Said {{{1}}}.", namespace="10", number=9)
    parts = [
        write(tmp_path, dump([page("A", "One word. {{Said|yes}}")]), "p1.xml"),
        write(tmp_path, dump([template, page("B", "Two words. {{Said|no}}")]), "p2.xml"),
    ]
    documents, counts = extract(*parts, processes=2)
    assert documents == [["One word. Said yes."], ["Two words. Said no."]]
    assert counts["templates"] == 1


def test_finished_parts_are_not_done_again(tmp_path: Path, monkeypatch):
    parts = [write(tmp_path, dump([PAGES[i]]), f"p{i}.xml") for i in (0, 3, 5)]
    expected = extract(*parts)
    extracted: list[str] = []
    original = dumps_module._extract

    def until_the_third(articles: Path, *rest):
        if len(extracted) == 2:
            raise KeyboardInterrupt
        extracted.append(articles.name)
        return original(articles, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(dumps_module, "_extract", until_the_third)
        with pytest.raises(KeyboardInterrupt):
            extract(*parts)
        extracted[1:] = []
        patched.setattr(dumps_module, "write_articles", None)  # they are all read
        assert extract(*parts) == expected
    assert extracted == ["1.articles.xml.gz", "3.articles.xml.gz"]


def test_the_newest_revision_counts(tmp_path: Path):
    old = page("One", "Old words.").replace("</revision>", "</revision>\n<revision>", 1)
    both = old.replace(
        "<revision>\n  </page>", "<revision><text>New words.</text></revision></page>"
    )
    assert extract(write(tmp_path, dump([both])))[0] == [["New words."]]


def test_a_folder_with_modules_of_the_same_name_does_no_harm(tmp_path: Path, monkeypatch, expected):
    for module in ("html", "template", "extract", "urllib"):
        (tmp_path / f"{module}.py").write_text("raise SystemExit('wrong module')\n")
    monkeypatch.chdir(tmp_path)
    assert extract(write(tmp_path, dump(PAGES)))[0] == expected


def test_special_characters_come_through(tmp_path: Path):
    text = "A < B & C > D &amp; “E” — 漢字 \U00030edd 😀 नम\u200dस्ते &nbsp;end &#xD83D; of it."
    documents, _ = extract(write(tmp_path, dump([page("X", text)])))
    [[paragraph]] = documents
    words = "A < B & C > D & “E” — 漢字 \U00030edd 😀 नम\u200dस्ते end of it."
    assert paragraph.split() == words.split()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"just some text\nof two lines\n", "not XML"),
        (b"\xff\xd8\xff\xe0JFIF", "not XML|not UTF-8"),
        (b"<html><body>no</body></html>", "<html>, not of <mediawiki>"),
        (dump([]).encode(), "without a single page"),
        (dump(PAGES[1:3]).encode(), r"no article among its pages \(1 redirects, 1 other pages\)"),
        (dump(PAGES).encode()[:-200], "cut off"),
        (dump(PAGES).encode()[:1500], "cut off"),
        (dump(PAGES).replace("</title>", "</titel>", 1).encode(), "line 12, byte .*damaged XML"),
        (dump([page("X", "se\N{LATIN SMALL LETTER N WITH TILDE}or")]).encode("latin-1"),
         "line 22, byte .*not UTF-8"),
        (dump([page("X", "{{Infobox}}")]).encode(), "no text in any"),
    ],
)  # fmt: skip
def test_unusable_dumps_are_named_with_the_mend(tmp_path: Path, content: bytes, message: str):
    path = tmp_path / "dump.xml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"dump\.xml.*({message})") as caught:
        extract(path)
    assert str(caught.value).count("\n") <= 1


def test_reading_reports_all_bytes(tmp_path: Path):
    path = write(tmp_path, dump(PAGES), "dump.xml.bz2")
    seen: list[float] = []
    write_articles(path, tmp_path / "a.gz", tmp_path / "t.gz", seen.append)
    assert sum(seen) == path.stat().st_size


def test_site_information(tmp_path: Path):
    site = SiteInfo()
    pages = list(read_pages(write(tmp_path, dump(PAGES)), site))
    assert site.namespaces["10"] == "Template"
    assert site.namespace_of("Template:X") == "10"
    assert site.namespace_of("Kill Bill: Volume 1") == "0"
    assert [p.title for p in pages][-1] == "Q & A"
    assert SITE.count("namespace key") == len(site.namespaces)


def test_headings_are_marked_and_nothing_else():
    marked = mark_headings(
        "a\n== B c ==\n=D=\n=== E === <!-- x -->\n==\n= = =\n|x== 3\ny == 4 ==\n"
    )
    lines = marked.split("\n")
    assert [i for i, line in enumerate(lines) if "heading" in line] == [1, 2, 3, 5]
    assert all(line.startswith("==") for line in lines if "heading" in line)


def test_leftovers_are_cleaned():
    text = "Berlin (, ) is (; 1237) big.\n* item\n</onlyinclude>\nformula_3,\n(a, b) and formula_2."
    assert clean_article(text) == (
        ["Berlin is (1237) big.", "item", "(a, b) and formula_2."], 0,
    )  # fmt: skip


def test_a_missing_or_old_wikiextractor_is_named(monkeypatch):
    monkeypatch.setattr("importlib.metadata.version", lambda name: "3.0.6")
    with pytest.raises(InputError, match=r"3\.0\.6.*bbert\[wikiextractor\]"):
        check_wikiextractor()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"not installed.*bbert\[wikiextractor\]"):
        check_wikiextractor()


def test_wikiextractor_is_never_imported(tmp_path: Path):
    path = write(tmp_path, dump(PAGES))
    script = (
        "import sys\nfrom pathlib import Path\nfrom bbert.corpus.dumps import extract_dumps\n"
        "from bbert.corpus.workers import ALONE\n"
        f"folder = Path({json.dumps(str(tmp_path))})\n"
        f"extract_dumps([Path({json.dumps(str(path))})], folder / 't', folder / 'w', ALONE, 'en')\n"
        "assert not [m for m in sys.modules if m.startswith('wikiextractor')]\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


@pytest.mark.realdata
def test_real_dumps(real_data: Path, tmp_path: Path):
    wiki = real_data / "wiki"
    if not wiki.is_dir():
        pytest.skip(f"no dumps at {wiki}")
    for name, articles in (("eswiki", 1), ("ruwiki", 1), ("hiwiki", 1)):
        path = wiki / f"{name}-pages-articles.xml.bz2"
        counts = extract_dumps([path], tmp_path / "t", tmp_path / name, ALONE, name)
        assert (counts["articles"], counts["documents"]) == (articles, articles)
    target = tmp_path / "en.zst"
    path = wiki / "enwiki-pages-articles.xml.bz2"
    with Workers(2) as workers:
        counts = extract_dumps([path], target, tmp_path / "w", workers, "en")
    assert (counts["pages"], counts["articles"], counts["documents"]) == (206, 106, 105)
    text = read(target)
    assert "\nHistory.\n" not in text
    assert counts["headings"] > 1500
