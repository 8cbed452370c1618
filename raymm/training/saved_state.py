"""What the JSON files in the folder of a run hold."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from raymm.errors import CheckpointError
from raymm.storage.records import JsonRecord

__all__ = ["SavedKey", "SavedResult", "SavedRun", "SavedStart", "SavedState", "WithConfig"]

REMEDY = "bring back a good copy of the run, for example from its mirror, or start a new one"

LONGEST_PATH = 4096
"""Characters; no file system has longer ones."""


class _Entry(BaseModel):
    """An epoch of the history."""

    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)

    epoch: int = Field(ge=0)
    metrics: dict[str, int | float]


class SavedKey(JsonRecord):
    """What identifies a run or sweep, in its run.json or sweep.json."""

    error = CheckpointError

    key: str


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
    metrics: dict[str, int | float]
