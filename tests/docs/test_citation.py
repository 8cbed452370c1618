"""CITATION.cff has what the format asks for, and says the version and licence that the package has."""

import re
import tomllib

import yaml

import raymm
from bench.readme_picture import CONTROL, PICTURE, differences
from tests.docs.checks import ROOT

CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text())


def test_the_citation_is_of_this_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {"cff-version", "message", "title", "authors"} <= set(CITATION)
    assert CITATION["cff-version"] == "1.2.0"
    assert CITATION["type"] == "software"
    assert CITATION["version"] == raymm.__version__ == project["version"]
    assert CITATION["license"] == project["license"]
    assert all("name" in author or "family-names" in author for author in CITATION["authors"])


def test_the_paper_is_the_one_that_the_pages_name():
    (paper,) = CITATION["references"]
    assert {"type", "title", "authors", "year"} <= set(paper)
    (number,) = (one["value"].removeprefix("arXiv:") for one in paper["identifiers"])
    page = (ROOT / "docs" / "compare.md").read_text()
    assert number in page
    assert paper["title"] in page.replace("\n  ", " ")


def test_the_picture_of_the_readme_draws_what_its_table_says():
    table = (ROOT / "README.md").read_text()
    said = dict(re.findall(r"^\| (\w+)[^|]* \| [\d.]+ \| \*\*([+-][\d.]+)\*\*", table, re.MULTILINE))
    drawn = {arm: mean for arm, mean, *_ in differences()}
    assert len(drawn) == 13
    assert CONTROL not in drawn
    assert {arm: f"{drawn[arm]:+.1f}" for arm in said} == said
    assert len(said) == sum(verdict != "not shown" for *_, verdict in differences())
    assert PICTURE.stat().st_size < 150_000
