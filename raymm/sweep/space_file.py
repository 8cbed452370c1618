"""Call a function of a file that belongs to no package, as Python would run the file.

Files beside it are imported by their names. So it works wherever the folder lies, also in the working directory of a
submitted job.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from inspect import isfunction
from pathlib import Path
from runpy import run_path
from typing import Any

from raymm.errors import ConfigError, did_you_mean, in_one_line
from raymm.storage.local_path import local_path

__all__ = ["load_space_function"]


def load_space_function(spec: str) -> Any:
    """What the function returns.

    Parameters
    ----------
    spec
        "FILE.py" (the function has the name of the file) or "FILE.py:function".

    Raises
    ------
    ConfigError
        When file or function are missing, or what went wrong in them, with the line.
    """
    file, name = (spec, "") if spec.endswith(".py") else spec.rpartition(":")[::2]
    path = local_path(file).absolute()
    if not path.is_file():
        raise ConfigError(f"--space {spec}: no such file; write it as FILE.py or FILE.py:function")
    with _on_sys_path(path.parent), _as_config_error(spec):
        names = run_path(str(path), run_name=f"raymm_space_{path.stem}")
        made = names.get(name or path.stem)
        if not callable(made):
            own = [word for word, thing in names.items() if isfunction(thing) and word[0] != "_"]
            raise ConfigError(f"{spec}: no function '{name or path.stem}'; {did_you_mean(name or path.stem, own)}")
        return made()


@contextmanager
def _on_sys_path(folder: Path) -> Iterator[None]:
    """Let files in a folder import each other, and forget them afterwards: another folder may use their names."""
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            if Path(getattr(sys.modules[name], "__file__", None) or "/").parent == folder:
                del sys.modules[name]


@contextmanager
def _as_config_error(spec: str) -> Iterator[None]:
    """Say in whose file it is when a space cannot be made, and on which line."""
    try:
        yield
    except ConfigError:
        raise
    except (Exception, SystemExit) as cause:
        raise ConfigError(f"{spec}: cannot be made ({in_one_line(cause)})") from cause
