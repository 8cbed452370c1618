"""YAML that people write: read by libyaml where it is there; what only a mistake or an attack holds is refused.

A configuration is small. Larger text, deep nesting, aliases that expand to far more than was written, and a key that
stands twice in one mapping (YAML readers let the last one win, silently) are refused with the line.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from raymm.config.yaml_dialect import LOADER, NUMBERS
from raymm.errors import ConfigError, Problems

__all__ = ["read_yaml", "yaml_value"]

LARGEST = 2**20
"""Bytes of a file."""

DEEPEST = 50
"""Mappings and lists within each other."""

MOST_NODES = 100_000
"""Values of a document, each alias counted as what it stands for."""

LONGEST_NUMBER = 100
"""Characters; reading a number takes time with the square of them."""

OPENING = (yaml.events.MappingStartEvent, yaml.events.SequenceStartEvent)
CLOSING = (yaml.events.MappingEndEvent, yaml.events.SequenceEndEvent)


def read_yaml(path: Path) -> Any:
    """The value of a YAML file; None for an empty one.

    Raises
    ------
    ConfigError
        When the file cannot be read, is larger than 1 MB, no UTF-8 or no YAML, or is refused as `yaml_value` says.
    """
    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise ConfigError(f"{path}: has {size} bytes; a configuration has {LARGEST} at most")
        return yaml_value(path.read_text(encoding="utf-8-sig"), str(path))
    except OSError as cause:
        raise ConfigError(f"{path}: cannot be read ({cause.strerror})") from cause
    except UnicodeDecodeError as cause:
        raise ConfigError(f"{path}: is not UTF-8 ({cause}); save it as UTF-8") from cause


def yaml_value(text: str, where: str) -> Any:
    r"""The value of a YAML text.

    Parameters
    ----------
    where
        What the text is, for the message.

    Raises
    ------
    ConfigError
        When the text is no YAML; or a key stands twice, it is nested deeper than 50, or aliases expand to too much.

    Examples
    --------
    >>> yaml_value("{epochs: 3}", "settings")
    {'epochs': 3}
    >>> yaml_value("[1e-3, 010, 12:30, 2026-01-31, off]", "settings")  # see `raymm.config.yaml_dialect`
    [0.001, 10, '12:30', '2026-01-31', False]
    >>> yaml_value("epochs: 3\nseed: 1\nepochs: 4", "settings")
    Traceback (most recent call last):
    raymm.errors.ConfigError: settings: line 3: 'epochs' stands twice (first in line 1); remove one
    """
    try:
        _check_depth(text, where)
        node = yaml.compose(text, LOADER)
        if node is None:
            return None
        _check_nodes(node, where)
        problems = Problems(where)
        problems.items += [*_repeated(node), *_endless_numbers(node)]
        problems.raise_if_any(ConfigError)
        return yaml.load(text, LOADER)  # noqa: S506  (a safe loader)
    except (yaml.YAMLError, ValueError, OverflowError, TypeError, AttributeError, LookupError) as cause:
        words = " ".join(str(cause).split())[:300]
        raise ConfigError(f"{where}: not YAML: {words}") from cause


def _check_depth(text: str, where: str) -> None:
    """Events come without recursion, so this is safe for any depth."""
    depth = 0
    for event in yaml.parse(text, LOADER):
        depth += isinstance(event, OPENING) - isinstance(event, CLOSING)
        if depth > DEEPEST:
            raise ConfigError(f"{where}: line {_line(event.start_mark)}: nested deeper than {DEEPEST} levels")


def _line(mark: Any) -> int:
    return int(mark.line) + 1


def _check_nodes(node: yaml.Node, where: str) -> None:
    """Count the values, each alias as what it stands for."""
    sizes: dict[int, int] = {}

    def size(node: yaml.Node) -> int:
        if id(node) not in sizes:
            sizes[id(node)] = MOST_NODES + 1  # what holds itself has no end
            sizes[id(node)] = 1 + sum(size(child) for child in _children(node))
        return sizes[id(node)]

    if size(node) > MOST_NODES:
        raise ConfigError(f"{where}: has more than {MOST_NODES} values, aliases counted as what they stand for")


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key
            yield value
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _repeated(node: yaml.Node) -> Iterator[str]:
    """Keys that stand twice in one mapping."""
    if isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                line = _line(key.start_mark)
                if key.value in lines:
                    yield f"line {line}: '{key.value}' stands twice (first in line {lines[key.value]}); remove one"
                lines.setdefault(key.value, line)
    for child in _children(node):
        yield from _repeated(child)


def _endless_numbers(node: yaml.Node) -> Iterator[str]:
    """Numbers that nobody writes."""
    if isinstance(node, yaml.ScalarNode) and node.tag in NUMBERS and len(node.value) > LONGEST_NUMBER:
        yield f"line {_line(node.start_mark)}: a number of {len(node.value)} characters"
    for child in _children(node):
        yield from _endless_numbers(child)
