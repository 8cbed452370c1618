"""The status of runs, sweeps and studies for people: a table where the terminal has room for it, else sentences."""

from __future__ import annotations

import textwrap
import time
from typing import TYPE_CHECKING

from raymm.api.progress import clock, pace_of
from raymm.storage.layout import short_path
from raymm.tracking.epoch_text import WIDTH, short_name, short_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from raymm.api.status_entry import Status

__all__ = ["status_lines"]

HEADS = ("state", "kind", "done", "best", "time", "seen")
AT_THE_RIGHT = {"done", "best", "time", "seen"}
FEWEST_OF_PATH = 16
"""Columns that a table must have left for where an entry lies; else each is told in sentences."""
MOST_LINES = 3
"""Of why something failed."""
UNIT = {"run": "epochs", "sweep": "trials", "study": "runs"}
NONE = "-"
TIED = "\N{NO-BREAK SPACE}"


def status_lines(entries: Sequence[Status], width: int = WIDTH) -> list[str]:
    """Entries in lines of at most `width` columns, which must be 20 at least.

    In the table `best` has the name of its metric: the validation metric that picks the model.
    """
    rows = [_cells(one) for one in entries]
    widths = [max(map(len, column)) for column in zip(HEADS, *rows, strict=True)]
    room = width - sum(widths) - len(widths) - 1
    if room < FEWEST_OF_PATH:
        return [line for one in entries for line in _in_sentences(one, width)]
    lines = [f"{_row(HEADS, widths)}  where"]
    for one, cells in zip(entries, rows, strict=True):
        lines.append(f"{_row(cells, widths)}  {short_name(short_path(one.path), room)}")
        lines += _below(one, width, " " * (widths[0] + 1))
    return lines


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    sides = (">" if head in AT_THE_RIGHT else "<" for head in HEADS)
    return " ".join(f"{cell:{side}{size}}" for cell, side, size in zip(cells, sides, widths, strict=True))


def _cells(one: Status) -> tuple[str, ...]:
    return (
        one.state,
        one.kind,
        NONE if one.done is None else f"{one.done}/{'?' if one.of is None else one.of}",
        _best(one) or NONE,
        NONE if one.seconds is None else clock(one.seconds),
        NONE if one.seen is None else _age(time.time() - one.seen),
    )


def _in_sentences(one: Status, width: int) -> list[str]:
    """An entry below its path."""
    state, kind, done, best, seconds, seen = _cells(one)
    said = [f"{state} {kind}"]
    said += [] if done == NONE else [f"{done} {UNIT[one.kind]}"]
    said += [] if best == NONE else [f"best {best}"]
    said += [] if seconds == NONE else [f"time {seconds}"]
    said += [] if seen == NONE else [f"seen {seen} ago"]
    whole = ", ".join(words.replace(" ", TIED) for words in said)  # so that lines end between what is said
    lines = textwrap.wrap(whole, width, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)
    about = [line.replace(TIED, " ") for line in lines]
    return [short_name(short_path(one.path), width), *about, *_below(one, width, "  ")]


def _below(one: Status, width: int, indent: str) -> list[str]:
    """What is trained at this moment, and what went wrong."""
    lines = []
    for text in (_now(one), one.cause):
        lines += textwrap.wrap(
            text,
            width,
            initial_indent=indent,
            subsequent_indent=indent,
            max_lines=MOST_LINES,
            placeholder=" ...",
            break_on_hyphens=False,
        )
    return lines


def _best(one: Status) -> str:
    return "" if one.score is None else f"{one.selection} {short_number(one.score)}".strip()


def _now(one: Status) -> str:
    owner = one.lock.owner if one.lock and one.state in {"running", "silent"} else None
    who = f"process {owner.pid} on {owner.host}" if owner else ""
    state = one.progress
    what = f"epoch {state.epoch}/{state.epochs}  {pace_of(state)}" if state and one.state == "running" else ""
    return "  ".join(filter(None, (what, who)))


def _age(seconds: float) -> str:
    """How long ago, in one unit.

    >>> _age(5), _age(200), _age(9000), _age(300000)
    ('5 s', '3 min', '2 h', '3 d')
    """
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
