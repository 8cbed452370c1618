"""What the command line answers to a mistake: the nearest option, and words for what ended a command."""

import importlib
from collections.abc import Sequence
from difflib import get_close_matches

import click

from raymm.signals import Stopped

__all__ = [
    "explain_interrupt",
    "explain_out_of_memory",
    "explain_unknown_option",
    "is_out_of_memory",
]


def is_out_of_memory(cause: BaseException) -> bool:
    """Whether memory was refused: by Python, NumPy or Arrow, or by torch, on a CPU or a GPU."""
    refused = ("can't allocate memory", "out of memory")  # torch's words; on a CPU its error has no type of its own
    return isinstance(cause, MemoryError) or (
        isinstance(cause, RuntimeError) and any(words in str(cause) for words in refused)
    )


def explain_out_of_memory(cause: BaseException) -> str:
    """How much was asked for, where that is known, and what to do."""
    words = " ".join(str(cause).split())[:200]
    return (
        f"out of memory{f' ({words})' if words else ''}; lower training.batch_size or valuation.batch_size, or use a "
        "machine with more memory, and repeat the command, which goes on from what was committed"
    )


def explain_interrupt(cause: BaseException) -> str:
    """What ended the command, and how to go on; an interrupt may say that itself."""
    what = f"ended by {cause.number.name}" if isinstance(cause, Stopped) else "interrupted"
    return f"{what}; what was committed is kept, {f'{cause}' or 'the same command goes on from there'}"


def explain_unknown_option(cause: click.NoSuchOption, verbs: Sequence[str]) -> str:
    """What may have been meant: an option of this verb, a setting, or an option of another verb."""
    context = cause.ctx
    name = cause.option_name.lstrip("-")
    if context is None:
        return cause.message
    own = _options(context.command)
    near = get_close_matches(name, own, n=1, cutoff=0.7)
    if near:
        return f"{context.command_path} has no option --{name}; did you mean --{near[0]}?"
    settings = _settings(name) if any(made.name == "overrides" for made in context.command.params) else []
    if settings:
        meant = " or ".join(f"{key}=VALUE" for key in settings)
        return f"{context.command_path} has no option --{name}; it is a setting, so write {meant} (without dashes)"
    others = [verb for verb in verbs if name in _options(_command(verb))]
    if others:
        return f"{context.command_path} has no option --{name}; raymm {others[0]} has one"
    return f"{context.command_path} has no option --{name}; it has {', '.join(f'--{option}' for option in own)}"


def _options(command: click.Command) -> list[str]:
    names = [text for made in command.params if isinstance(made, click.Option) for text in made.opts]
    return [text.removeprefix("--") for text in names if text.startswith("--")]


def _command(verb: str) -> click.Command:
    command: click.Command = getattr(importlib.import_module(f"raymm.cli.{verb}"), verb)
    return command


def _settings(name: str) -> list[str]:
    """Dotted settings whose last part is this name, or what this name means elsewhere."""
    from raymm.config.aliases import meant_by
    from raymm.config.catalogue import setting_names

    wanted = name.replace("-", "_")
    meant = meant_by(wanted)
    return [key for key in setting_names() if wanted in {key, key.rpartition(".")[2]}] or ([meant] if meant else [])
