"""Code of other packages: objects by "package.module:NAME", and plug-ins that register parts when they are imported.

A plug-in is a module that can be imported, a .py file, or the folder of a package (written as a path, with a "/");
installed packages name theirs in the entry-point group `raymm.plugins`. Every process of a run imports the same ones:
a file or folder is copied into the run's folder, which all nodes see, and what was imported is recorded with hashes.
"""

import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from raymm.config.code_files import (
    code_name,
    copy_code,
    import_code,
    is_path,
    sha256_of_code,
    sha256_of_module,
)
from raymm.errors import SHOWN, ConfigError, Problems, in_one_line

__all__ = [
    "FOLDER",
    "Plugin",
    "absolute_plugins",
    "check_plugins",
    "copied_plugins",
    "copy_plugins",
    "describe_plugins",
    "load_plugins",
]

FOLDER = "plugins"
"""Where a run, a sweep or an exported model keeps its copies of plug-ins that are files or folders."""

GROUP = "raymm.plugins"
"""Entry points of installed packages: each names a module."""


@dataclass(frozen=True)
class Plugin:
    """A plug-in as a run records it: how it was named, and the SHA-256 of its code."""

    name: str
    sha256: str


def load_plugins(specs: Iterable[str] = ()) -> list[ModuleType]:
    """Import the installed plug-ins (once a process) and those that are named; their parts are then registered.

    Parameters
    ----------
    specs
        Modules ("package.module"), files ("parts.py", also with a folder) or folders of packages ("code/package").

    Raises
    ------
    ConfigError
        Naming every plug-in that cannot be imported here, with the machine and the reason.
    """
    _load_installed()
    problems = Problems("plugins")
    modules = []
    for spec in specs:
        if len(problems.items) == SHOWN:
            problems.raise_if_any(ConfigError, note="those that follow were not imported")
        try:
            modules.append(import_code(Path(spec)) if is_path(spec) else import_module(spec))
        except ConfigError as cause:
            problems.add(str(cause))
        except (Exception, SystemExit) as cause:  # noqa: BLE001  (whatever the plug-in's own code raises)
            problems.add(f"'{spec}': cannot be imported on {socket.gethostname()}: {in_one_line(cause)}")
    problems.raise_if_any(ConfigError)
    return modules


def describe_plugins(specs: Sequence[str]) -> list[Plugin]:
    """Name and SHA-256 of plug-ins, those that are named and those that are installed.

    The hash is that of a file, or of all Python files of a folder or of a module's package.
    """
    modules = zip(specs, load_plugins(specs), strict=True)
    named = [
        Plugin(code_name(spec), sha256_of_code(Path(spec)) if is_path(spec) else sha256_of_module(module))
        for spec, module in modules
    ]
    return named + [Plugin(name, sha256_of_module(import_module(name))) for name in _load_installed()]


def copy_plugins(specs: Sequence[str], folder: Path) -> tuple[str, ...]:
    """Copy files and folders to FOLDER/plugins, which every node sees; returns what to import from there."""
    for spec in specs:
        copy = folder / FOLDER / Path(spec).name
        if is_path(spec) and Path(spec).absolute() != copy.absolute():
            copy_code(Path(spec), copy)
    return copied_plugins(specs, folder)


def copied_plugins(specs: Sequence[str], folder: Path) -> tuple[str, ...]:
    """The same plug-ins, with the copies in FOLDER/plugins in the place of paths, wherever the folder lies now."""
    copies = [folder.absolute() / FOLDER / Path(spec).name for spec in specs]
    return tuple(
        str(copy) if is_path(spec) and copy.exists() else spec for spec, copy in zip(specs, copies, strict=True)
    )


def check_plugins(specs: Sequence[str], recorded: Sequence[Mapping[str, str]], what: str = "run") -> list[str]:
    """What differs between the code of plug-ins and what a run or sweep, `what`, recorded of them; empty: nothing.

    Files are read and not imported, so that a changed one is found whatever is imported already.
    """
    then = {entry["name"]: entry["sha256"] for entry in recorded}
    files = [spec for spec in specs if is_path(spec) and Path(spec).exists()]
    modules = describe_plugins([spec for spec in specs if spec not in files])
    now = {spec: sha256_of_code(Path(spec)) for spec in files} | {plugin.name: plugin.sha256 for plugin in modules}
    return [
        f"plug-in {spec}: changed since the {what} was made (SHA-256 {sha256[:12]}, was "
        f"{then[code_name(spec)][:12]}, on {socket.gethostname()}); bring back that code, or start a new {what}"
        for spec, sha256 in now.items()
        if then.get(code_name(spec), sha256) != sha256
    ]


def absolute_plugins(specs: Sequence[str]) -> list[str]:
    """The same plug-ins, files and folders by their whole path."""
    return [str(Path(spec).absolute()) if is_path(spec) else spec for spec in specs]


@cache
def _load_installed() -> tuple[str, ...]:
    """Import the installed plug-ins; returns the names of their modules."""
    problems, entries = Problems("plugins"), tuple(entry_points(group=GROUP))
    for entry in entries:
        try:
            entry.load()
        except (Exception, SystemExit) as cause:  # noqa: BLE001  (whatever the plug-in's own code raises)
            package = entry.dist.name if entry.dist else "a package"
            problems.add(f"'{entry.value}' of the installed {package}: {in_one_line(cause)}; mend or uninstall it")
    problems.raise_if_any(ConfigError)
    return tuple(entry.module for entry in entries)
