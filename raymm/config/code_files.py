"""Code that lies in a .py file or in the folder of a package: imported from where it lies, copied, and hashed."""

import hashlib
import importlib.util
import shutil
import socket
import sys
from collections.abc import Iterable
from difflib import get_close_matches
from importlib import import_module, invalidate_caches
from pathlib import Path
from types import ModuleType
from weakref import WeakKeyDictionary

from raymm.errors import ConfigError, RaymmError, in_one_line

__all__ = [
    "code_name",
    "copy_code",
    "import_code",
    "import_named",
    "is_path",
    "sha256_of_code",
    "sha256_of_module",
]

_IMPORTED: WeakKeyDictionary[ModuleType, bytes] = WeakKeyDictionary()
"""The code, or the digest of the folder, of what was imported here by `import_code`."""


def is_path(spec: str) -> bool:
    """Whether a name of code is that of a file or folder, and not that of a module.

    >>> [is_path(spec) for spec in ("parts.py", "code/parts.py", "./package", "package.module")]
    [True, True, True, False]
    """
    return spec.endswith(".py") or "/" in spec


def code_name(spec: str) -> str:
    """What code is called, wherever it lies: the name of a file or folder; a module as it is."""
    return Path(spec).name if is_path(spec) else spec


def import_code(path: Path) -> ModuleType:
    """Import a file as the module of its name, or a folder as the package of its name, so that "name:PART" finds it.

    Files beside it can be imported too.

    Raises
    ------
    ConfigError
        When there is no such file or folder, or a module of its name is imported already and has other code.
    """
    path = path.absolute()
    if not path.exists():
        raise ConfigError(f"'{path}': there is no such file on {socket.gethostname()}")
    code = _code_at(path)
    known = sys.modules.get(path.stem)
    if known is not None:
        if _code_of(known) != code:
            if _place_of(known) == path:
                raise ConfigError(
                    f"'{path}': was changed after this process had imported it, and Python keeps what it imported; "
                    "start the process (or the notebook's kernel) again"
                )
            raise ConfigError(
                f"'{path}': other code than the '{path.stem}' that is imported already "
                f"({known.__file__ or 'built in'}); bring both to one code, or rename the file"
            )
        return known
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    module = _imported_folder(path) if path.is_dir() else _imported_file(path, code)
    _IMPORTED[module] = code
    return module


def import_named(path: Path, where: str) -> ModuleType:
    """Import a file that a setting or an option names, as `import_code` does.

    Raises
    ------
    ConfigError
        In the words of that setting: there is no such file, importing it raises something, or as `import_code`.
    """
    if not path.exists():
        beside = get_close_matches(path.name, [file.name for file in path.absolute().parent.glob("*.py")], n=1)
        near = f"; did you mean '{path.with_name(beside[0])}'?" if beside else ""
        place = "" if path.is_absolute() else f" in {Path.cwd()}"
        raise ConfigError(f"{where}: there is no file '{path}'{place}{near}")
    try:
        return import_code(path)
    except RaymmError:
        raise
    except (Exception, SystemExit) as cause:
        raise ConfigError(f"{where}: '{path}' is there, but importing it raises {in_one_line(cause)}") from cause


def copy_code(path: Path, copy: Path) -> None:
    """Copy a file, or the Python files of a folder."""
    copy.parent.mkdir(parents=True, exist_ok=True)
    if path.is_file():
        shutil.copy2(path, copy)
        return
    shutil.rmtree(copy, ignore_errors=True)
    for file in _python_files(path):
        target = copy / file.relative_to(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, target)


def sha256_of_code(path: Path) -> str:
    """SHA-256 of the name and content of a file, or of all Python files of a folder, by their names in it."""
    if path.is_dir():
        return _sha256((str(file.relative_to(path)), file) for file in _python_files(path))
    return _sha256([(path.name, path)])


def sha256_of_module(module: ModuleType) -> str:
    """SHA-256 of the file of a module, or of all Python files of a package."""
    if hasattr(module, "__path__"):
        files = sorted(file for folder in module.__path__ for file in Path(folder).rglob("*.py"))
    else:
        files = [Path(module.__file__)] if module.__file__ else []
    return _sha256((file.name, file) for file in files)


def _imported_file(path: Path, code: bytes) -> ModuleType:
    description = importlib.util.spec_from_file_location(path.stem, path)
    assert description is not None
    assert description.loader is not None
    module = importlib.util.module_from_spec(description)
    sys.modules[path.stem] = module
    _IMPORTED[module] = code
    try:
        description.loader.exec_module(module)
    except BaseException:
        del sys.modules[path.stem]
        raise
    return module


def _imported_folder(path: Path) -> ModuleType:
    """The package of a folder; its parent comes first where modules are searched."""
    before = list(sys.path)
    sys.path.insert(0, str(path.parent))
    invalidate_caches()
    try:
        return import_module(path.name)
    finally:
        sys.path[:] = before


def _code_of(module: ModuleType) -> bytes | None:
    """The code that a module was imported from, also when its file was changed or moved since; None if built in."""
    if module in _IMPORTED:
        return _IMPORTED[module]
    path = _place_of(module)
    return _code_at(path) if hasattr(module, "__path__") or path.is_file() else None


def _place_of(module: ModuleType) -> Path:
    """The file or folder that a module came from."""
    folder = next(iter(getattr(module, "__path__", ())), None)
    return Path(folder or module.__file__ or "").absolute()


def _code_at(path: Path) -> bytes:
    """The content of a file; of a folder the digest of its files."""
    return sha256_of_code(path).encode() if path.is_dir() else path.read_bytes()


def _python_files(folder: Path) -> list[Path]:
    """Python files of a folder and of those in it, hidden ones left out."""
    found = (file for file in folder.rglob("*.py") if file.is_file())
    return sorted(file for file in found if not any(part.startswith(".") for part in file.relative_to(folder).parts))


def _sha256(files: Iterable[tuple[str, Path]]) -> str:
    digest = hashlib.sha256()
    for name, file in files:
        digest.update(name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()
