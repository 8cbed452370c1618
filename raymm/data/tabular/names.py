"""Names of columns: each stands once."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from raymm.errors import DataError, Problems

__all__ = ["refuse_repeated"]


def refuse_repeated(path: Path, columns: Sequence[str]) -> None:
    """Raise `DataError` when two columns have one name; columns without a name do not count."""
    problems = Problems(str(path))
    for name, count in Counter(columns).items():
        if name and count > 1:
            problems.add(f"column '{name}' appears {count} times; rename or remove all but one")
    problems.raise_if_any(DataError)
