"""What `make docs`, which CI runs with warnings as errors, cannot say: every page has its place on the site."""

import re
import sys

import click
import pyarrow.parquet as pq
import pytest

from raymm.cli import VERBS, cli
from raymm.valuation.table import TableInfo
from raymm.valuation.table_file import TableWriter
from tests.docs.checks import ROOT

DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def parts():
    """The site's own parts of Sphinx."""
    sys.path.insert(0, str(DOCS))
    try:
        from sphinx_parts import command_line, filling, navigation, python_reference, root_pages

        named = {"navigation": navigation, "python": python_reference, "root": root_pages}
        yield named | {"cli": command_line, "filling": filling}
    finally:
        sys.path.remove(str(DOCS))


def pages():
    names = (path.relative_to(DOCS).with_suffix("").as_posix() for path in DOCS.rglob("*.md"))
    return sorted(name for name in names if not name.endswith("/reading"))


def test_every_page_stands_in_the_navigation_once(parts):
    trees = [*parts["navigation"].GROUPS.values(), *parts["navigation"].BELOW.values()]
    named = [name for tree in trees for name in tree]
    assert sorted(named) == pages()
    assert set(parts["navigation"].BELOW) <= set(named)


def test_every_page_of_the_root_is_a_page_of_the_site(parts):
    named = {name: (DOCS / f"{page}.md").read_text() for name, page in parts["root"].PAGES.items()}
    del named["README"]  # the site's first page is its own
    for name, text in named.items():
        assert parts["root"].ONLY_A_LINK.fullmatch(text)[1] == f"{name}.md"
        assert (ROOT / f"{name}.md").is_file()


def test_the_reference_of_python_has_every_public_name_once(parts):
    import raymm

    page = parts["filling"].filled((DOCS / "python.md").read_text())
    documented = re.findall(r"^\.\. auto(?:class|function):: (\S+)$", page, re.MULTILINE)
    assert len(documented) == len(set(documented))
    assert {name.rpartition(".")[2] for name in documented} >= set(raymm.PUBLIC)
    assert {f"raymm.errors.{name}" for name in ("RaymmError", "DataError", "ConfigError")} <= set(documented)


def test_a_formula_in_a_docstring_stays_one(parts):
    assert (
        parts["python"].as_text("docs/tasks.md: |C| * `a|b`, np.str_") == r":doc:`/tasks`: \|C\| \* `a|b`, np.str\_"
    )


def test_the_reference_of_the_command_line_has_every_option_of_every_verb(parts):
    page = parts["filling"].filled((DOCS / "cli.md").read_text())
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))
    assert tuple(sections) == VERBS
    for verb, text in sections.items():
        options = [name for one in cli.get_command(click.Context(cli), verb).params for name in one.opts]
        assert [name for name in options if name.startswith("--") and name not in text] == []


def test_every_place_is_filled_and_every_part_has_a_place(parts):
    text = "".join(path.read_text() for path in DOCS.rglob("*.md"))
    assert sorted(parts["filling"].PLACE.findall(text)) == sorted(parts["filling"].PARTS)
    assert text.count("<!-- The site") == len(parts["filling"].PARTS)


def test_the_formats_have_every_column_of_a_table_that_was_written(parts, tmp_path):
    info = TableInfo(("audio", "rgb"), "count", "zeros", "0" * 16, method="sampled", budget=2, classes=2)
    with TableWriter(tmp_path / "t.parquet", info):
        pass
    page = parts["filling"].filled((DOCS / "formats.md").read_text())
    for column in pq.read_schema(tmp_path / "t.parquet"):
        name = re.sub("_(audio|rgb)$", "_MODALITY", column.name)
        assert re.search(rf"^\| `{name}` \| .*`{re.escape(str(column.type))}`", page, re.MULTILINE), column
    assert "RUN/result/" in page


def test_the_verbs_that_are_no_function_are_those_that_the_page_names():
    import raymm

    said = re.search(r"Every verb but (.*?) is", (DOCS / "cli.md").read_text())[1]
    assert set(re.findall(r"`(\w+)`", said)) == set(VERBS) - set(raymm.PUBLIC)
