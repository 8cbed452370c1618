"""What lies below a folder that is no run itself: for the message to somebody who gave a folder of runs."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from raymm.counts import counted
from raymm.storage import layout
from raymm.storage.directory import is_committed
from raymm.storage.layout import result_folder

__all__ = ["below_in_words", "instead_of", "places_below", "report_command"]

KINDS = {"run": layout.RUN, "sweep": layout.SWEEP, "study": layout.STUDY}
"""The file that makes a folder one of them."""
DEPTH = 2
"""Folders below the given one that are looked into: RUNS/joint and RUNS/joint/seed-0."""
NAMED = 5
"""Names in a message, and the most runs that a command puts side by side."""


def places_below(folder: Path) -> dict[str, list[Path]]:
    """Runs, sweeps and studies at most two folders below one, by "run", "sweep" and "study", sorted."""
    found: dict[str, list[Path]] = {kind: [] for kind in KINDS}
    with suppress(OSError):  # not ours to read
        for depth in range(1, DEPTH + 1):
            for kind, file in KINDS.items():
                found[kind] += sorted(each.parent for each in folder.glob("/".join(["*"] * depth + [file])))
    return {kind: paths for kind, paths in found.items() if paths}


def below_in_words(folder: Path, found: Mapping[str, Sequence[Path]]) -> str:
    """What was found below a folder, with the names: "2 runs below it: joint, sample"; empty where nothing was."""
    return "; ".join(
        f"{counted(len(paths), kind)} below it: {_names(folder, paths)}" for kind, paths in found.items()
    )


def instead_of(folder: Path) -> str:
    """What an error says after "there is none": ", but 2 runs below it: ...; give one of them"; "" where none is."""
    below = places_below(folder)
    return f", but {below_in_words(folder, below)}; give one of them" if below else ""


def report_command(found: Mapping[str, Sequence[Path]]) -> str:
    """The command that reports on what was found: all finished runs side by side, else one sweep or study."""
    done = [path for path in found.get("run", ()) if is_committed(result_folder(path))][:NAMED]
    asked = done or [*found.get("study", ()), *found.get("sweep", ())][:1]
    return shlex.join(["raymm", "report", *map(str, asked)]) if asked else ""


def _names(folder: Path, paths: Sequence[Path]) -> str:
    names = [path.relative_to(folder).as_posix() for path in paths[:NAMED]]
    more = len(paths) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")
