"""Re-sampling in the Hugging Face Trainer: `pip install 'raymm[transformers]'`.

    trainer = ResamplingTrainer(model, arguments, train_dataset=samples, resampler=resampler, values=values)
    trainer.train()

The model's `forward` takes the mask of each row as the keyword `mask`. A Trainer counts as many steps in each epoch
as in the first; `ResamplingTrainer` counts those of each epoch's plan.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import Trainer, TrainerCallback
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR, get_last_checkpoint

from raymm.errors import CheckpointError, ConfigError, Problems, TrainingError
from raymm.integrations.accelerate import prepare_loader
from raymm.integrations.trainer_arguments import unfit_arguments

if TYPE_CHECKING:
    from raymm.integrations.resampler import Resampler

__all__ = ["ResamplingCallback", "ResamplingTrainer"]

log = logging.getLogger(__name__)

STATE = "resampler.pt"
"""File of the Resampler in a checkpoint's folder."""

NEEDED = (
    "_run_epoch",
    "_init_training_state",
    "_get_collator_with_removed_columns",
    "set_initial_training_values",
)
"""Parts of a Trainer that know how many steps an epoch has, and what a model takes."""

LOADING = ("num_workers", "pin_memory", "persistent_workers", "prefetch_factor", "multiprocessing_context")
"""Arguments of a Trainer that a `DataLoader` takes; older versions lack the last."""


class ResamplingCallback(TrainerCallback):  # type: ignore[misc]  # its types are not read
    """Ends an epoch of a `Resampler` with each epoch of the Trainer, and keeps its state in checkpoints.

    Parameters
    ----------
    resampler
        What gives the batches of the training loader.
    values
        `values(model)` gives contributions as `Resampler.update` takes them; called on the first rank, where they are
        due.
    """

    def __init__(self, resampler: Resampler, values: Callable[[Any], Any]) -> None:
        self.resampler, self._values = resampler, values
        self.first_step = 0

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Remember where the epoch begins, unless it is gone on with in its middle."""
        del args, control, others
        if self._begun != self.resampler.epoch:
            self._begun, self.first_step = self.resampler.epoch, state.global_step

    def on_epoch_end(self, args: Any, state: Any, control: Any, model: Any = None, **others: Any) -> None:
        """Value where that is due, and plan the next epoch; not where training ends within this one."""
        del others
        if control.should_training_stop and state.global_step - self.first_step < self.updates(args):
            return
        valued = self.resampler.due and state.is_world_process_zero
        self.resampler.update(self._values(model) if valued else None)

    def on_save(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Put the state of the Resampler into the checkpoint's folder."""
        del control, others
        if not state.is_world_process_zero:
            return
        begun = self._begun == self.resampler.epoch
        folder = Path(args.output_dir) / f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}"
        first = self.first_step if begun else state.global_step
        torch.save({"resampler": self.resampler.state_dict(), "first_step": first}, folder / STATE)

    def updates(self, args: Any) -> int:
        """Steps of the optimizer in this epoch."""
        return math.ceil(len(self.resampler) / args.gradient_accumulation_steps)

    def start(self) -> None:
        """Begin with step 0; raises `TrainingError` where the Resampler has gone on from its first epoch."""
        if self.resampler.epoch:
            raise TrainingError(
                f"the Trainer begins with epoch 0, and the Resampler is in {self.resampler.epoch}; make a new "
                "Resampler, or go on from a checkpoint, by resume_from_checkpoint"
            )
        self._begun, self.first_step = None, 0

    def load(self, folder: Path) -> None:
        """Go on where a checkpoint was saved; raises `CheckpointError` where it has no Resampler."""
        if not (folder / STATE).is_file():
            raise CheckpointError(f"{folder}: there is no {STATE}; it was saved without a Resampler")
        kept = torch.load(folder / STATE, weights_only=True)
        self.resampler.load_state_dict(kept["resampler"])
        self.resampler.skip(0)  # the Trainer leaves out what was trained
        self._begun, self.first_step = self.resampler.epoch, kept["first_step"]

    _begun: int | None = None
    """The epoch that `first_step` is of."""


