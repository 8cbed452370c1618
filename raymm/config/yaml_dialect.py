"""Which plain words of YAML are numbers, for reading and writing: those of YAML 1.2, not the surprises of 1.1.

`1e-3` and `1e3` are numbers, `010` is ten, and times (`12:30:00`) and days (`2026-01-31`) are texts; `_` may stand
between digits. As in YAML 1.1, `yes`, `no`, `on` and `off` are true and false. What is written is read alike by
readers of either version: a text that one of them takes for something else is in quotes.
"""

import re
from typing import Any

import yaml

__all__ = ["LOADER", "NUMBERS", "yaml_text"]

INT, FLOAT, TIMESTAMP = (f"tag:yaml.org,2002:{name}" for name in ("int", "float", "timestamp"))

NUMBERS = (INT, FLOAT)

OWN = (
    (INT, re.compile(r"[-+]?(?:0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)$"), "-+0123456789"),
    (
        FLOAT,
        re.compile(
            r"(?:[-+]?(?:\.[0-9][0-9_]*|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?"
            r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
        ),
        "-+.0123456789",
    ),
)
"""Tags, the words that have them, and their first letters; the first that fits is taken."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Reads plain data alone."""

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """A whole number: zeros before it change nothing, `0b`, `0o` and `0x` do."""
        text = self.construct_scalar(node).replace("_", "")
        return int(text, 0 if text.lstrip("-+")[:2] in {"0b", "0o", "0x"} else 10)


_Loader.yaml_implicit_resolvers = {
    letter: [(tag, words) for tag, words in known if tag not in {*NUMBERS, TIMESTAMP}]
    for letter, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_constructor(INT, _Loader.construct_yaml_int)


class _Dumper(yaml.SafeDumper):
    """Writes plain data alone; adding to its resolvers leaves those of PyYAML as they are."""


for _tag, _words, _letters in OWN:
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(_tag, _words, list(_letters))

LOADER: Any = _Loader


def yaml_text(values: Any, *, allow_unicode: bool = False) -> str:
    """Values as YAML that `raymm.config.yaml_text.yaml_value` reads back; keys stay in order.

    >>> yaml_text({"rate": 1e-05, "name": "1e-3", "code": "010", "at": "12:30"}).split()
    ['rate:', '1.0e-05', 'name:', "'1e-3'", 'code:', "'010'", 'at:', "'12:30'"]
    """
    return str(yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=allow_unicode))
