"""Names of columns: each stands once."""

from collections.abc import Sequence
from pathlib import Path

from raymm.errors import DataError, Problems

__all__ = ["refuse_repeated"]


def refuse_repeated(path: Path, columns: Sequence[str]) -> None:
    """Raise `DataError` when two columns have one name; columns without a name do not count."""
    problems = Problems(str(path))
    for name in dict.fromkeys(name for name in columns if name and columns.count(name) > 1):
        problems.add(f"column '{name}' appears {columns.count(name)} times; rename or remove all but one")
    problems.raise_if_any(DataError)
