"""What can be said about Ray without starting or even importing it: installation, address, token.

`raymm doctor` shows the findings; a broken or missing Ray is one of them rather than an import error.
"""

import os
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement

__all__ = ["Finding", "connection_problem", "missing_extras", "probe_ray"]

EXTRAS = ("default", "train", "tune")


@dataclass(frozen=True)
class Finding:
    """One line of `raymm doctor`.

    Attributes
    ----------
    name
        What was looked at.
    value
        What was found.
    advice
        What to do; empty when nothing is wrong.
    """

    name: str
    value: str
    advice: str = ""


def probe_ray(environment: Mapping[str, str] = os.environ, timeout: float = 2.0) -> list[Finding]:
    """Look at the installed Ray and at what the environment says about a cluster.

    Parameters
    ----------
    environment
        Variables that Ray will read.
    timeout
        Seconds to wait for the cluster that `RAY_ADDRESS` names.
    """
    return [_extras(), _address(environment.get("RAY_ADDRESS", ""), timeout), _token(environment)]


def missing_extras() -> dict[str, list[str]]:
    """Packages that an extra of Ray needs and that are not installed, by extra."""
    listed = [Requirement(text) for text in requires("ray") or ()]
    missing: dict[str, list[str]] = {}
    for extra in EXTRAS:
        absent = [need.name for need in _of_extra(listed, extra) if not _installed(need.name)]
        if absent:
            missing[extra] = sorted(set(absent))
    return missing


def connection_problem(address: str, timeout: float = 5.0) -> str:
    """Say why nothing answers at `host:port`; empty when something does, or when Ray has to find the host itself.

    Ray would try for minutes.
    """
    if address == "auto" or "://" in address:
        return ""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit():
        return "write it as host:port, for example 10.0.0.5:6379"
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=timeout).close()
    except (OSError, OverflowError) as cause:
        return f"does not answer ({cause})"
    return ""


def _of_extra(listed: list[Requirement], extra: str) -> Iterator[Requirement]:
    for need in listed:
        if need.marker and need.marker.evaluate({"extra": extra}) and not need.marker.evaluate({"extra": ""}):
            yield need


def _extras() -> Finding:
    name = "Ray extras"
    install = "install 'ray[default,train,tune]==2.60.*'"
    try:
        missing = missing_extras()
    except PackageNotFoundError:
        return Finding(name, "Ray is not installed", install)
    if not missing:
        return Finding(name, ", ".join(EXTRAS))
    absent = "; ".join(f"{extra} lacks {', '.join(names)}" for extra, names in missing.items())
    return Finding(name, absent, f"{install}: without `default` there is no dashboard, so no `ray job submit`")


def _address(address: str, timeout: float) -> Finding:
    name = "RAY_ADDRESS"
    if address in {"", "local"}:
        return Finding(name, "not set: a local Ray is started for each run")
    if address.startswith(("http://", "https://")):
        return Finding(
            name, address, "this is a dashboard: write host:6379 here and the dashboard into RAY_API_SERVER_ADDRESS"
        )
    reason = connection_problem(address, timeout)
    if reason:
        return Finding(name, f"{address}: {reason}", "start `ray start --head` there, or unset RAY_ADDRESS")
    return Finding(name, f"{address} answers")


def _token(environment: Mapping[str, str]) -> Finding:
    name = "Ray token"
    if environment.get("RAY_AUTH_MODE", "token").lower() != "token":
        advice = "whoever reaches the cluster's ports can run code there: unset RAY_AUTH_MODE, or set it to token"
        return Finding(name, f"RAY_AUTH_MODE={environment['RAY_AUTH_MODE']}", advice)
    if environment.get("RAY_AUTH_TOKEN"):
        return Finding(name, "from RAY_AUTH_TOKEN")
    given = environment.get("RAY_AUTH_TOKEN_PATH")
    path = Path(given) if given else Path(environment.get("HOME", "~")).expanduser() / ".ray" / "auth_token"
    if path.is_file():
        return Finding(name, str(path))
    if given or environment.get("RAY_ADDRESS"):
        return Finding(name, f"{path} is not there", "copy the cluster's token into that file (`ray get-auth-token`)")
    return Finding(name, f"{path} is made when Ray first starts here")


def _installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True
