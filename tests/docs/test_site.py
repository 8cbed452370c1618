"""What `make docs`, which CI runs with warnings as errors, cannot say: every page has its place on the site."""

import re
import sys

import pytest

from tests.docs.checks import ROOT

DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def parts():
    """The site's own parts of Sphinx."""
    sys.path.insert(0, str(DOCS))
    try:
        from sphinx_parts import navigation, python_reference, root_pages

        yield {"navigation": navigation, "python": python_reference, "root": root_pages}
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

    page = parts["python"].PLACE.sub(lambda _: parts["python"].reference(), (DOCS / "python.md").read_text())
    documented = re.findall(r"^\.\. auto(?:class|function):: (\S+)$", page, re.MULTILINE)
    assert len(documented) == len(set(documented))
    assert {name.rpartition(".")[2] for name in documented} >= set(raymm.PUBLIC)
    assert {f"raymm.errors.{name}" for name in ("RaymmError", "DataError", "ConfigError")} <= set(documented)


def test_a_formula_in_a_docstring_stays_one(parts):
    assert (
        parts["python"].as_text("docs/tasks.md: |C| * `a|b`, np.str_") == r":doc:`/tasks`: \|C\| \* `a|b`, np.str\_"
    )
