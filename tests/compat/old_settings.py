"""Settings as version 0.1.0 named them, read by this version."""

import json

from raymm.config import Config, load

__all__ = ["old_settings"]


def old_settings(dotted) -> Config:
    """A configuration from dotted settings of 0.1.0."""
    return load(None, tuple(f"{key}={json.dumps(value)}" for key, value in dotted.items()))
