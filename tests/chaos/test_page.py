"""The page says what the tests are."""

import subprocess
import sys
from pathlib import Path

from tests.chaos.page import RowTest, render
from tests.chaos.rows import PARTS

ROOT = Path(__file__).parents[2]


def test_the_rows_are_those_of_the_scorecard():
    ids = [row.id for part in PARTS for row in part.rows]
    assert len(set(ids)) == len(ids)
    assert [len(part.rows) for part in PARTS] == [40, 15, 80, 8, 5]
    assert sum(part.points for part in PARTS) == 100


def test_a_row_without_a_test_or_with_one_that_fails_has_no_points():
    rows = [row.id for part in PARTS for row in part.rows]
    whole = {row: [RowTest(f"t.py::test_{row}")] for row in rows}
    assert "| **total** | | **100** | **100** |" in render(whole)
    assert "| **total** | | **99** |" in render({row: tests for row, tests in whole.items() if row != "F20"})
    failing = render({**whole, "S4": [RowTest("t.py::test_S4"), RowTest("t.py::test_S4_too", "one gets out")]})
    assert "| **total** | | **98.12** |" in failing
    assert "`t.py::test_S4`<br>`t.py::test_S4_too` | one gets out |" in failing


def test_the_page_is_what_the_tests_are():
    command = [sys.executable, "-m", "tests.chaos.page", "--check"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert ended.returncode == 0, f"docs/reliability.md: run `python -m tests.chaos.page`\n{ended.stderr}"
