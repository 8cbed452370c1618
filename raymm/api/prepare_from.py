"""What `raymm.prepare` works on: a manifest that is given, or one that is made of a published data set."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raymm.config.argument_lists import classes_in
from raymm.data.schema_inference import parse_kinds
from raymm.data.sources import collect, write_collection
from raymm.data.sources.base import parse_source_settings
from raymm.errors import ConfigError, Problems
from raymm.storage import data_layout
from raymm.tasks.registry import get_task

if TYPE_CHECKING:
    from raymm.data.manifest import Kinds
    from raymm.tasks.base import Task

__all__ = ["Material", "check_inputs", "from_source", "given_manifest"]


@dataclass(frozen=True)
class Material:
    """A manifest, the folder of its files, the kinds of its columns, and what a source says beside them."""

    manifest: Path
    root: Path
    kinds: Kinds
    classes: list[str] | None = None
    task: Task | None = None
    sets: tuple[str, ...] = ()

    def labelled(self, classes: Sequence[str] | None, task: Task | None) -> Material:
        """The same with classes and a task that were named, where they were."""
        return replace(self, classes=list(classes_in(classes)) if classes else self.classes, task=task or self.task)


def check_inputs(given: Mapping[str, Any], spelled: Callable[[str], str] = str) -> None:
    """Refuse arguments that do not go together, whatever a command line or a program calls them.

    Parameters
    ----------
    given
        `source`, `root`, `source_settings`, `manifest`, `media_root` and `modalities`; None, or empty, where one was
        not given.
    spelled
        How a name is written for the person who gave them.

    Raises
    ------
    ConfigError
        With every argument that is missing, or that belongs to the other way.
    """
    if given["source"] is None:
        problems, needed = Problems(""), ("manifest", "media_root", "modalities")
        if missing := [spelled(name) for name in needed if given[name] is None]:
            way = f"{_with(spelled('source'), 'NAME')} {_with(spelled('root'), 'FOLDER')}"
            problems.add(f"missing {', '.join(missing)}; a published data set is prepared by {way}")
        for name in ("root", "source_settings"):
            if given[name]:
                problems.add(f"{spelled(name)} belongs to {spelled('source')}; name one")
    else:
        problems = Problems(spelled("source"))
        for name in ("manifest", "media_root"):
            if given[name] is not None:
                problems.add(f"makes its own manifest: leave out {spelled(name)}")
        if given["root"] is None:
            problems.add(f"add {spelled('root')}: the folder of the data set")
    problems.raise_if_any(ConfigError)


def from_source(
    source: str,
    root: Path,
    settings: Sequence[str],
    modalities: str | None,
    seed: int,
    out: Path,
    say: Callable[[str], None],
) -> Material:
    """Find the files of a published data set and write the manifest."""
    found = collect(source, root, parse_source_settings(settings), modalities, seed)
    path = write_collection(found, out)
    for note in found.notes:
        say(note)
    if found.left_out:
        say(f"{data_layout.left_out_file(out)} names what is left out")
    return Material(path, root, dict(found.kinds), [*found.classes] or None, get_task(), tuple(found.sets))


def given_manifest(manifest: Path, media_root: Path, modalities: str) -> Material:
    """The manifest that the arguments name; raises `ConfigError` for a kind of modality that there is not."""
    return Material(manifest, media_root, parse_kinds(modalities))


def _with(name: str, value: str) -> str:
    return f"{name} {value}" if name.startswith("-") else f"{name}={value}"
