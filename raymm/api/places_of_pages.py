"""Where pages and reports may go: not among the files of a run, a study, a sweep or a data set, and over none."""

from __future__ import annotations

from pathlib import Path

from raymm.errors import ConfigError
from raymm.storage import layout

__all__ = ["refuse_page", "refuse_report"]

OWNERS = {
    layout.RUN: "a run",
    layout.STUDY: "a study",
    layout.SWEEP: "a sweep",
    layout.MANIFEST: "a data set or model",
}
"""By the file that makes a folder one of them."""
PARTS = {layout.RESULT, layout.EPOCHS, layout.PLOTS, layout.TABLES, layout.RUNS, layout.REPORT, layout.SUMMARY}
"""Folders in one of them that are its own too."""


def refuse_report(where: str, folder: Path) -> None:
    """Raise `ConfigError` where the files of a report would go among those of something else.

    Parameters
    ----------
    where
        The argument, for the message.
    folder
        Of the report; one that holds an earlier report is written again.
    """
    if found := _owner(folder):
        raise ConfigError(f"{where}: {folder} {found}; choose another folder, such as comparison")


def refuse_page(where: str, page: Path, own: Path | None = None) -> None:
    """Raise `ConfigError` where a page would go among the files of something else, or in the place of no page.

    Parameters
    ----------
    where, page
        The argument, for the message, and what it is.
    own
        The folder that the page is of, which may hold it, as may a folder in it.
    """
    folder = page.absolute().parent
    if not (found := _owner(folder)):
        return
    if own is None or own.resolve() not in (folder.resolve(), folder.resolve().parent):
        raise ConfigError(f"{where}: {folder} {found}; give a page in another folder, such as pages/{page.name}")
    if page.suffix != ".html":
        raise ConfigError(f"{where}: {folder} {found}, and {page.name} is no name of a page there; give one of .html")


def _owner(folder: Path) -> str:
    """What a folder is, or what its parent is of which it is a part, in words; "" where it is neither."""
    place = folder.absolute()
    if found := [file for file in OWNERS if (place / file).exists()]:
        return f"is {OWNERS[found[0]]} (it holds {found[0]})"
    above = [file for file in OWNERS if (place.parent / file).exists()] if place.name in PARTS else []
    return f"belongs to {OWNERS[above[0]]} ({place.parent} holds {above[0]})" if above else ""
