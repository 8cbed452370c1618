"""How a lane, a process that trains whole runs, ends before its run does."""

__all__ = ["LaneClosedError", "LaneLostError"]


class LaneLostError(Exception):
    """The process that trains runs has died."""


class LaneClosedError(Exception):
    """What trains runs was closed while it trained, or before."""
