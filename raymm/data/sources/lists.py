"""Published lists: found under the names that they have in the wild, read line by line, mistakes named by line."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from raymm.errors import Problems

__all__ = ["LineError", "Lists", "is_whole"]

Line = TypeVar("Line", str, list[str])
T = TypeVar("T")

SHOWN = 120
"""Letters of a line that a message shows."""


DIGITS = 9
"""Of a second, a frame or a class at most."""


def is_whole(text: str) -> bool:
    """Whether a field is a whole number of seconds, frames or classes.

    >>> is_whole("000168"), is_whole("-1"), is_whole("1" * 5000)
    (True, False, False)
    """
    return text.isdecimal() and len(text) <= DIGITS


class LineError(Exception):
    """A line of a list is not what it must be; says what was expected."""


@dataclass(frozen=True)
class Lists:
    """The lists below a root; whatever is wrong with them goes to `problems`."""

    root: Path
    problems: Problems

    def find(self, names: Sequence[str], what: str, required: bool = True) -> Path | None:
        """The first of some files that is there; None, and a problem where it is required, when none is."""
        found = next((self.root / name for name in names if (self.root / name).is_file()), None)
        if found is None and required:
            self.problems.add(f"there is no {' or '.join(names)}: {what}")
        return found

    def lines(self, path: Path, parse: Callable[[str], T]) -> list[T]:
        """What `parse` makes of each line that is not empty; it raises `LineError` for one that it cannot read."""
        numbered = enumerate(self.text(path).splitlines(), start=1)
        return self._parsed(path, [(number, line.strip()) for number, line in numbered if line.strip()], parse)

    def rows(self, path: Path, parse: Callable[[list[str]], T]) -> list[T]:
        """What `parse` makes of each row of a CSV file; a row is named by its last line."""
        reader = csv.reader(io.StringIO(self.text(path), newline=""))
        rows: list[tuple[int, list[str]]] = []
        try:
            rows.extend((reader.line_num, row) for row in reader if row)
        except csv.Error as cause:
            self.problems.add(f"{self.called(path)}, line {reader.line_num}: is no CSV ({cause})")
        return self._parsed(path, rows, parse)

    def text(self, path: Path) -> str:
        """The text of a file in UTF-8; empty, and a problem, when it is in another encoding."""
        try:
            return path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as cause:
            self.problems.add(f"{self.called(path)}: is not UTF-8 (byte {cause.start}); convert it")
            return ""

    def called(self, path: Path) -> str:
        """The name of a file relative to the root."""
        return path.relative_to(self.root).as_posix()

    def _parsed(self, path: Path, lines: Sequence[tuple[int, Line]], parse: Callable[[Line], T]) -> list[T]:
        found: list[T] = []
        before = len(self.problems.items)
        for number, line in lines:
            try:
                found.append(parse(line))
            except (LineError, ValueError) as cause:  # the latter of a number of thousands of digits
                shown = line if isinstance(line, str) else ",".join(line)
                cut = shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}..."
                self.problems.add(f"{self.called(path)}, line {number}: '{cut}' {cause}")
        if not found and before == len(self.problems.items):
            self.problems.add(f"{self.called(path)}: names no samples")
        return found
