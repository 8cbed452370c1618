"""The section `view`: how stored samples are read."""

from typing import Self

from pydantic import Field

from raymm.config.base import Settings

__all__ = ["MixupConfig", "RandAugmentConfig", "SpecAugmentConfig", "ViewConfig"]


class RandAugmentConfig(Settings):
    """RandAugment of pictures and colour frames; off where `ops` is 0."""

    ops: int = Field(default=0, ge=0, le=14, description="changes of a picture, drawn from 14 kinds")
    magnitude: int = Field(default=9, ge=0, le=30, description="their strength, from 0 to 30")


class SpecAugmentConfig(Settings):
    """SpecAugment of log-mel spectrograms; off where both parts are 0."""

    time: float = Field(default=0.0, ge=0, le=1, description="longest mask in time, as a part of the frames")
    frequency: float = Field(default=0.0, ge=0, le=1, description="widest mask in frequency, as a part of the bands")
    masks: int = Field(default=1, ge=1, le=10, description="masks of each sort")


class MixupConfig(Settings):
    """Mixup of training rows and their labels; off where `alpha` is 0."""

    alpha: float = Field(
        default=0.0, ge=0, le=100, description="a row's own part is drawn of Beta(alpha, alpha); 0.2 mixes little"
    )


class ViewConfig(Settings):
    """How stored samples are read. `noise_db` holds for every split: it is part of the task."""

    noise_db: dict[str, float] = Field(
        default_factory=dict, description="signal-to-noise ratio in dB of white noise added to a modality"
    )
    augment: bool = Field(default=True, description="augment training batches (never what is evaluated or valued)")
    shift: float = Field(default=0.1, ge=0, le=0.5, description="largest shift in time, as a part of the length")
    crop: float = Field(default=0.04, ge=0, le=0.5, description="largest shift in height and width, as a part")
    flip: bool = Field(default=False, description="mirror frames and flow left to right at random")
    randaugment: RandAugmentConfig = Field(default_factory=RandAugmentConfig)
    specaugment: SpecAugmentConfig = Field(default_factory=SpecAugmentConfig)
    mixup: MixupConfig = Field(default_factory=MixupConfig)

    @property
    def without_noise(self) -> Self:
        """The same without noise, which belongs to the training and not to what a model is asked about later."""
        return self.model_copy(update={"noise_db": {}})

    @property
    def mixes(self) -> bool:
        """Whether training rows are mixed."""
        return self.augment and self.mixup.alpha > 0
