"""Writes the tables of docs/reliability.md from the rows and the tests that are there: `python -m tests.chaos.page`.

With `--check` it writes nothing and ends with 1 where the page is not what it would write. A row holds when it has a
test and none that is expected to fail; `make chaos` runs them.
"""

import contextlib
import io
import re
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chaos.rows import PARTS, Part, Row

__all__ = ["RowTest", "collect", "render"]

FOLDER = Path(__file__).parent
PAGE = FOLDER.parents[1] / "docs" / "reliability.md"
START, END = "<!-- rows: written by `python -m tests.chaos.page` -->", "<!-- end of rows -->"
NAME = re.compile(r"(?<![A-Za-z0-9])(?:F\d\d|I\d\d|S\d|D\d|B_[a-z]+_\d\d)(?![A-Za-z0-9])")


@dataclass(frozen=True, order=True)
class RowTest:
    """A test of a row, and why it is expected to fail, if it is."""

    name: str
    fails: str = ""


class _Collector:
    def __init__(self):
        self.items = []

    def pytest_collection_finish(self, session):
        self.items = list(session.items)


def _named(item):
    """Rows of a test, each with the name to show: with the parameter where that is what names the row."""
    function, _, parameter = item.name.partition("[")
    marks = item.get_closest_marker("xfail")
    fails = marks.kwargs.get("reason", "no reason given") if marks else ""
    where = f"{item.path.name}::{function}"
    yield from ((row, RowTest(where, fails)) for row in NAME.findall(function))
    yield from ((row, RowTest(f"{where}[{parameter}", fails)) for row in NAME.findall(parameter))


def collect():
    """The tests of each row, by its id."""
    collector, said = _Collector(), io.StringIO()
    with contextlib.redirect_stdout(said):
        code = pytest.main(["--collect-only", "-q", "-m", "", "-p", "no:cacheprovider", str(FOLDER)], [collector])
    if code != pytest.ExitCode.OK:
        raise SystemExit(f"the tests cannot be collected:\n{said.getvalue()}")
    tests = defaultdict(set)
    for item in collector.items:
        for row, test in _named(item):
            tests[row].add(test)
    return {row: sorted(found) for row, found in tests.items()}


def _result(tests):
    if not tests:
        return "no test"
    return "; ".join(sorted({test.fails for test in tests if test.fails})) or "holds"


def _line(row: Row, tests):
    shown = "<br>".join(f"`{test.name}`" for test in tests)
    return f"| {row.id} | {row.what} | {row.holds} | {shown} | {_result(tests)} |"


def _part(part: Part, tests):
    held = sum(_result(tests.get(row.id)) == "holds" for row in part.rows)
    lines = [_line(row, tests.get(row.id, [])) for row in part.rows]
    head = ["| row | what is done | what must hold | test | result |", "|---|---|---|---|---|"]
    return held, "\n".join([f"## {part.title}: {held} of {len(part.rows)}", "", *head, *lines])


def _points(points):
    return f"{points:.2f}".rstrip("0").rstrip(".")


def render(tests):
    """The generated part of the page."""
    total, summary, parts = 0.0, [], []
    for part in PARTS:
        held, text = _part(part, tests)
        points = part.points * held / len(part.rows)
        total += points
        summary.append(f"| {part.title} | {held} of {len(part.rows)} | {_points(points)} | {_points(part.points)} |")
        parts.append(text)
    whole = _points(sum(part.points for part in PARTS))
    head = ["| part | rows that hold | points | of |", "|---|---|---|---|", *summary]
    return "\n\n".join(["\n".join([*head, f"| **total** | | **{_points(total)}** | **{whole}** |"]), *parts])


def main(arguments):
    """Write the page, or check it."""
    tests = collect()
    known = {row.id for part in PARTS for row in part.rows}
    if unknown := sorted(set(tests) - known):
        raise SystemExit(f"tests of rows that tests/chaos/rows.py does not have: {', '.join(unknown)}")
    if without := sorted(known - set(tests)):
        raise SystemExit(f"rows without a test: {', '.join(without)}")
    before = PAGE.read_text()
    head, _, rest = before.partition(START)
    text = f"{head}{START}\n\n{render(tests)}\n\n{END}{rest.partition(END)[2]}"
    if arguments == ["--check"]:
        return int(text != before)
    PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
