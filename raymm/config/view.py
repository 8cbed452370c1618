"""The section `view`: how stored samples are read."""

from pydantic import Field

from raymm.config.base import Settings

__all__ = ["ViewConfig"]


class ViewConfig(Settings):
    """How stored samples are read. `noise` holds for every split: it is part of the task."""

    noise_db: dict[str, float] = Field(
        default_factory=dict, description="signal-to-noise ratio in dB of white noise added to a modality"
    )
    augment: bool = Field(default=True, description="augment training batches (never what is evaluated or valued)")
    shift: float = Field(default=0.1, ge=0, le=0.5, description="largest shift in time, as a part of the length")
    crop: float = Field(default=0.04, ge=0, le=0.5, description="largest shift in height and width, as a part")
    flip: bool = Field(default=False, description="mirror frames and flow left to right at random")
