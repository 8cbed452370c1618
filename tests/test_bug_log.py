"""Every public bug report that was tried on raymm has its tests, and they are there."""

import ast
from pathlib import Path

import pytest

from tests.bug_log import FEW, NO_ROW, NOT_YET, ROWS, UNDRAWN

ROOT = Path(__file__).parents[1]
FILES = sorted({test.partition("::")[0] for _, tests in ROWS.values() for test in tests})


def functions(path):
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return {node.name for node in body if isinstance(node, ast.FunctionDef)}


def test_every_row_stands_in_the_map():
    assert set(ROWS) == (set(range(1, 57)) - NO_ROW) | {f"V{number}" for number in range(1, 10)}
    assert all(words for words, _ in ROWS.values())


def test_a_row_has_tests_or_a_reason_why_not():
    assert {row for row, (_, tests) in ROWS.items() if not tests} == set(NOT_YET)
    assert all(NOT_YET.values())


def test_rows_that_are_open_are_rows_with_tests():
    assert set(ROWS) - set(NOT_YET) >= FEW | UNDRAWN
    assert not FEW & UNDRAWN


@pytest.mark.parametrize("file", FILES)
def test_the_tests_that_are_named_exist(file):
    named = [test.partition("::")[2] for _, tests in ROWS.values() for test in tests if test.startswith(f"{file}::")]
    assert sorted(set(named) - functions(ROOT / file)) == []
    assert all(name.startswith("test_") for name in named)
