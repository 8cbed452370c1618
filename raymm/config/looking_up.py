"""Find settings in the catalogue: by section, by part, by a word."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from difflib import get_close_matches

from raymm.config.aliases import meant_by
from raymm.config.catalogue import Section, Setting, catalogue, part_section
from raymm.errors import ConfigError

__all__ = ["merged", "parts_below", "sections_called", "settings_with"]


def sections_called(name: str | None = None) -> list[Section]:
    """The sections of a name.

    Parameters
    ----------
    name
        A section (`training`), a part of one (`training.loss`), a setting, or a part with settings of its own
        (`method.sample`, `model.encoder.resnet18`); None gives the sections of every configuration.

    Raises
    ------
    ConfigError
        When there is none, with what may have been meant.
    """
    every = catalogue()
    if name is None:
        return [section for section in every if not section.part]
    of_library = part_section(name)
    exact = [of_library] if of_library else [section for section in every if section.name == name]
    found = exact or _narrowed(every, name) or [section for section in every if section.name.startswith(f"{name}.")]
    if not found:
        raise ConfigError(f"no section or setting '{name}'; {_suggestion(name, every)}")
    return found


def settings_with(words: Sequence[str]) -> list[Section]:
    """The settings that hold all of some words in their name, values or meaning, in their sections.

    Raises
    ------
    ConfigError
        When there is none.
    """
    wanted = [word.lower() for word in words]
    meant = {meant_by(word) for word in wanted}

    def holds(setting: Setting) -> bool:
        text = f"{setting.key} {setting.values} {setting.meaning}".lower()
        return setting.key in meant or all(word in text for word in wanted)

    every = catalogue()
    found = [replace(section, settings=tuple(filter(holds, section.settings))) for section in every]
    found = [section for section in found if section.settings]
    if not found:
        asked = " ".join(words)
        raise ConfigError(f"no setting says '{asked}'; {_suggestion(asked, every)}")
    return found


def merged(sections: Iterable[Section]) -> list[Section]:
    """The same sections, those of one registry with equal settings as one, of several names.

    >>> one = Section("method.opm", "Method: opm.", (), part=True)
    >>> [section.name for section in merged([one, replace(one, name="method.agm")])]
    ['method.opm, method.agm']
    """
    groups: dict[tuple[str, tuple[Setting, ...]], list[Section]] = {}
    for section in sections:
        alike = section.name.rpartition(".")[0] if section.part else section.name
        groups.setdefault((alike, section.settings), []).append(section)
    return [replace(group[0], name=", ".join(section.name for section in group)) for group in groups.values()]


def parts_below(name: str) -> list[str]:
    """Names of the parts that have a section directly below one."""
    return [
        section.name.removeprefix(f"{name}.")
        for section in catalogue()
        if section.part and section.name.rpartition(".")[0] == name
    ]


def _narrowed(sections: Iterable[Section], name: str) -> list[Section]:
    """What lies below a dotted name, of each section that has such settings."""
    found = []
    for section in (section for section in sections if not section.option):
        inner = [
            made for made in section.settings if made.key == name or made.key.startswith((f"{name}.", f"{name}["))
        ]
        if inner:
            found.append(replace(section, settings=tuple(inner)))
    return found


def _suggestion(name: str, sections: Sequence[Section]) -> str:
    """A setting of this name elsewhere, a part of this name, or the nearest of all names."""
    last = name.rpartition(".")[2]
    if meant := meant_by(last):
        return f"did you mean {meant}?"
    keys = dict.fromkeys(setting.key for section in sections for setting in section.settings)
    names = [*(section.name for section in sections), *keys]
    shorter = {known.rpartition(".")[2]: known for known in reversed(names)}
    near = [known for known in names if known.rpartition(".")[2] == last][:3]
    near = near or get_close_matches(name, names, n=1)
    near = near or [shorter[word] for word in get_close_matches(last, shorter, n=1)]
    if near:
        return f"did you mean {' or '.join(near)}?"
    return "the sections are " + ", ".join(section.name for section in sections if not section.part)
