"""The text of a table as UTF-8, whatever it was written in.

UTF-8, with a byte order mark or without; UTF-16 and UTF-32 with one. Text has no zero bytes: where there are some, it
is UTF-16 without a mark, or a file that was not written to its end.
"""

import codecs
from pathlib import Path

from raymm.errors import DataError

__all__ = ["as_utf8"]

WIDE_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Byte order marks of texts that are not UTF-8; that of UTF-32 begins with that of UTF-16."""

STEP = 2**20

START = 200
"""Bytes of which UTF-16 and UTF-32 have zeros among them, and not zeros alone."""


def as_utf8(path: Path, content: bytes, *, windows: bool = False) -> tuple[bytes, list[str]]:
    """The text as UTF-8 without a byte order mark, and sentences on what was guessed.

    Parameters
    ----------
    windows
        Whether what is not UTF-8 is taken for Windows-1252.

    Raises
    ------
    DataError
        When it holds zero bytes, or the encoding is unknown.
    UnicodeError
        When it is not what its byte order mark says.
    """
    for mark, encoding in WIDE_MARKS.items():
        if content.startswith(mark):
            return content.decode(encoding).encode(), []
    text = content.removeprefix(codecs.BOM_UTF8)
    _refuse_zero_bytes(path, text)
    place = _not_utf8(text)
    if place is None:
        return text, []
    line = text.count(b"\n", 0, place) + 1
    where = f"{path}: is not UTF-8 (byte 0x{text[place]:02x} in line {line})"
    if not windows:
        raise DataError(f"{where}; save it as UTF-8")
    try:
        decoded = text.decode("cp1252")
    except UnicodeDecodeError:
        raise DataError(f"{where}, nor Windows-1252; save it as UTF-8") from None
    return decoded.encode(), [f"{where}: read as Windows-1252; save it as UTF-8 if letters look wrong"]


def _refuse_zero_bytes(path: Path, text: bytes) -> None:
    place = text.find(0)
    if place < 0:
        return
    if place < START and any(text[:START]):
        raise DataError(
            f"{path}: holds zero bytes, as UTF-16 and UTF-32 without a byte order mark do; save it as UTF-8"
        )
    line = text.count(b"\n", 0, place) + 1
    raise DataError(
        f"{path}: holds {text.count(0)} zero bytes, from line {line} on, and text has none: it is damaged, or was "
        "not written to its end; write it anew"
    )


def _not_utf8(text: bytes) -> int | None:
    """Position of the first byte that is no UTF-8; None where all is."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(text), STEP):
        kept = len(decoder.getstate()[0])
        try:
            decoder.decode(text[start : start + STEP], final=start + STEP >= len(text))
        except UnicodeDecodeError as cause:
            return start - kept + cause.start
    return None
