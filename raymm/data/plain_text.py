"""Texts as code gives them: bytes are UTF-8, and what no file can hold is refused."""

from raymm.data.record import shortened

__all__ = ["plain_text", "printable", "text_trouble"]


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
