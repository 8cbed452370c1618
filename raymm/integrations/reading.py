"""How far the rows of an epoch are read."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from raymm.errors import ConfigError
from raymm.valuation.given_arrays import is_integer

__all__ = ["Reading"]

log = logging.getLogger(__name__)

BEGUN = "begun"
"""In a state: that rows of its epoch were read. How many is not kept, as loaders read ahead of what is trained."""


@dataclass
class Reading:
    """What is read of the current epoch, and what of it is left out.

    Attributes
    ----------
    read
        The epoch of which rows were read last; None before any.
    """

    read: int | None = None
    _skipped: tuple[int, int] = (0, 0)
    """An epoch, and batches that are left out when it is read next."""
    _loaded: int | None = None
    """The epoch of a state that was taken within it."""
    _said: bool = True
    """Whether it is known where that epoch goes on."""

    def skip(self, epoch: int, batches: int, most: int) -> None:
        """Leave out the first batches of an epoch, which has `most`, when it is read next."""
        if not is_integer(batches) or not 0 <= batches <= most:
            raise ConfigError(
                f"skip: {batches!r} is no number of batches to leave out; epoch {epoch} has {most}, so give a whole "
                f"number from 0 to {most}"
            )
        self._skipped, self._said = (epoch, int(batches)), True

    def begin(self, epoch: int) -> int:
        """How many batches are left out of the epoch that is read now, once; and a warning where nobody said it."""
        (skipped, batches), self._skipped = self._skipped, (0, 0)
        if not self._said and self._loaded == epoch:
            log.warning(
                "the state that was loaded was taken within epoch %d, which is read from its first batch: what was "
                "trained of it is trained again, unless resampler.skip(batches) or accelerator.skip_first_batches "
                "leaves it out",
                epoch,
            )
        self._said = True
        return batches if skipped == epoch else 0

    def state_dict(self, epoch: int) -> dict[str, bool]:
        """Whether the epoch was begun."""
        return {BEGUN: True} if epoch in {self.read, self._loaded} else {}

    def load_state_dict(self, state: Mapping[str, Any], epoch: int) -> None:
        """Go on with the epoch of a state."""
        begun = bool(state.get(BEGUN))
        self.read, self._skipped = None, (0, 0)
        self._loaded, self._said = (epoch if begun else None), not begun
