"""One family of errors, each for the person who can correct it.

A message names the file, sample, field and value and says what to do. Checks that can find several
mistakes collect them with `Problems` and raise once, so that all can be corrected before the next run.
"""

import traceback
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from pathlib import Path
from reprlib import Repr

__all__ = [
    "SHOWN",
    "CheckpointError",
    "ClusterError",
    "ConfigError",
    "DataError",
    "ExportError",
    "LockedError",
    "Problems",
    "RaymmError",
    "TrackingError",
    "TrainingError",
    "briefly",
    "did_you_mean",
    "in_one_line",
    "is_of_own_code",
    "is_of_the_machine",
    "last_line",
    "messages_of",
    "missing_extra",
    "mistakes_in",
]

KNOWN = 200
"""Known words that a message lists at most."""

SHOWN = 50
"""Mistakes that are shown in full; of more, only how many there are is said."""

BRIEF = Repr()
BRIEF.maxstring = BRIEF.maxother = 60


class RaymmError(Exception):
    """Base of everything raymm raises on purpose; the CLI prints it in one line and exits with 2."""

    exit_code = 2


class ConfigError(RaymmError):
    """A setting is unknown, out of range, or does not fit another setting."""


class DataError(RaymmError):
    """A file, a sample or a data set on disk is not what it must be."""


class CheckpointError(RaymmError):
    """A run's committed state is missing, damaged, or belongs to another configuration."""


class ExportError(RaymmError):
    """A model cannot be written in a form that runs without raymm."""


class LockedError(RaymmError):
    """What is to be written has a writer already."""


class TrackingError(RaymmError):
    """The tracking store cannot be used at all (an unreachable server is not an error)."""


class ClusterError(RaymmError):
    """The Ray cluster cannot give what the configuration asks for."""


class TrainingError(RaymmError):
    """Training cannot go on, for example because the loss is no longer finite."""


class Problems:
    """Collects mistakes and raises them together, after what they are in, where that is said.

    >>> problems = Problems("labels.csv")
    >>> problems.add("row 3: label is empty")
    >>> problems.raise_if_any(DataError)
    Traceback (most recent call last):
    raymm.errors.DataError: labels.csv: row 3: label is empty
    """

    def __init__(self, where: str, items: Iterable[str] = ()) -> None:
        self.where = where
        self.items: list[str] = list(items)

    def add(self, message: str) -> None:
        """Remember one mistake."""
        self.items.append(message)

    def extend(self, messages: Iterable[str]) -> None:
        """Remember several mistakes."""
        self.items.extend(messages)

    def raise_if_any(self, error: type[RaymmError], most: int = SHOWN, note: str = "") -> None:
        """Raise `error` with every mistake (the first `most` in full) and a note, or return when there is none."""
        if not self.items:
            return
        where = f"{self.where}: " if self.where else ""
        if len(self.items) == 1:
            raise error(f"{where}{self.items[0]}" + (f"; {note}" if note else ""))
        shown = "".join(f"\n  - {item}" for item in self.items[:most])
        rest = f"\n  ... and {len(self.items) - most} more" if len(self.items) > most else ""
        raise error(f"{where}{len(self.items)} problems{shown}{rest}" + (f"\n  {note}" if note else ""))


def mistakes_in(check: Callable[[], object]) -> list[str]:
    """What is wrong, each mistake as a message of its own, when a check raises `ConfigError`; empty when it does not.

    >>> two = Problems("view.noise_db", ["no modality 'a'", "no modality 'b'"])
    >>> mistakes_in(lambda: two.raise_if_any(ConfigError))
    ["view.noise_db: no modality 'a'", "view.noise_db: no modality 'b'"]
    """
    try:
        check()
    except ConfigError as error:
        return messages_of(error)
    return []


def messages_of(error: RaymmError) -> list[str]:
    """The mistakes that an error of `Problems` holds, each as a message of its own."""
    first, *items = str(error).split("\n  - ")
    where = first.rpartition(": ")[0]
    return [f"{where}: {item}" if where else item for item in items] or [first]


def briefly(value: object) -> str:
    """A value as it is written in Python; of a long or deep one the beginning.

    >>> briefly({"a": [1, 2, 3, 4, 5, 6, 7]}), len(briefly("x" * 1000))
    ("{'a': [1, 2, 3, 4, 5, 6, ...]}", 60)
    """
    return BRIEF.repr(value)


def missing_extra(library: str, extra: str, cause: ImportError) -> str:
    """In words: a library of an extra of raymm is not installed.

    >>> missing_extra("timm", "timm", ImportError("No module named 'timm'"))
    "timm cannot be imported (No module named 'timm'); install it on every machine: pip install 'raymm[timm]'"
    """
    return f"{library} cannot be imported ({cause}); install it on every machine: pip install 'raymm[{extra}]'"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A suffix for an error message: the nearest known word, or all of them, of very many the first.

    >>> did_you_mean("lenght", ["length", "width"]), did_you_mean("x", ["length", "width"])
    ("did you mean 'length'?", 'known: length, width')
    """
    words = sorted(known)
    near = [one for one in words if one.lower() == word.lower()] or get_close_matches(word, words, n=1)
    if near:
        return f"did you mean '{near[0]}'?"
    more = f" and {len(words) - KNOWN:,} more" if len(words) > KNOWN else ""
    return f"known: {', '.join(words[:KNOWN])}{more}" if words else "none are known"


def in_one_line(cause: BaseException) -> str:
    """An exception out of somebody's own code: its type, its words, and the file and line that raised it.

    The line is the innermost one outside of raymm and of installed packages; there may be none.

    >>> in_one_line(ValueError("no weights"))
    'ValueError: no weights'
    """
    words = " ".join(str(cause).split())
    said = f"{type(cause).__name__}: {words}" if words else type(cause).__name__
    if isinstance(cause, SyntaxError):  # its words name file and line
        return said
    frames = _own_frames(cause)
    return f"{said} ({_short(Path(frames[-1].filename))}, line {frames[-1].lineno})" if frames else said


def last_line(cause: object, otherwise: str) -> str:
    r"""The last line of what an exception says, which of Ray's names the original error; `otherwise` of an empty one.

    >>> last_line("Traceback ...\n  ...\nValueError: no weights\n", "nothing said")
    'ValueError: no weights'
    >>> last_line(ValueError(), "nothing said")
    'nothing said'
    """
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    return lines[-1] if lines else otherwise


def is_of_own_code(cause: BaseException) -> bool:
    """Whether an exception came through somebody's own code, such as a plug-in, which is then named by its line."""
    return bool(_own_frames(cause))


def is_of_the_machine(cause: BaseException) -> bool:
    """Whether an exception says that memory is full or another process is lost, which no code is to blame for."""
    if isinstance(cause, MemoryError | ConnectionError) or type(cause).__name__ == "OutOfMemoryError":
        return True
    files = (Path(frame.filename).parts for frame in traceback.extract_tb(cause.__traceback__))
    return any(parts[-3:-1] == ("torch", "distributed") for parts in files)


def _own_frames(cause: BaseException) -> list[traceback.FrameSummary]:
    return [frame for frame in traceback.extract_tb(cause.__traceback__) if _is_own(frame.filename)]


def _is_own(file: str) -> bool:
    """Whether a file is neither raymm's, nor installed, nor made up by the interpreter."""
    path = Path(file)
    return (
        not file.startswith("<")
        and Path(__file__).parent not in path.parents
        and not {"site-packages", "dist-packages"} & set(path.parts)
        and Path(traceback.__file__).parent not in path.parents
    )


def _short(path: Path) -> Path:
    """Relative to the current folder where it lies below it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
