"""Re-sampling in PyTorch Lightning: `pip install 'raymm[lightning]'`.

trainer = Trainer(callbacks=[ResamplingCallback(resampler, values)], reload_dataloaders_every_n_epochs=1)
trainer.fit(module, resampler.loader(samples))
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pytorch_lightning import Callback

from raymm.errors import ConfigError, Problems, TrainingError

if TYPE_CHECKING:
    from raymm.integrations.resampler import Resampler

__all__ = ["ResamplingCallback"]


class ResamplingCallback(Callback):  # type: ignore[misc]  # its types are not read
    """Ends an epoch of a `Resampler` with each epoch of the Trainer, and keeps its state in Lightning's checkpoints.

    Parameters
    ----------
    resampler
        What gives the batches of the training loader.
    values
        `values(module)` gives contributions as `Resampler.update` takes them; called on the first rank, where they
        are due.
    """

    def __init__(self, resampler: Resampler, values: Callable[[Any], Any]) -> None:
        self.resampler, self._values = resampler, values

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Refuse a Trainer that would train other rows than the plan has."""
        del pl_module
        if stage != "fit":
            return
        problems = Problems("Trainer")
        if trainer.reload_dataloaders_every_n_epochs != 1:
            problems.add("epochs have different numbers of rows; set reload_dataloaders_every_n_epochs=1")
        if trainer.world_size > 1 and trainer._accelerator_connector.use_distributed_sampler:  # noqa: SLF001
            problems.add("the Resampler splits rows over the processes; set use_distributed_sampler=False")
        problems.raise_if_any(ConfigError)

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """Refuse to train rows of another epoch, as a checkpoint from within an epoch's end would."""
        del pl_module
        if trainer.current_epoch != self.resampler.epoch:
            raise TrainingError(
                f"the Trainer is in epoch {trainer.current_epoch}, and the Resampler in {self.resampler.epoch}; "
                "resume from a checkpoint that was saved at the end of an epoch, by "
                "ModelCheckpoint(save_on_train_epoch_end=True)"
            )

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Value where that is due, and plan the next epoch; its metrics go to Lightning's loggers."""
        valued = self.resampler.due and trainer.is_global_zero
        metrics = self.resampler.update(self._values(pl_module) if valued else None)
        pl_module.log_dict(metrics, rank_zero_only=True)

    def state_dict(self) -> dict[str, Any]:
        """The state of the Resampler."""
        return self.resampler.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where a checkpoint was saved."""
        self.resampler.load_state_dict(state_dict)
