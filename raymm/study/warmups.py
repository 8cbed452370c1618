"""Warm-ups that arms share: trained once for each data set and seed, and taken over by the runs that begin with them.

A run that starts from one has the bits of one that trained its own, and its history, so that the warm-up counts fully
among the costs of each arm.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from raymm.counts import counted
from raymm.storage import layout
from raymm.study.jobs import Job
from raymm.training.warmups import shared_warmups, warm_start, warmup_of

if TYPE_CHECKING:
    from pathlib import Path

    from raymm.config.sections import Config
    from raymm.study.session import Session
    from raymm.study.store import Study
    from raymm.training.run import BranchPoint

__all__ = ["train_warmups"]


def train_warmups(session: Session, jobs: Sequence[Job]) -> Callable[[Job], BranchPoint | None]:
    """Train the warm-ups that runs which have not begun share with others, once.

    Where one fails, each of its runs trains its own, and says what is wrong.

    Returns
    -------
    Where a run starts.
    """
    shared = [job for data in session.datasets for job in _shared_on(session.study, data, jobs)]
    new = {_folder(session.study, job.data, job.config) for job in jobs if not (job.path / layout.RUN).exists()}
    wanted = [job for job in shared if job.path in new and not job.done]
    if wanted:
        session.callback.on_setup(counted(len(wanted), "warm-up that arms share", "warm-ups that arms share"))
        session.train(wanted)
    return lambda job: warm_start(_folder(session.study, job.data, job.config), job.config)


def _shared_on(study: Study, data: str, jobs: Sequence[Job]) -> list[Job]:
    """The warm-ups that at least two runs on a data set have in common; all of their epochs are kept."""
    made = []
    for config, until in shared_warmups([job.config for job in jobs if job.data == data]):
        warm = warmup_of(config)
        training = warm.training.model_copy(update={"keep": until + 1})
        path = _folder(study, data, config)
        warm = warm.model_copy(update={"training": training})
        made.append(Job(data, "joint", training.seed, warm, path, until, "warm-up"))
    return made


def _folder(study: Study, data: str, config: Config) -> Path:
    warm = warmup_of(config)
    return study.path / layout.WARMUPS / data / f"{warm.fingerprint()}-s{warm.training.seed}"
