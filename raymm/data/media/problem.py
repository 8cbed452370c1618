"""What is wrong with one value of one sample, for the person who has the file."""

__all__ = ["MediaError"]


class MediaError(Exception):
    """A file cannot be used; the message says why, without naming the file (the caller knows it)."""
