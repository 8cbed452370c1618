"""Parts by name: one registry for each sort of part (encoders, fusions, methods, utilities, tasks, kinds, ...).

A registry knows its built-in parts by the package that brings them, which is imported when a name is first looked
up. Parts of other packages come by `register` (from a plug-in) or by "package.module:NAME", which is imported
wherever the name is resolved, on the driver and on every worker alike. The registries stand here, below the packages
whose parts they hold, so that settings can be checked against them.
"""

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Generic, TypeVar

from raymm.errors import ConfigError, did_you_mean, in_one_line

__all__ = [
    "ENCODERS",
    "FAMILIES",
    "FUSIONS",
    "ITEMS",
    "KINDS",
    "METHODS",
    "MODELS",
    "OPTIMIZERS",
    "SOURCES",
    "TASKS",
    "UTILITIES",
    "Registry",
    "load_object",
]

T = TypeVar("T")


class Registry(Generic[T]):
    """Named parts of one kind.

    Parameters
    ----------
    noun
        What a part is called in messages: "encoder", "fusion", ...
    package
        Package whose import registers the built-in parts.

    Attributes
    ----------
    adapt
        `(object, where) -> part`, set by the package of the parts: checks what was registered, or what
        "package.module:NAME" led to, and makes a part of it; it raises `ConfigError` with what is wrong. None takes
        the object as it is.

    Examples
    --------
    >>> colours = Registry("colour", package=None)
    >>> colours.register("red", 0xFF0000)
    16711680
    >>> colours.get("red") == 0xFF0000
    True
    >>> colours.get("rad")
    Traceback (most recent call last):
    raymm.errors.ConfigError: no colour 'rad'; did you mean 'red'?
    """

    adapt: Callable[[Any, str], T] | None = None

    def __init__(self, noun: str, package: str | None) -> None:
        self.noun = noun
        self._package = package
        self._parts: dict[str, T] = {}
        self._libraries: dict[str, Callable[[str, str], T]] = {}

    def register(self, name: str, part: T) -> T:
        """Make a part known by a name, and return it.

        Raises
        ------
        ConfigError
            When another part has the name already: a plug-in must not replace a built-in part unseen.
        """
        known = self._parts.get(name)
        if known is not None and (_origin(known), _line(known)) != (_origin(part), _line(part)):
            both = f"{_origin(known)}{_line(known)} and by {_origin(part)}{_line(part)}"
            raise ConfigError(f"{self.noun} '{name}' is registered twice, by {both}")
        self._parts[name] = part
        return part

    def register_library(self, prefix: str, make: Callable[[str, str], T]) -> None:
        """Make the parts of a library known as "prefix:NAME"; `make(NAME, what its errors begin with)`."""
        self._libraries[prefix] = make

    def get(self, name: object, where: str = "") -> T:
        """The part of a name, of "package.module:NAME", or of a library that was registered.

        Parameters
        ----------
        where
            The setting or option that holds the name, for the message.

        Raises
        ------
        ConfigError
            When there is none, with the nearest match; or when the name is not text.
        """
        prefix = f"{where}: " if where else ""
        self._load()
        if not isinstance(name, str):
            raise ConfigError(f"{prefix}the name of the {self.noun} must be text (got {name!r})")
        library, colon, inner = name.partition(":")
        if colon and library in self._libraries:
            return self._libraries[library](inner, prefix)
        if not colon and name not in self._parts:
            raise ConfigError(f"{prefix}no {self.noun} '{name}'; {did_you_mean(name, self._parts)}")
        found: Any = load_object(name, where) if colon else self._parts[name]
        return found if self.adapt is None else self.adapt(found, f"{prefix}'{name}'")

    def names(self) -> list[str]:
        """Names of all registered parts, built-in ones first."""
        self._load()
        return list(self._parts)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __contains__(self, name: object) -> bool:
        return name in self.names()

    def __len__(self) -> int:
        return len(self.names())

    def _load(self) -> None:
        """Import the package of the built-in parts, once."""
        package, self._package = self._package, None
        if package is not None:
            import_module(package)


def load_object(spec: str, field: str) -> Any:
    """Import what `spec`, "package.module:name", leads to; `field` is the setting or option that said so, or "".

    Raises
    ------
    ConfigError
        When there is no such module, importing it raises something, or it has no such name; or it is a file.
    """
    prefix = f"{field}: " if field else ""
    module_name, colon, name = spec.partition(":")
    if not colon or not module_name or not name:
        raise ConfigError(f"{prefix}'{spec}' must be written as package.module:name")
    if module_name.endswith(".py"):
        raise ConfigError(
            f"{prefix}'{spec}' names a file; give that as a plug-in (--plugins {module_name}), and write "
            f"{Path(module_name).stem}:{name}"
        )
    try:
        module = import_module(module_name)
    except (Exception, SystemExit) as cause:
        if isinstance(cause, ModuleNotFoundError) and f"{module_name}.".startswith(f"{cause.name}."):
            raise ConfigError(
                f"{prefix}there is no module '{cause.name}', neither in the current folder ({Path.cwd()}) nor "
                "installed; on a cluster it must be on every machine"
            ) from cause
        raise ConfigError(
            f"{prefix}module '{module_name}' is there, but importing it raises {in_one_line(cause)}"
        ) from cause
    found: Any = module
    for word in name.split("."):  # a class may hold it
        if not hasattr(found, word):
            known = [other for other in vars(module) if not other.startswith("_")]
            raise ConfigError(f"{prefix}module '{module_name}' has no '{name}'; {did_you_mean(name, known)}")
        found = getattr(found, word)
    return found


def _origin(part: object) -> str:
    """Module and name that a part was defined in, so that importing a plug-in twice is no clash."""
    made = _made(part)
    kind = made if hasattr(made, "__qualname__") else type(made)
    return f"{kind.__module__}.{kind.__qualname__}"


def _line(part: object) -> str:
    """The line of a lambda, which tells two of one file apart; nothing of anything that has a name."""
    made: Any = _made(part)
    return f" (line {made.__code__.co_firstlineno})" if getattr(made, "__name__", "") == "<lambda>" else ""


def _made(part: object) -> object:
    return next((getattr(part, name) for name in ("build", "value", "fn") if hasattr(part, name)), part)


KINDS: Registry[Any] = Registry("kind of modality", "raymm.data.kinds")
ENCODERS: Registry[Any] = Registry("encoder", "raymm.models.encoders")
FUSIONS: Registry[Any] = Registry("fusion", "raymm.models.fusion")
MODELS: Registry[Any] = Registry("model", "raymm.models.own")
METHODS: Registry[Any] = Registry("method", "raymm.methods")
FAMILIES: Registry[Any] = Registry("family of fs and fm", "raymm.methods.functions")
UTILITIES: Registry[Any] = Registry("utility", "raymm.valuation.utilities")
TASKS: Registry[Any] = Registry("task", "raymm.tasks")
OPTIMIZERS: Registry[Any] = Registry("optimizer", "raymm.training.optim")
SOURCES: Registry[Any] = Registry("source of data", "raymm.data.sources")
ITEMS: Registry[Any] = Registry("source of samples", "raymm.data.indexed")