class ResamplingTrainer(Trainer):  # type: ignore[misc]  # its types are not read
    """A Trainer whose epochs are those of a `Resampler`.

    Parameters
    ----------
    resampler, values
        As `ResamplingCallback`. The rows of a batch are those of the Resampler, over all processes.
    given, options
        As `transformers.Trainer`.

    Raises
    ------
    ConfigError
        When the installed Trainer has another loop than this class knows, or its arguments say otherwise than the
        Resampler which rows are trained.
    """

    def __init__(self, *given: Any, resampler: Resampler, values: Callable[[Any], Any], **options: Any) -> None:
        lacking = [name for name in NEEDED if not hasattr(Trainer, name)]
        if lacking:
            raise ConfigError(
                f"the Trainer of this version of transformers has no {', '.join(lacking)}; install a newer one, by "
                "raymm[transformers]"
            )
        super().__init__(*given, **options)
        Problems("TrainingArguments", unfit_arguments(self.args, resampler)).raise_if_any(ConfigError)
        self.resampling = ResamplingCallback(resampler, values)
        self.add_callback(self.resampling)

    def get_train_dataloader(self) -> Any:
        """The loader of the Resampler's rows, which carry their masks."""
        given = {name: getattr(self.args, f"dataloader_{name}", None) for name in LOADING}
        return prepare_loader(
            self.accelerator,
            self.resampling.resampler,
            self.train_dataset,
            collate_fn=self._get_collator_with_removed_columns(self.data_collator, description="training"),
            **given,
        )

    def train(self, resume_from_checkpoint: Any = None, **options: Any) -> Any:
        """As `Trainer.train`; a checkpoint brings the state of the Resampler."""
        found = resume_from_checkpoint
        if found is True:
            found = get_last_checkpoint(self.args.output_dir)
        if found:
            self.resampling.load(Path(found))
        else:
            self.resampling.start()
        return super().train(resume_from_checkpoint=resume_from_checkpoint, **options)

    def set_initial_training_values(self, *given: Any, **options: Any) -> tuple[Any, ...]:
        """Numbers of epochs and steps; with `max_steps` as many epochs as it could take, of a step each."""
        epochs, *others = super().set_initial_training_values(*given, **options)
        return (self.args.max_steps if self.args.max_steps > 0 else epochs, *others)

    def _init_training_state(
        self, max_steps: int, num_update_steps_per_epoch: int, num_train_epochs: int, *given: Any, **options: Any
    ) -> tuple[int, int]:
        """Epochs that are over, and batches of the current one, by the Resampler instead of a division."""
        super()._init_training_state(max_steps, num_update_steps_per_epoch, num_train_epochs, *given, **options)
        resampling, done = self.resampling, self.state.global_step
        if done >= self._end(resampling.resampler.epoch):
            return num_train_epochs, 0
        if self.args.ignore_data_skip:
            resampling.first_step = done
        return resampling.resampler.epoch, (done - resampling.first_step) * self.args.gradient_accumulation_steps

    def _run_epoch(self, **given: Any) -> Any:
        """An epoch of as many steps as its plan has."""
        if self.args.max_steps <= 0:
            self._expect(self._end(given["epoch"]))
        steps = {
            "steps_in_epoch": len(self.resampling.resampler),
            "num_update_steps_per_epoch": self.resampling.updates(self.args),
        }
        return super()._run_epoch(**given | steps)

    def _end(self, epoch: int) -> int:
        """The step after which training ends, as far as the plan of this epoch tells."""
        if self.args.max_steps > 0:
            return int(self.args.max_steps)
        updates = self.resampling.updates(self.args)
        return self.resampling.first_step + math.ceil(self.args.num_train_epochs * updates) - epoch * updates

    def _expect(self, steps: int) -> None:
        """Let training end after so many steps."""
        if steps != self.state.max_steps and self.args.lr_scheduler_type not in {"constant", "constant_with_warmup"}:
            log.warning(
                "training has about %d steps by the plan of epoch %d, and the schedule %s was made for %d; use "
                "lr_scheduler_type=constant, or max_steps",
                steps,
                self.resampling.resampler.epoch,
                self.args.lr_scheduler_type,
                self.state.max_steps,
            )
        self.state.max_steps = steps
