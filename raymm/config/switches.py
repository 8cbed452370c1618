"""Settings that others make idle: SGD's momentum under Adam, the end of a schedule that has none."""

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["idle_by_switch"]

FALLING = ("cosine", "linear", "wsd")

AUGMENT = (
    "view.randaugment.ops",
    "view.randaugment.magnitude",
    "view.specaugment.time",
    "view.specaugment.frequency",
    "view.specaugment.masks",
    "view.mixup.alpha",
)

SWITCHED: tuple[tuple[str, Callable[[Any], bool], tuple[str, ...]], ...] = (
    ("optimizer.name", lambda name: name != "sgd", ("optimizer.momentum", "optimizer.nesterov")),
    ("optimizer.name", lambda name: ":" in name, ("optimizer.implementation",)),
    ("optimizer.schedule", lambda name: name != "step", ("optimizer.step_epochs", "optimizer.step_factor")),
    (
        "optimizer.schedule",
        lambda name: name != "plateau",
        ("optimizer.plateau_patience", "optimizer.plateau_factor"),
    ),
    ("optimizer.schedule", lambda name: name != "wsd", ("optimizer.wsd_stable", "optimizer.wsd_decay")),
    ("optimizer.schedule", lambda name: name not in FALLING, ("optimizer.per",)),
    ("optimizer.schedule", lambda name: name not in (*FALLING, "plateau"), ("optimizer.min_lr",)),
    ("training.patience", lambda patience: patience is None, ("training.min_delta",)),
    ("valuation.method", lambda name: name == "exact", ("valuation.budget", "valuation.refine")),
    ("view.augment", lambda augment: not augment, ("view.shift", "view.crop", "view.flip", *AUGMENT)),
    ("view.randaugment.ops", lambda ops: ops == 0, ("view.randaugment.magnitude",)),
)
"""Outside of re-sampling: a setting, whether others are not read by its value, and these."""


def idle_by_switch(flat: Mapping[str, Any]) -> dict[str, str]:
    """Of flat settings those that are not read, by the setting that decides it.

    >>> idle_by_switch({"optimizer.name": "adam", "optimizer.momentum": 0.5})
    {'optimizer.momentum': 'optimizer.name', 'optimizer.nesterov': 'optimizer.name'}
    """
    return {key: switch for switch, idles, keys in SWITCHED if switch in flat and idles(flat[switch]) for key in keys}
