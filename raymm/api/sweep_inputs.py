"""Which arguments of `raymm.sweep` go together, in the words of a program or of a command line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from raymm.errors import ConfigError

__all__ = ["folder_of", "refuse_settings"]


def folder_of(
    data: str | Path | None,
    space: str | None,
    out: str | Path | None,
    resume: str | None,
    retry_failed: bool,
    spelled: Callable[[str], str] = str,
) -> Path:
    """The folder of a new sweep, or of one that goes on.

    Parameters
    ----------
    spelled
        How an argument is written for the person who gave it.

    Raises
    ------
    ConfigError
        For arguments that make neither a new sweep nor an earlier one.
    """
    resumes, into = spelled("resume"), spelled("out")
    if resume is not None:
        if out is None and "://" in resume:
            raise ConfigError(f"{resumes} {resume}: give {into}, the folder to bring the sweep to")
        return Path(resume if out is None else out)
    if retry_failed:
        raise ConfigError(f"{spelled('retry_failed')} tries the trials of a sweep again; give {resumes} SWEEP")
    if data is None or space is None or out is None:
        raise ConfigError(
            f"give {spelled('data')}, {spelled('space')} and {into} for a new sweep, or {resumes} SWEEP"
        )
    return Path(out)


def refuse_settings(given: Sequence[str], spelled: Callable[[str], str] = str) -> None:
    """A resumed sweep keeps its settings: raise `ConfigError` for arguments that would change them."""
    if given:
        raise ConfigError(f"{spelled('resume')} goes on with the sweep as it was made; leave out {', '.join(given)}")
