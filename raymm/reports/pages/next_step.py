"""The next step that a run suggests, as a command that can be run: its data, its settings, and what to change."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from raymm.config.loading import lay_over, parse
from raymm.config.registries import METHODS
from raymm.config.yaml_dialect import yaml_text
from raymm.errors import RaymmError
from raymm.reports.diagnostics.advice import TRAINED_ALONE
from raymm.reports.pages.usage import not_under_used
from raymm.reports.pages.verdict import CHANCE, MEAN
from raymm.reports.pages.words import listed
from raymm.storage import layout
from raymm.training.run import problems_of

if TYPE_CHECKING:
    from pathlib import Path

    from raymm.data.schema import Schema
    from raymm.reports.diagnostics.finding import Finding
    from raymm.reports.pages.usage import Usage
    from raymm.training.run import Run

__all__ = ["NextStep", "next_step"]

REMEDIES = {
    "coalition": "train with coalition, which has every modality answer by itself and with the others",
    "multitask": "train with multitask, which has every modality answer by itself too",
    "sample": "train with sample, which trains it more on the samples where it contributes little",
}
"""Methods for a low contributor and what they do, in the order of advice (`raymm.reports.diagnostics`)."""
CONTROL = "joint"


@dataclass(frozen=True)
class NextStep:
    """A step and its reason.

    Attributes
    ----------
    why
        A sentence.
    words
        The command and its arguments.
    study
        What RUN/compare.yaml must hold for it; empty where it needs none.
    """

    why: str
    words: tuple[str, ...]
    study: str = ""

    @property
    def command(self) -> str:
        """The command for a POSIX shell, with its arguments quoted."""
        return shlex.join(self.words)


@dataclass(frozen=True)
class _Change:
    why: str
    name: str
    settings: tuple[str, ...]


def next_step(
    run: Run, found: Sequence[Usage], findings: Sequence[Finding], schema: Schema, *, above: bool | None = None
) -> NextStep:
    """The first step of these that the settings allow: repair what spoils the result, see whether what is low can be
    learned, train it more, train a model at chance longer, and where nothing is amiss compare with the control over
    seeds.

    Parameters
    ----------
    found, findings
        The usage of each modality on test, and the failure signatures that hold.
    schema
        Of the data set of the run: a command is suggested only where its settings fit.
    above
        Whether all modalities together are shown to be above chance (`raymm.reports.pages.verdict.above_chance`).
    """
    chance = CHANCE if schema.task.hard else MEAN
    for change in _changes(run, found, findings, above, chance):
        if _fits(run, change.settings, schema):
            return NextStep(change.why, _train(run, change))
    return _compared(run, found)


def _changes(
    run: Run, found: Sequence[Usage], findings: Sequence[Finding], above: bool | None, chance: str
) -> Iterator[_Change]:
    """Steps that train one run, the most pressing first."""
    names = {each.name for each in findings}
    broken = {each.subject for each in findings if each.name == "breaks_right"}
    broken |= {usage.modality for usage in found if usage.role == "harmful"}
    if broken and run.config.model.calibrate == "none":
        why = f"{listed(sorted(broken))} breaks right answers: weights fitted on validation may lessen that."
        yield _Change(why, "weighted", ("model.calibrate=modality_weights",))
    if "accuracy_fell" in names and METHODS.get(run.config.method.name).needs not in ("nothing", "state"):
        budget = (run.config.method.row_budget or 1.0) / 2
        why = "Accuracy fell after re-sampling began: train it with fewer copies."
        yield _Change(why, "fewer-copies", (f"method.row_budget={budget:g}",))
    yield from _of_low(run, [usage for usage in found if usage.role == "under-used"])
    roles = {usage.role for usage in found}
    if "only" in roles and "untrained" not in roles and run.config.model.modalities:
        settings = ("method.name=coalition", "model.modalities=null")
        yield _Change("This model reads one modality: train all of them together.", "all", settings)
    if above is False:
        why = f"The model is not shown to be {chance}: train it longer, and look at its samples."
        yield _Change(why, "longer", (f"training.epochs={2 * run.config.training.epochs}",))
    if "unstable_values" in names and run.config.optimizer.schedule != "cosine":
        why = "Which samples are low changes from epoch to epoch: let the learning rate decay."
        yield _Change(why, "cosine", ("optimizer.schedule=cosine",))


def _of_low(run: Run, low: Sequence[Usage]) -> Iterator[_Change]:
    """Steps for modalities that are under-used, the lowest first.

    A method that trains each of them by itself also shows whether it can be learned; where that was done, a run of
    the modality alone shows it.
    """
    method = run.config.method.name
    for usage in sorted(low, key=lambda each: each.phi.mean):
        name = usage.modality
        if method in TRAINED_ALONE:
            why = f"{method} trains {name} by itself too, and it stays under-used: see what it can tell alone."
            yield _Change(why, f"alone-{name}", ("method.name=alone", f"method.settings.modality={name}"))
            continue
        for other, act in REMEDIES.items():
            if other in METHODS and other != method:
                yield _Change(f"{name} is under-used: {act}, and compare.", other, (f"method.name={other}",))


def _fits(run: Run, settings: Sequence[str], schema: Schema) -> bool:
    """Whether a run of these settings could begin."""
    try:
        config = parse(lay_over(run.config.model_dump(mode="json"), settings), drop=lambda _: None)
        return not problems_of(config, schema)
    except RaymmError:
        return False


def _train(run: Run, change: _Change) -> tuple[str, ...]:
    method = [setting.partition("=")[2] for setting in change.settings if setting.startswith("method.name=")]
    rest = [setting for setting in change.settings if not setting.startswith("method.name=")]
    out = _free(run.path.with_name(f"{run.path.name}-{change.name}"))
    return (
        *("raymm", "train", *_common(run), *(["--method", *method] if method else [])),
        *("--out", str(out), *_backend(run), *rest),
    )


def _compared(run: Run, found: Sequence[Usage]) -> NextStep:
    """A study against the control; of the control against the first remedy. Its settings are a file of their own."""
    method = run.config.method.name
    other = CONTROL if method != CONTROL else next(name for name in REMEDIES if name in METHODS)
    why = (
        f"One run does not tell whether {method} helps: compare it with {other} over three seeds."
        if method != CONTROL
        else _of_control(found, other)
    )
    file = run.path / layout.COMPARE
    out = _free(run.path.with_name(f"{run.path.name}-study"))
    words = ("raymm", "study", "--from", str(file), "--out", str(out), *_backend(run))
    return NextStep(why, words, yaml_text(_study(run, other), allow_unicode=True))


def _of_control(found: Sequence[Usage], other: str) -> str:
    """Why joint training is compared; nothing is said of modalities where one is under-used and has no remedy."""
    told = f"{other} gains anything is told by three seeds of both."
    if any(usage.role == "under-used" for usage in found):
        return f"Whether {told}"
    return f"No modality is {not_under_used(found)}; whether {told}"


def _study(run: Run, other: str) -> dict[str, Any]:
    """The settings of a study of a run's method and another, on its data and with its other settings."""
    settings = run.config.model_dump(mode="json")
    method = settings.pop("method")
    settings["training"].pop("seed", None)
    settings["cluster"].pop("mirror", None)
    mine = _name(method["name"], "mine")
    arms = {other: {"method": other}, mine: {"method": method}}
    data = {_name(run.data.name, "data"): {"path": str(run.data)}}
    return {"data": data, "arms": arms, "seeds": [0, 1, 2], "settings": settings}


def _name(text: str, otherwise: str) -> str:
    """A name as a study takes it."""
    return text if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}", text) else otherwise


def _common(run: Run) -> tuple[str, ...]:
    return "--data", str(run.data), "--config", str(run.path / layout.CONFIG)


def _backend(run: Run) -> tuple[str, ...]:
    """Where the run was trained, as its folder tells."""
    return () if (run.path / layout.RAY).exists() else ("--backend", "local")


def _free(path: Path) -> Path:
    """The path, or the first with a number behind it that is not taken."""
    number = 2
    free = path
    while free.exists():
        free, number = path.with_name(f"{path.name}-{number}"), number + 1
    return free
