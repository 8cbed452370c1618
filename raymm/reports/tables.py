"""Tables of text: in Markdown, and for a terminal."""

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from math import isnan

from rich.console import Console
from rich.table import Table

__all__ = ["columns_markdown", "markdown_table", "number_text", "plain_table", "text_table"]


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    r"""Lines of a table of cells in Markdown; a cell is put on one line, and a `|` in it does not end it.

    Examples
    --------
    >>> markdown_table(["class", "phi"], [["a|b", "1.5"]])
    ['| class | phi |', '|---|---|', '| a\\|b | 1.5 |']
    """
    lines = ["| " + " | ".join(map(_cell, cells)) + " |" for cells in (header, *rows)]
    return [lines[0], "|" + "---|" * len(header), *lines[1:]]


def plain_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    r"""Lines of a table of plain text: what would be HTML, an entity or code in Markdown is shown as it is.

    >>> plain_table(["class", "phi < 0"], [["<i>&amp;</i>", "`a|b`"]])[2]
    '| &lt;i>&amp;amp;&lt;/i> | \\`a\\|b\\` |'
    """
    return markdown_table([*map(_escaped, header)], ([*map(_escaped, cells)] for cells in rows))


def columns_markdown(columns: Mapping[str, str]) -> str:
    r"""What the columns of a table are, by their heads, as a list below it.

    >>> columns_markdown({"arm": "what was trained", "p": "p value"})
    '- **arm**: what was trained\n- **p**: p value'
    """
    return "\n".join(f"- **{head}**: {means}" for head, means in columns.items())


def text_table(header: Sequence[str], rows: Iterable[Sequence[str]], numbers: int = 0, width: int = 80) -> list[str]:
    """Lines of a table for a terminal; the last column is wrapped where it does not fit.

    Parameters
    ----------
    numbers
        How many of the first columns hold numbers, which are aligned at the right.
    width
        Columns of the terminal.

    Examples
    --------
    >>> text_table(["trial", "settings"], [["10", "lr=0.1"]], numbers=1)
    ['trial  settings', '   10  lr=0.1']
    """
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="")
    for position, name in enumerate(header):
        last = position == len(header) - 1
        table.add_column(name, justify="right" if position < numbers else "left", no_wrap=not last, overflow="fold")
    for cells in rows:
        table.add_row(*cells)
    text = io.StringIO()
    Console(file=text, width=width, markup=False, emoji=False, highlight=False, color_system=None).print(table)
    return [line.rstrip() for line in text.getvalue().splitlines()]


def number_text(value: float | None, digits: int = 3) -> str:
    """A number with decimals, without a sign where it is rounded to zero; a dash where there is none.

    >>> number_text(-0.25), number_text(-0.001, 2), number_text(None)
    ('-0.250', '0.00', '-')
    """
    return "-" if value is None or isnan(value) else f"{value:z.{digits}f}"


def _escaped(text: str) -> str:
    """An ampersand of an entity, an angle bracket of a tag and a backtick are escaped; "p < 0.1" stays legible."""
    text = re.sub(r"&(?=#?\w+;)", "&amp;", text)
    return re.sub(r"<(?=[A-Za-z/!?])", "&lt;", text).replace("`", r"\`")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")
