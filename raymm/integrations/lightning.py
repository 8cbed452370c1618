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

REMEDY = (
    "resume from a checkpoint that was saved at the end of an epoch, by ModelCheckpoint(save_on_train_epoch_end=True)"
)


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
        self._batches = 0

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Read the epoch from its start, unless a checkpoint says otherwise, which is loaded after this.

        A Trainer that would train other rows than the plan has is refused.
        """
        del pl_module
        if stage != "fit":
            return
        self._go_on_after(0)
        problems = Problems("Trainer")
        if trainer.reload_dataloaders_every_n_epochs != 1:
            problems.add("epochs have different numbers of rows; set reload_dataloaders_every_n_epochs=1")
        if trainer.world_size > 1 and trainer._accelerator_connector.use_distributed_sampler:  # noqa: SLF001
            problems.add("the Resampler splits rows over the processes; set use_distributed_sampler=False")
        if trainer.overfit_batches:
            problems.add(
                f"overfit_batches={trainer.overfit_batches} is about the same rows in every epoch, and each has "
                "its own plan; make the Resampler of a few samples, or set limit_train_batches"
            )
        problems.raise_if_any(ConfigError)

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """Refuse to train rows of another epoch, as a checkpoint from within an epoch's end would."""
        del pl_module
        theirs, ours = trainer.current_epoch, self.resampler.epoch
        if theirs != ours:
            new = "" if theirs else "make a new Resampler and callback for a training from its start, or "
            raise TrainingError(f"the Trainer is in epoch {theirs}, and the Resampler in {ours}; {new}{REMEDY}")

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Refuse to go on elsewhere than the Resampler does.

        A checkpoint of 0.1.0 does not say where in an epoch it was saved; and from one that was saved after the last
        batch of an epoch, Lightning goes on without ending it.
        """
        del pl_module, batch
        theirs, ours = (trainer.current_epoch, batch_idx), (self.resampler.epoch, self._batches)
        if theirs != ours:
            raise TrainingError(
                f"the Trainer goes on with batch {theirs[1]} of epoch {theirs[0]}, and the Resampler with batch "
                f"{ours[1]} of epoch {ours[0]}; {REMEDY}, or before the last batch of one"
            )

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Count what was read of this epoch."""
        del trainer, pl_module, outputs, batch
        self._batches = batch_idx + 1

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Value where that is due, and plan the next epoch; its metrics go to Lightning's loggers."""
        valued = self.resampler.due and trainer.is_global_zero
        metrics = self.resampler.update(self._values(pl_module) if valued else None)
        self._batches = 0
        pl_module.log_dict(metrics, rank_zero_only=True)

    def state_dict(self) -> dict[str, Any]:
        """The state of the Resampler, and how many batches of its epoch were read."""
        return {"resampler": self.resampler.state_dict(), "batches": self._batches}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where a checkpoint was saved, within an epoch too; those of 0.1.0 do not say where in one."""
        self.resampler.load_state_dict(state_dict.get("resampler", state_dict))
        self._go_on_after(state_dict.get("batches", 0))

    def _go_on_after(self, batches: int) -> None:
        """Let the Resampler give the batches of its epoch that come after so many."""
        self._batches = batches
        self.resampler.skip(batches)
