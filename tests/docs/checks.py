"""Whether a command of the docs is understood: programs, verbs, options, settings, files and targets exist."""

import re
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import click

from raymm.cli import VERBS, cli
from raymm.config import load
from tests.docs.snippets import Command, commands_of, snippets_of

__all__ = ["ELSEWHERE", "check", "raymm_words"]

ROOT = Path(__file__).parents[2]

ELSEWHERE = {
    "docker": "builds and pushes an image",
    "kubectl": "talks to a cluster",
    "ssh": "talks to a cluster",
    "chmod": "changes a file of the user",
    "export": "sets a variable",
    "prometheus": "is another project's program",
    "git": "is another project's program",
    "pip": "installs packages",
    "cd": "goes to a folder",
    "source": "is the shell's own",
}
"""Programs whose arguments are not checked, and why."""


def check(command: Command) -> None:
    """Raise unless the command is understood; names the place in the docs."""
    program, *arguments = command.words
    if program in ELSEWHERE:
        return
    try:
        CHECKS.get(program, _unknown)(arguments, command.where)
    except (Exception, SystemExit) as cause:
        message = cause.format_message() if isinstance(cause, click.ClickException) else f"{cause}"
        raise AssertionError(f"{command.where}: {' '.join(command.words)}: {message}") from cause


def raymm_words(command: Command) -> tuple[str, ...] | None:
    """Verb and arguments of a call of raymm, by its script or as a module; None for other programs."""
    if command.words[0] == "raymm":
        return command.words[1:]
    return command.words[3:] if command.words[:3] == ("python", "-m", "raymm") else None


def _parse(group: click.Command, arguments: list[str], name: str) -> click.Context:
    """The context of the innermost command, parsed and not invoked."""
    while isinstance(group, click.Group):
        word, *arguments = arguments or [""]
        context = click.Context(group, info_name=name)
        found = group.get_command(context, word)
        if found is None:
            raise ValueError(f"{name} has no command '{word}'")
        group, name = found, word
    return group.make_context(name, list(arguments))


def _raymm(arguments: list[str], where: str) -> None:
    """Settings of a command that has plug-ins are those of parts that are not known here: its page is run."""
    if not arguments or arguments[0] not in VERBS:
        raise ValueError(f"no verb '{' '.join(arguments[:1])}'")
    given = _parse(cli, arguments, "raymm").params
    if not given.get("plugins"):
        load(None, given.get("overrides") or ())
    for name in ("space", "config"):
        value = given.get(name)
        file = str(value or "").partition(":")[0]
        if file and not file.startswith("/") and not (ROOT / file).is_file() and file not in _written_by(where):
            raise ValueError(f"there is no file {file}")
    _space(str(given.get("space") or ""), where)


def _space(spec: str, where: str) -> None:
    """The file of a space that its page writes has the function that is named, or else that of its own name."""
    file, _, name = spec.partition(":")
    text = _written_by(where).get(file)
    function = name or file.removesuffix(".py")
    if spec and text is not None and f"def {function}():" not in text:
        raise ValueError(f"{file} has no function {function}")


def _written_by(where: str) -> dict[str, str]:
    """The files that the page of a place writes, and what they hold."""
    page = ROOT / where.rpartition(":")[0]
    found = snippets_of(page.name, page.read_text()) if page.is_file() else []
    return {snippet.file: snippet.text for snippet in found}


def _unknown(arguments: list[str], where: str) -> None:
    del arguments, where
    raise ValueError("no way to check this program")


def _make(arguments: list[str], where: str) -> None:
    del where
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    unknown = [word for word in arguments if "=" not in word and word not in targets]
    if unknown:
        raise ValueError(f"no target {', '.join(unknown)}")


def _ray(arguments: list[str], where: str) -> None:
    with warnings.catch_warnings(action="ignore"):  # Ray's own
        from ray.scripts.scripts import cli as ray

    given = _parse(ray, arguments, "ray").params
    if given.get("entrypoint"):
        check(Command(where, tuple(given["entrypoint"])))
    if given.get("cmd"):
        for command in commands_of(given["cmd"], where):
            check(command)
    file = given.get("cluster_config_file")
    if file and not (ROOT / file).is_file():
        raise ValueError(f"there is no file {file}")


def _mlflow(arguments: list[str], where: str) -> None:
    from mlflow.cli import cli as mlflow

    del where
    _parse(mlflow, arguments, "mlflow")


def _python(arguments: list[str], where: str) -> None:
    if arguments[:2] == ["-m", "raymm"]:
        _raymm(arguments[2:], where)
    elif arguments[:1] == ["-m"]:
        if find_spec(arguments[1]) is None:
            raise ValueError(f"there is no module {arguments[1]}")
    elif arguments[:1] == ["-c"]:
        compile(arguments[1], where, "exec")
    elif not (ROOT / arguments[0]).is_file():
        raise ValueError(f"there is no file {arguments[0]}")


def _hostname(arguments: list[str], where: str) -> None:
    del where
    if arguments != ["-I"]:
        raise ValueError("give -I")


CHECKS: dict[str, Callable[[list[str], str], None]] = {
    "raymm": _raymm,
    "make": _make,
    "ray": _ray,
    "mlflow": _mlflow,
    "python": _python,
    "hostname": _hostname,
}
