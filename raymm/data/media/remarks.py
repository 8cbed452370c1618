"""What there is to say about a value that is good: nothing that stops, but much that a person wants to know."""

__all__ = ["ANTIPHASE", "CLIPPED", "NOT_FINITE", "of_length"]

ROUNDING = 0.1
"""Seconds; windows are rounded up to tenths, and differences up to that are not counted."""

CUT = "longer than the window, and cut"
PADDED = "shorter than the window, and padded"
ANTIPHASE = "stereo in anti-phase: the mean of its channels is nearly silent; choose `channel` left or right"

NOT_FINITE = "not finite in places, where 0 is stored"

CLIPPED = "clipped: flat at full scale, recorded too loud"


def of_length(seconds: float, window: float) -> list[str]:
    """What there is to say of a length.

    Examples
    --------
    >>> of_length(3.0, 1.0), of_length(0.3, 1.0), of_length(0.95, 1.0)
    (['longer than the window, and cut'], ['shorter than the window, and padded'], [])
    """
    if abs(seconds - window) <= ROUNDING:
        return []
    return [CUT if seconds > window else PADDED]
