"""JSON files of a known shape: one way to read them, and one form for all that can be wrong with one.

A record is a class of fields with strict types. Fields that it does not know are passed over, so that a file that was
written with more is still read; a newer number of the format is refused by name.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Never, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from raymm.errors import DataError, Problems, RaymmError, briefly

__all__ = ["JsonRecord", "check_shape", "parse_json", "read_json"]

REMEDY = "bring back a good copy of it"

HALF = re.compile(rb"\\u[dD][89a-fA-F]")
"""An escape of half of a character, which the escape of the other half must be beside."""

M = TypeVar("M", bound=BaseModel)


class JsonRecord(BaseModel):
    """Base of what a JSON file holds: strict types, finite numbers, further fields passed over.

    Attributes
    ----------
    newest
        Number of the newest format that is read.
    error
        What is raised when a file cannot be read.
    remedy
        What to do then.
    format
        Number of the format of the file; files that were written without one are of the first.
    """

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False)

    newest: ClassVar[int] = 1
    error: ClassVar[type[RaymmError]] = DataError
    remedy: ClassVar[str] = REMEDY

    format: int = Field(default=1, ge=1)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file.

        Raises
        ------
        RaymmError
            Of the type `error`, naming the file, when it is missing, no file, no JSON, of a newer format, or when a
            field is missing or of another type.
        """
        return cls.of(read_json(path, cls.error, cls.remedy), path)

    @classmethod
    def parse(cls, content: bytes, where: object) -> Self:
        """The same from the content of a file; `where` says whose it is."""
        return cls.of(parse_json(content, where, cls.error, cls.remedy), where)

    @classmethod
    def of(cls, values: Mapping[str, Any], where: object) -> Self:
        """The same from a mapping, such as JSON that was read before."""
        number = values.get("format")
        if isinstance(number, int) and number > cls.newest:
            raise cls.error(
                f"{where}: is of format {number}, and this raymm reads formats up to {cls.newest}; update raymm"
            )
        return check_shape(cls, values, where, cls.error, cls.remedy)


def read_json(path: Path, error: type[RaymmError] = DataError, remedy: str = REMEDY) -> dict[str, Any]:
    """Read a file that holds a JSON object; raises `error` as `JsonRecord.read` does."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise error(f"{path}: there is no such file; {remedy}") from None
    except OSError as cause:
        raise error(f"{path}: cannot be read ({cause.strerror or cause}); {remedy}") from cause
    return parse_json(content, path, error, remedy)


def parse_json(
    content: bytes, where: object, error: type[RaymmError] = DataError, remedy: str = REMEDY
) -> dict[str, Any]:
    """The JSON object in the content of a file; raises `error` when it is something else."""
    try:
        values = json.loads(content, parse_constant=_refuse)
        if HALF.search(content):
            json.dumps(values, ensure_ascii=False).encode()
    except UnicodeEncodeError as cause:  # such a text can neither be shown nor written
        half = ascii(cause.object[cause.start])
        raise error(f"{where}: cannot be read (it holds {half}, half of a character, in a text); {remedy}") from cause
    except (ValueError, RecursionError) as cause:
        raise error(f"{where}: cannot be read ({cause}); {remedy}") from cause
    if not isinstance(values, dict):
        raise error(f"{where}: cannot be read (it holds a {type(values).__name__}, not an object); {remedy}")
    return values


def check_shape(model: type[M], values: Mapping[str, Any], where: object, error: type[RaymmError], remedy: str) -> M:
    """An instance of a model with strict fields; raises `error` naming each field that is missing or wrong."""
    try:
        return model.model_validate(values)
    except ValidationError as cause:
        problems = Problems(f"{where}: cannot be read", [_words(found) for found in cause.errors()])
        problems.raise_if_any(error, most=5, note=remedy)
        raise


def _refuse(constant: str) -> Never:
    raise ValueError(f"{constant} is no number of JSON")


def _words(error: Any) -> str:
    field = ".".join(str(part) for part in error["loc"])
    if error["type"] == "missing":
        return f"'{field}' is missing"
    return f"'{field}' is {briefly(error['input'])}: {error['msg'].removeprefix('Value error, ')}"
