"""Every public bug report that was tried on raymm has its tests, and they are there."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.bug_log import NO_ROW, ROWS

ROOT = Path(__file__).parents[1]
FILES = sorted({test.partition("::")[0] for _, tests in ROWS.values() for test in tests})
DRAWS = re.compile(r"@given|Generator|DRAWN|ODD_NAMES")
"""Words of a test that draws what it tries, by hypothesis or by a seeded generator."""


@cache
def functions(file):
    """The text of each function of a file, with its decorators, by name."""
    body = ast.parse((ROOT / file).read_text(encoding="utf-8")).body
    return {node.name: ast.unparse(node) for node in body if isinstance(node, ast.FunctionDef)}


def test_every_row_stands_in_the_map():
    assert set(ROWS) == (set(range(1, 57)) - NO_ROW) | {f"V{number}" for number in range(1, 10)}
    assert all(words for words, _ in ROWS.values())


@pytest.mark.parametrize("row", ROWS)
def test_a_row_has_a_test_that_draws(row):
    _, tests = ROWS[row]
    assert [test for test in tests if DRAWS.search(functions(test.partition("::")[0])[test.partition("::")[2]])]


@pytest.mark.parametrize("file", FILES)
def test_the_tests_that_are_named_exist(file):
    named = [test.partition("::")[2] for _, tests in ROWS.values() for test in tests if test.startswith(f"{file}::")]
    assert sorted(set(named) - set(functions(file))) == []
    assert all(name.startswith("test_") for name in named)
