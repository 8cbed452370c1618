"""From `--modalities audio,rgb,flow` and `--set rgb.height=64` to the specs of a schema.

What the user leaves open is read from the data: the window from the longest media file, the size of
vectors and sequences from the first array, the size of encoded texts from their encoder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from raymm.config.mistakes import mistake_in_words
from raymm.config.registries import KINDS
from raymm.config.yaml_text import yaml_value
from raymm.data.kinds.base import ModalitySpec, kind_of
from raymm.data.kinds.inputs import Probe
from raymm.data.kinds.vector import VectorSpec
from raymm.data.media.root import MediaRoot
from raymm.data.media.text_embeddings import Encoders
from raymm.data.schema import Schema
from raymm.data.window import Say, infer_window
from raymm.errors import ConfigError, Problems, did_you_mean

if TYPE_CHECKING:
    from raymm.data.manifest import Kinds, Manifest

__all__ = ["build_schema", "made_specs", "parse_kinds", "parse_settings"]

Settings = dict[str, dict[str, Any]]


def parse_kinds(modalities: str) -> Kinds:
    """Names and kinds of modalities; raises `ConfigError` with every mistake.

    Examples
    --------
    >>> parse_kinds("audio,lips:rgb,pose=raymm.data:VectorSpec")
    {'audio': 'audio', 'lips': 'rgb', 'pose': 'raymm.data:VectorSpec'}
    """
    kinds: Kinds = {}
    problems = Problems("--modalities")
    for item in modalities.split(","):
        name, _, kind = item.strip().partition("=" if "=" in item else ":")
        kind = kind or name
        if name in kinds:
            problems.add(f"'{name}' appears twice")
        elif trouble := _unknown(item.strip(), kind):
            problems.add(trouble)
        kinds[name] = kind
    problems.raise_if_any(ConfigError)
    return kinds


def _unknown(item: str, kind: str) -> str:
    """What is wrong with the kind of an item; empty when nothing is."""
    if ":" not in kind:
        hint = "write name:kind or name=package.module:KIND"
        return "" if kind in KINDS else f"'{item}': no kind '{kind}'; {did_you_mean(kind, KINDS)}; {hint}"
    try:
        kind_of(kind)
    except ConfigError as cause:
        return f"'{item}': {cause}"
    return ""


def build_schema(
    kinds: Kinds,
    manifest: Manifest,
    media_root: MediaRoot,
    settings: Sequence[str] = (),
    encoders: Encoders | None = None,
    say: Say = lambda _: None,
) -> Schema:
    """The schema of a collection.

    Parameters
    ----------
    kinds, manifest, media_root
        What is to be prepared.
    settings
        `modality.field=value`, over the defaults of `raymm.data.schema`.
    encoders
        Sentence encoders of text modalities, which the data set then holds as vectors.
    say
        Called with what a person wants to know about the window.

    Raises
    ------
    ConfigError
        When a setting names no modality or field, or has a wrong value; or an encoder cannot be loaded.
    DataError
        When the size of an array cannot be inferred.
    """
    encoders = encoders or {}
    types = {name: kind_of(kind) for name, kind in kinds.items()}
    fields = {name: set() if name in encoders else spec.settable() for name, spec in types.items()}
    chosen = parse_settings(fields, settings)
    seconds = _given_window(chosen) or infer_window(_timed_files(types, manifest), media_root, say)
    specs: list[ModalitySpec] = []
    problems = Problems("--set")
    for name, spec in types.items():
        if name in encoders:
            specs.append(VectorSpec(name=name, size=encoders[name].size, encoder=encoders[name].name))
            continue
        cells = [record.cells[name] for record in manifest.records if record.cells[name] is not None]
        found: object = spec.probe(Probe(name, cells, media_root, chosen[name], seconds))
        if not isinstance(found, Mapping):
            problems.add(
                f"{name}: probe of the kind '{kinds[name]}' returns a {type(found).__name__}; expected a dictionary"
            )
            continue
        specs += made_specs(spec, {"name": name, "kind": kinds[name], **found, **chosen[name]}, problems)
    problems.items += [f"{spec.name}.{trouble}" for spec in specs for trouble in spec.problems()]
    problems.raise_if_any(ConfigError)
    try:
        return Schema.model_validate({"modalities": specs, "classes": manifest.classes, "task": manifest.task})
    except ValidationError as cause:
        raise ConfigError("; ".join(_in_words(error) for error in cause.errors())) from cause


def made_specs(kind: type[ModalitySpec], fields: dict[str, Any], problems: Problems) -> list[ModalitySpec]:
    """The spec of a modality; none, and problems, where a field is wrong."""
    try:
        return [kind.model_validate(fields)]
    except ValidationError as cause:
        for error in cause.errors():
            of_name = error["loc"] == ("name",)
            problems.add(_in_words({**error, "loc": ()}) if of_name else _in_words(error, fields["name"]))
        return []


def _in_words(error: Any, *prefix: str) -> str:
    return mistake_in_words(error, lambda _: "no such field", prefix)


def parse_settings(fields: dict[str, set[str]], settings: Sequence[str]) -> Settings:
    """Settings by modality; `fields` are those that each modality has."""
    chosen: Settings = {name: {} for name in fields}
    problems = Problems("--set")
    for setting in settings:
        key, equals, text = setting.partition("=")
        name, dot, field = key.partition(".")
        if not equals or not dot:
            problems.add(f"'{setting}': write it as modality.field=value, for example rgb.height=64")
        elif name not in fields:
            problems.add(f"'{setting}': no modality '{name}'; {did_you_mean(name, fields)}")
        elif field not in fields[name]:
            problems.add(f"'{setting}': no field '{field}'; {did_you_mean(field, fields[name])}")
        else:
            chosen[name][field] = _value(text)
    problems.raise_if_any(ConfigError)
    return chosen


def _value(text: str) -> Any:
    """A YAML scalar; text that is not YAML is returned unchanged, and the schema refuses it."""
    try:
        return yaml_value(text, "--set")
    except ConfigError:
        return text


def _given_window(chosen: Settings) -> float | None:
    """The longest window that the settings name; all modalities then cover it."""
    given = [values.get("seconds") for values in chosen.values()]
    return max((float(seconds) for seconds in given if isinstance(seconds, int | float)), default=None)


def _timed_files(types: Mapping[str, type[ModalitySpec]], manifest: Manifest) -> list[str]:
    """Files of modalities with a time axis, each once."""
    timed = [(name, kind) for name, kind in types.items() if kind.is_timed]
    files = (kind.file_of(record.cells[name]) for record in manifest.records for name, kind in timed)
    return list(dict.fromkeys(file for file in files if file))
