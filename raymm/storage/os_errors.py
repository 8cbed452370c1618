"""Words for what the operating system refused: which file, why, and what to do."""

import errno
from pathlib import Path

__all__ = ["explain_os_error"]

ADVICE = {
    errno.EACCES: "no permission; choose another place, or change who may write there",
    errno.EPERM: "not permitted; choose another place, or change who may write there",
    errno.EROFS: "this file system can only be read; choose another place",
    errno.EEXIST: "is there already, and is no folder; choose another name",
    errno.ENOTDIR: "a part of this path is a file where a folder is needed; choose another path",
    errno.EISDIR: "is a folder where a file is needed; name a file",
    errno.ELOOP: "is a link that leads back to itself; choose another path, or make the link anew",
    errno.ENAMETOOLONG: "the name is too long for this file system; choose a shorter one",
    errno.ENOSPC: "the disk is full; free some space and repeat the command, which goes on from what was committed",
    errno.EDQUOT: "the quota of this disk is used up; free some space and repeat the command, which goes on from "
    "what was committed",
    errno.EFBIG: "the file would be larger than may be written here (see `ulimit -f`); raise the limit and repeat "
    "the command, which goes on from what was committed",
    errno.EMFILE: "too many files are open; run `ulimit -n 4096` first and repeat the command",
}


def explain_os_error(cause: OSError) -> str:
    """The file, what is wrong with it, and what to do."""
    inner = getattr(cause, "cause", None)  # an error of a Ray task, whose own words are a trace
    cause = inner if isinstance(inner, OSError) else cause
    file = cause.filename2 or cause.filename
    where = f"{file}: " if file else ""
    if cause.errno == errno.ENOENT and file:
        return f"{where}{_missing(Path(str(file)))}"
    words = " ".join(str(cause.strerror or cause).split()) or type(cause).__name__
    return f"{where}{ADVICE.get(cause.errno or 0, f'{words}; --debug shows where this came from')}"


def _missing(path: Path) -> str:
    """Which part of a path is not there."""
    gone = path.absolute()
    while not gone.parent.exists():
        gone = gone.parent
    if gone == path.absolute():
        return f"there is no such file or folder in {gone.parent}, and none can be made there"
    return f"there is no folder {gone}"
