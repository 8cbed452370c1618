"""Tables in Markdown."""

from collections.abc import Iterable, Sequence

__all__ = ["markdown_table"]


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    r"""Lines of a table; a cell is put on one line, and a `|` in it does not end it.

    Examples
    --------
    >>> markdown_table(["class", "phi"], [["a|b", "1.5"]])
    ['| class | phi |', '|---|---|', '| a\\|b | 1.5 |']
    """
    lines = ["| " + " | ".join(map(_cell, cells)) + " |" for cells in (header, *rows)]
    return [lines[0], "|" + "---|" * len(header), *lines[1:]]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")
