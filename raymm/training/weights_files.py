"""Files of weights that encoders of a run begin with: their hashes are recorded, and a changed file is told."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from raymm.storage.directory import sha256_of

if TYPE_CHECKING:
    from raymm.config.sections import Config

__all__ = ["hashes_of_weights", "say_changed_weights"]

log = logging.getLogger(__name__)


def hashes_of_weights(config: Config) -> dict[str, str]:
    """SHA-256 of each file of weights that the settings name and that is there, by its path in them."""
    chosen = [config.model.encoder, *config.model.encoders.values()]
    named = {str(one.raw["weights"]) for one in chosen if one.raw.get("weights")}
    return {name: sha256_of(Path(name)) for name in sorted(named) if Path(name).is_file()}


def say_changed_weights(run: Path, recorded: Mapping[str, str]) -> None:
    """Say which files are others now than when a run began; one that is gone is no longer needed."""
    for name, then in recorded.items():
        if Path(name).is_file() and sha256_of(Path(name)) != then:
            log.warning(
                "%s: the file of weights %s was changed since the run began; what is trained already began with the "
                "former one (SHA-256 %s...), and the run goes on from there",
                run,
                name,
                then[:12],
            )
