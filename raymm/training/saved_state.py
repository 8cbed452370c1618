"""What the JSON files in the folder of a run hold."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from raymm.counts import counted
from raymm.errors import CheckpointError
from raymm.storage.records import JsonRecord

__all__ = ["SavedResult", "SavedRun", "SavedStart", "SavedState", "WithConfig"]

REMEDY = "bring back a good copy of the run, for example from its mirror, or start a new one"

LONGEST_PATH = 4096
"""Characters; no file system has longer ones."""


_Number = Annotated[int, Field(ge=-(2**53), le=2**53)] | float
"""A figure; larger whole numbers are read as real ones, which arrays hold."""


class _Entry(BaseModel):
    """An epoch of the history."""

    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)

    epoch: int = Field(ge=0)
    metrics: dict[str, _Number]


class _Start(BaseModel):
    model_config = ConfigDict(strict=True)

    run: str
    epoch: int = Field(ge=1)


class _Plugin(BaseModel):
    model_config = ConfigDict(strict=True)

    name: str
    sha256: str


class WithConfig(JsonRecord):
    """What holds a configuration and what was recorded of its plug-ins; version 0.1.0 had none."""

    config: dict[str, Any]
    plugins: list[_Plugin] = Field(default_factory=list)

    @property
    def named_plugins(self) -> list[str]:
        """The plug-ins of the configuration; what is no name is refused with the rest of the configuration."""
        named = self.config.get("plugins")
        return [spec for spec in named if isinstance(spec, str)] if isinstance(named, list) else []

    @property
    def recorded_plugins(self) -> list[dict[str, str]]:
        """Name and SHA-256 of each plug-in."""
        return [plugin.model_dump() for plugin in self.plugins]


class SavedStart(JsonRecord):
    """Where a run began, in its run.json."""

    error = CheckpointError
    remedy = REMEDY

    start: _Start | None = None


class SavedRun(SavedStart, WithConfig):
    """The run.json of a run."""

    key: str
    data: str = Field(max_length=LONGEST_PATH)
    digest: str
    weights: dict[str, str] = Field(default_factory=dict)
    weights_looks: dict[str, list[int]] = Field(default_factory=dict)


class _WithHistory(JsonRecord):
    error = CheckpointError
    remedy = REMEDY

    history: list[_Entry]

    @field_validator("history")
    @classmethod
    def _counted(cls, history: list[_Entry]) -> list[_Entry]:
        for number, entry in enumerate(history):
            if entry.epoch != number:
                raise ValueError(f"entry {number} is not of epoch {number}; there is one an epoch, from 0 on")
        return history

    @property
    def entries(self) -> tuple[dict[str, Any], ...]:
        """One entry an epoch: `{"epoch": 0, "metrics": {...}}`."""
        return tuple(entry.model_dump() for entry in self.history)


class SavedState(_WithHistory):
    """The state.json of an epoch; `optimizer` is a list of tensors where version 0.1.0 wrote it."""

    epoch: int = Field(ge=0)
    best_epoch: int | None = Field(ge=1)
    dropped: int = Field(ge=0)
    scaler: dict[str, Any]
    optimizer: Any = None


class SavedResult(_WithHistory):
    """The result.json of a run."""

    best_epoch: int = Field(ge=0)
    metrics: dict[str, _Number]

    @field_validator("best_epoch")
    @classmethod
    def _trained(cls, best: int, about: ValidationInfo) -> int:
        history = about.data.get("history")
        if history is not None and best >= len(history):
            raise ValueError(f"the history has {counted(len(history), 'epoch')}, from 0 on")
        return best
