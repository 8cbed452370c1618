"""Texts as code gives them: bytes are UTF-8, and what no file can hold is refused."""

from collections.abc import Iterable

from raymm.data.record import shortened
from raymm.errors import DataError

__all__ = ["plain_text", "plain_texts", "printable", "text_trouble"]


def plain_text(given: str | bytes | bytearray) -> str:
    r"""A text, or the text in bytes; raises `ValueError`, in words, where it is none.

    >>> plain_text(b"caf\xc3\xa9")
    'café'
    >>> plain_text(b"caf\xe9")
    Traceback (most recent call last):
    ValueError: is bytes that are no text in UTF-8 (b'caf\xe9'); decode them
    """
    try:
        text = given if isinstance(given, str) else given.decode()
    except UnicodeDecodeError:
        raise ValueError(f"is bytes that are no text in UTF-8 ({shortened(repr(given))}); decode them") from None
    if trouble := text_trouble(text):
        raise ValueError(trouble)
    return text


def plain_texts(given: Iterable[object], called: str) -> list[str]:
    """Texts, bytes and numbers as texts; raises `DataError`, after what they are called, where one is none.

    >>> plain_texts([b"s1", "s2", 3], "ids")
    ['s1', 's2', '3']
    """
    try:
        return [plain_text(one) if isinstance(one, str | bytes | bytearray) else str(one) for one in given]
    except ValueError as cause:
        raise DataError(f"{called}: one of them {cause}") from cause


def text_trouble(text: str) -> str:
    r"""What keeps a text from being written, in words; empty when nothing does.

    >>> text_trouble("\ud83d")
    "holds half of a surrogate pair ('\\ud83d'), which no file can hold; mend the text"
    """
    try:
        text.encode()
    except UnicodeEncodeError as cause:
        return f"holds half of a surrogate pair ({text[cause.start]!a}), which no file can hold; mend the text"
    return ""


def printable(text: object) -> str:
    r"""A text as a message shows it: what no terminal writes stands as its number.

    >>> printable("s\ud83d")
    's\\ud83d'
    """
    return shortened(str(text)).encode(errors="backslashreplace").decode()
