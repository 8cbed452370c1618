"""The code of a model of one's own: from a function, or its name, to what every process of a run imports.

The builder is written as "package.module:NAME", or "FILE.py:NAME". Its code becomes plug-ins of the run (a file, the
folder of a package, and what these import from beside them), which are copied, hashed and compared as other plug-ins
are. A package that is installed is on every machine, and is recorded by its hash alone.
"""

import ast
import importlib.util
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from raymm.config.code_files import code_name, import_named, is_path
from raymm.config.registries import load_object
from raymm.errors import ConfigError

__all__ = ["name_of_builder", "named_object", "with_code_of_model"]

WHERE = "model.build"

INSTALLED = tuple(Path(sysconfig.get_path(name)) for name in ("purelib", "platlib", "stdlib", "platstdlib"))
"""Folders of installed packages and of Python's own modules."""

RAYMM = Path(__file__).absolute().parents[1]
"""raymm itself, wherever it lies: every process has it."""


def name_of_builder(build: Callable[..., Any] | str) -> str:
    """The name by which every process finds a builder again, "package.module:NAME"; a name stays as it is.

    Raises
    ------
    ConfigError
        When the function cannot be found by its name: it is a lambda, stands inside another function, or was defined
        in a notebook or in the script that runs.

    Examples
    --------
    >>> name_of_builder(name_of_builder)
    'raymm.config.own_code:name_of_builder'
    >>> name_of_builder(lambda schema: None)
    Traceback (most recent call last):
    raymm.errors.ConfigError: model.build: a lambda has no name by which other processes find it; write a function ...
    """
    if isinstance(build, str):
        return build
    module, name = getattr(build, "__module__", None), getattr(build, "__qualname__", None)
    if not callable(build) or not isinstance(module, str) or not isinstance(name, str):
        raise ConfigError(
            f"{WHERE}: a {type(build).__name__} has no name by which other processes find it; give a function "
            "build(schema, ...) of a module, or its name as package.module:NAME"
        )
    advice = (
        "write a function in a file, such as my_model.py, and give it as my_model.py:NAME or import it from there"
    )
    if "<lambda>" in name:
        raise ConfigError(f"{WHERE}: a lambda has no name by which other processes find it; {advice}")
    if "<locals>" in name:
        raise ConfigError(
            f"{WHERE}: '{name}' stands inside another function, where no other process finds it; {advice}"
        )
    if module == "__main__":
        raise ConfigError(
            f"{WHERE}: '{name}' was defined in a notebook or in the script that runs, which no other process can "
            f"import; {advice}"
        )
    if load_object(f"{module}:{name}", WHERE) is not build:
        raise ConfigError(f"{WHERE}: {module}:{name} is now another object than the one that was given; {advice}")
    return f"{module}:{name}"


def named_object(spec: str, where: str) -> Any:
    """What "package.module:NAME" or "FILE.py:NAME" names; raises `ConfigError` in the words of a setting."""
    module, _, name = spec.rpartition(":")
    if not module.endswith(".py"):
        return load_object(spec, where)
    import_named(Path(module), where)
    return load_object(f"{Path(module).stem}:{name}", where)


def with_code_of_model(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Settings in which the code of `model.build` stands among the plug-ins, and a file by the name of its module.

    Anything else comes back as it is, also what is not yet valid.

    Raises
    ------
    ConfigError
        When the file or module cannot be imported, or a file is named without what is in it.
    """
    model = values.get("model")
    build = model.get("build") if isinstance(model, Mapping) else getattr(model, "build", None)
    if not isinstance(build, str) or not (":" in build or is_path(build)):
        return values
    if ":" not in build:
        raise ConfigError(f"{WHERE}: '{build}' names a file; name the function or class in it too, as {build}:NAME")
    plugins = [str(spec) for spec in values.get("plugins") or ()]
    module, _, name = build.rpartition(":")
    if is_path(module):
        path = Path(module).absolute()
        import_named(Path(module), WHERE)
        module, plugins = path.stem, _merged(plugins, [*_beside(path), str(path)])
    elif _top(module) not in {Path(code_name(spec)).stem if is_path(spec) else _top(spec) for spec in plugins}:
        load_object(build, WHERE)
        plugins = _merged(plugins, _code_of(module))
    fields: Iterable[str] = getattr(model, "model_fields_set", ())
    settings = model if isinstance(model, Mapping) else {key: getattr(model, key) for key in fields}
    return {**values, "model": {**settings, "build": f"{module}:{name}"}, "plugins": plugins}


def _top(module: str) -> str:
    return module.partition(".")[0]


def _merged(plugins: Iterable[str], more: Iterable[str]) -> list[str]:
    """Plug-ins, and more of them as far as none is called the same."""
    found = {code_name(spec): spec for spec in more} | {code_name(spec): spec for spec in plugins}
    return list(found.values())


def _code_of(module: str) -> list[str]:
    """The plug-ins that bring an imported module: the package or file that it is in, after what that needs."""
    top = _top(module)
    path = _place_of(top)
    return [top] if path is None or _installed(path) else [*_beside(path), str(path)]


def _place_of(top: str) -> Path | None:
    """The folder of a package or the file of a module, whether it is imported or not; None where it has neither."""
    try:
        about = getattr(sys.modules.get(top), "__spec__", None) or importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if about is None:
        return None
    if about.submodule_search_locations:
        return Path(next(iter(about.submodule_search_locations))).absolute()
    return Path(about.origin).absolute() if about.origin and Path(about.origin).suffix == ".py" else None


def _installed(path: Path) -> bool:
    return path == RAYMM or any(path.is_relative_to(folder) for folder in INSTALLED)


def _beside(path: Path) -> list[str]:
    """Files and packages beside a file or package that its code imports, and those that these import, last first."""
    found: dict[Path, None] = {}
    waiting = [path]
    while waiting:
        for top in _imported_by(waiting.pop()):
            place = _place_of(top)
            if place is not None and place.parent == path.parent and place not in {path, RAYMM, *found}:
                found[place] = None
                waiting.append(place)
    return [str(place) for place in reversed(found)]


def _imported_by(path: Path) -> Iterator[str]:
    """First names of the modules that the code of a file or folder imports."""
    for file in [path] if path.is_file() else sorted(path.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.Import):
                yield from (_top(alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield _top(node.module)
