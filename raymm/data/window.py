"""The window of time that all sound and frames of a data set cover, from the lengths of its media files."""

import math
from collections.abc import Callable, Sequence

from raymm.data.media.length import media_seconds
from raymm.data.media.root import MediaRoot

__all__ = ["Say", "infer_window"]

Say = Callable[[str], None]

LOOKED_AT = 5_000
"""Files whose length is looked up, at most; of more, that many evenly spaced ones."""
LONGEST = 10.0
"""Seconds; a longer window must be asked for."""


def infer_window(files: Sequence[str], media_root: MediaRoot, say: Say) -> float | None:
    """The longest of some media files, rounded up to a tenth of a second; None where no length is known.

    Parameters
    ----------
    files
        Paths relative to the media root, each once.
    say
        Called with what a person wants to know: that only a sample of the files was looked at, or that the longest
        file is longer than a window gets by itself.
    """
    looked_at = files
    if len(files) > LOOKED_AT:
        looked_at = [files[number * len(files) // LOOKED_AT] for number in range(LOOKED_AT)]
        say(f"the window is that of {LOOKED_AT} evenly spaced files of {len(files)}")
    lengths = [media_seconds(media_root / file) for file in looked_at]
    longest = max((length for length in lengths if length), default=None)
    if longest is None:
        return None
    if longest > LONGEST:
        say(
            f"the longest file has {longest:.1f} s; the window is {LONGEST:g} s, "
            f"unless it is asked for, for example by --set MODALITY.seconds={math.ceil(longest)}"
        )
    return min(LONGEST, math.ceil(longest * 10 - 1e-6) / 10)
