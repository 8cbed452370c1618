"""What Ray Tune and a trial know of each other: names of what is reported and given, and the functions to run."""

from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["AIM", "CAUSE", "EPOCHS", "GIVEN", "SCORE", "STATUS", "UNTIL", "Trainables"]

EPOCHS = "epochs"
"""The name under which trials report how many epochs they have trained."""

SCORE = "score"
"""The name under which trials report to Tune the score to maximise."""

AIM = {"metric": SCORE, "mode": "max"}
"""What schedulers and search algorithms aim at."""

GIVEN = ("sweep", "trial")
"""Keys of a trial's configuration in Tune beside the settings that may change during the trial."""

UNTIL = "until"
"""Key of the epoch until which Tune has a trial trained, where it is not to be trained to its end at once."""

STATUS, CAUSE = "ended", "cause"
"""Names under which a trial reports to Tune whether it has finished, failed or waits, and why it failed."""


class Trainables(NamedTuple):
    """What Tune runs for a trial, and for a warm-up that trials share; each takes Tune's configuration."""

    trial: Callable[[dict[str, Any]], None]
    warmup: Callable[[dict[str, Any]], None]
