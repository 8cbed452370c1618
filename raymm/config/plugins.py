"""Code of other packages: objects by "package.module:NAME", and plug-ins that register parts when they are imported.

A plug-in is a module that can be imported, or a .py file; installed packages name theirs in the entry-point group
`raymm.plugins`. Every process of a run imports the same ones: a file is copied into the run's folder, which all nodes
see, and what was imported is recorded with hashes.
"""

import hashlib
import importlib.util
import shutil
import socket
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from weakref import WeakKeyDictionary

from raymm.errors import ConfigError, Problems, in_one_line

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
"""Where a run, a sweep or an exported model keeps its copies of plug-ins that are files."""

GROUP = "raymm.plugins"
"""Entry points of installed packages: each names a module."""


_IMPORTED: WeakKeyDictionary[ModuleType, bytes] = WeakKeyDictionary()
"""The code of the files that were imported here as plug-ins."""


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
        Modules ("package.module") or files ("parts.py", also with a folder).

    Raises
    ------
    ConfigError
        Naming every plug-in that cannot be imported here, with the machine and the reason.
    """
    _load_installed()
    problems = Problems("plugins")
    modules = []
    for spec in specs:
        try:
            modules.append(_import_file(Path(spec)) if _is_file(spec) else import_module(spec))
        except ConfigError as cause:
            problems.add(str(cause))
        except (Exception, SystemExit) as cause:  # noqa: BLE001  (whatever the plug-in's own code raises)
            problems.add(f"'{spec}': cannot be imported on {socket.gethostname()}: {in_one_line(cause)}")
    problems.raise_if_any(ConfigError)
    return modules


def describe_plugins(specs: Sequence[str]) -> list[Plugin]:
    """Name and SHA-256 of plug-ins, those that are named and those that are installed.

    The hash is that of a file, or of all Python files of a module's package.
    """
    modules = zip(specs, load_plugins(specs), strict=True)
    named = [
        Plugin(_name(spec), _sha256([Path(spec)] if _is_file(spec) else _files(module))) for spec, module in modules
    ]
    installed = [entry.module for entry in entry_points(group=GROUP)]
    return named + [Plugin(name, _sha256(_files(import_module(name)))) for name in installed]


def copy_plugins(specs: Sequence[str], folder: Path) -> tuple[str, ...]:
    """Copy plug-ins that are files to FOLDER/plugins, which every node sees; returns what to import from there."""
    for spec in specs:
        copy = folder / FOLDER / Path(spec).name
        if _is_file(spec) and Path(spec).absolute() != copy.absolute():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(spec, copy)
    return copied_plugins(specs, folder)


def copied_plugins(specs: Sequence[str], folder: Path) -> tuple[str, ...]:
    """The same plug-ins, with the copies in FOLDER/plugins in the place of files, wherever the folder lies now."""
    copies = [folder.absolute() / FOLDER / Path(spec).name for spec in specs]
    return tuple(str(copy) if copy.is_file() else spec for spec, copy in zip(specs, copies, strict=True))


def check_plugins(specs: Sequence[str], recorded: Sequence[Mapping[str, str]], what: str = "run") -> list[str]:
    """What differs between the code of plug-ins and what a run or sweep, `what`, recorded of them; empty: nothing.

    Files are read and not imported, so that a changed one is found whatever is imported already.
    """
    then = {entry["name"]: entry["sha256"] for entry in recorded}
    files = [spec for spec in specs if _is_file(spec) and Path(spec).is_file()]
    modules = describe_plugins([spec for spec in specs if spec not in files])
    now = {spec: _sha256([Path(spec)]) for spec in files} | {plugin.name: plugin.sha256 for plugin in modules}
    return [
        f"plug-in {spec}: changed since the {what} was made (SHA-256 {sha256[:12]}, was {then[_name(spec)][:12]}, on "
        f"{socket.gethostname()}); bring back that code, or start a new {what}"
        for spec, sha256 in now.items()
        if then.get(_name(spec), sha256) != sha256
    ]


def absolute_plugins(specs: Sequence[str]) -> list[str]:
    """The same plug-ins, files by their whole path."""
    return [str(Path(spec).absolute()) if _is_file(spec) else spec for spec in specs]


@cache
def _load_installed() -> None:
    problems = Problems("plugins")
    for entry in entry_points(group=GROUP):
        try:
            entry.load()
        except (Exception, SystemExit) as cause:  # noqa: BLE001  (whatever the plug-in's own code raises)
            package = entry.dist.name if entry.dist else "a package"
            problems.add(f"'{entry.value}' of the installed {package}: {in_one_line(cause)}; mend or uninstall it")
    problems.raise_if_any(ConfigError)


def _is_file(spec: str) -> bool:
    return spec.endswith(".py")


def _name(spec: str) -> str:
    """What a plug-in is called, wherever its file lies."""
    return Path(spec).name if _is_file(spec) else spec


def _import_file(path: Path) -> ModuleType:
    """Import a file as the module of its name, so that "name:PART" finds it too; files beside it can be imported."""
    path = path.absolute()
    if not path.is_file():
        raise ConfigError(f"'{path}': there is no such file on {socket.gethostname()}")
    known = sys.modules.get(path.stem)
    if known is not None:
        if _code_of(known) != path.read_bytes():
            raise ConfigError(
                f"'{path}': other code than the '{path.stem}' that is imported already "
                f"({known.__file__ or 'built in'}); bring both to one code, or rename the file"
            )
        return known
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    description = importlib.util.spec_from_file_location(path.stem, path)
    assert description is not None
    assert description.loader is not None
    module = importlib.util.module_from_spec(description)
    sys.modules[path.stem] = module
    _IMPORTED[module] = path.read_bytes()
    try:
        description.loader.exec_module(module)
    except BaseException:
        del sys.modules[path.stem]
        raise
    return module


def _code_of(module: ModuleType) -> bytes | None:
    """The code that a module was imported from, also when its file was changed or moved since; None if built in."""
    file = Path(module.__file__ or "")
    return _IMPORTED.get(module) or (file.read_bytes() if file.is_file() else None)


def _sha256(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def _files(module: ModuleType) -> list[Path]:
    if hasattr(module, "__path__"):
        return sorted(file for folder in module.__path__ for file in Path(folder).rglob("*.py"))
    return [Path(module.__file__)] if module.__file__ else []
