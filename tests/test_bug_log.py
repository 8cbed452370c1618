"""Every public bug report that was tried on raymm has its tests, and they are there, with all of their variants."""

import ast
import re
from functools import cache
from importlib import import_module
from math import prod
from pathlib import Path

import pytest

from tests.bug_log import LISTED, NO_ROW, ROWS

ROOT = Path(__file__).parents[1]
TESTS = sorted({test for _, tests in ROWS.values() for test in tests})
FILES = sorted({test.partition("::")[0] for test in TESTS})
DRAWS = re.compile(r"@given|Generator|DRAWN|ODD_NAMES")
"""Words of a test that draws what it tries, by hypothesis or by a seeded generator."""
EXAMPLES = re.compile(r"max_examples=(\d+)")
VARIANTS = 3
"""Fewest of a row; what a seeded generator draws in a test counts as so many."""


@cache
def functions(file):
    """The text of each function of a file, with its decorators, by name."""
    body = ast.parse((ROOT / file).read_text(encoding="utf-8")).body
    return {node.name: ast.unparse(node) for node in body if isinstance(node, ast.FunctionDef)}


def text(test):
    file, _, name = test.partition("::")
    return functions(file)[name]


def listed(test):
    """How many cases a test lists: the product over its marks `parametrize`."""
    file, _, name = test.partition("::")
    function = getattr(import_module(file.removesuffix(".py").replace("/", ".")), name)
    marks = [mark for mark in getattr(function, "pytestmark", []) if mark.name == "parametrize"]
    return prod(len(list(mark.args[1])) for mark in marks)


def drawn(test):
    """How many variants of each case a test draws; 1 where it draws none."""
    if "@given" in text(test):
        return int(found[1]) if (found := EXAMPLES.search(text(test))) else VARIANTS
    return VARIANTS if DRAWS.search(text(test)) else 1


def test_every_row_stands_in_the_map():
    assert set(ROWS) == (set(range(1, 57)) - NO_ROW) | {f"V{number}" for number in range(1, 11)}
    assert all(words for words, _ in ROWS.values())


@pytest.mark.parametrize("row", ROWS)
def test_a_row_has_a_test_that_draws_and_three_variants(row):
    _, tests = ROWS[row]
    assert [test for test in tests if DRAWS.search(text(test))]
    assert all(drawn(test) >= VARIANTS for test in tests if DRAWS.search(text(test)))
    assert sum(listed(test) * drawn(test) for test in tests) >= VARIANTS


def test_no_case_that_was_listed_is_left_out():
    now = {test: count for test in TESTS if (count := listed(test)) > 1}
    assert {test: (LISTED.get(test), count) for test, count in now.items() if LISTED.get(test) != count} == {}
    assert sorted(set(LISTED) - set(now)) == []


@pytest.mark.parametrize("file", FILES)
def test_the_tests_that_are_named_exist(file):
    named = [test.partition("::")[2] for test in TESTS if test.startswith(f"{file}::")]
    assert sorted(set(named) - set(functions(file))) == []
    assert all(name.startswith("test_") for name in named)
