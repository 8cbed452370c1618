"""The digest that identifies a data set: what runs, sweeps and valuations record, and how records are compared.

Version 0.1.0 recorded another form, the first eight digits of the SHA-256 of the first eight files. It cannot tell
two data sets apart that differ later, so it is compared only where nothing else was recorded.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Protocol

__all__ = ["digest_of", "is_legacy", "legacy_digest_of", "same_data", "short_digest"]

PREFIX = "sha256:"


class Identified(Protocol):
    """What has both forms of the digest: a `Dataset`."""

    @property
    def digest(self) -> str: ...

    @property
    def legacy_digest(self) -> str: ...


def digest_of(manifest: Mapping[str, Any]) -> str:
    """The digest of a data set: "sha256:" and the SHA-256 over its schema and name, size and SHA-256 of each file.

    Files are taken in the order of their names, whatever their order in the manifest.

    Examples
    --------
    >>> manifest = {"schema": {}, "files": {"shards/part-00000.arrow": {"bytes": 8, "sha256": "ab"}}}
    >>> digest_of(manifest)[:15]
    'sha256:31cb56df'
    >>> digest_of({**manifest, "schema": {"classes": ["a", "b"]}}) == digest_of(manifest)
    False
    """
    files = sorted((name, entry["bytes"], entry["sha256"]) for name, entry in manifest["files"].items())
    content = json.dumps([manifest["schema"], files], sort_keys=True, separators=(",", ":"))
    return PREFIX + hashlib.sha256(content.encode()).hexdigest()


def legacy_digest_of(manifest: Mapping[str, Any]) -> str:
    """The digest that version 0.1.0 recorded: eight digits of each of the first eight files."""
    return "".join(entry["sha256"][:8] for entry in manifest["files"].values())[:64]


def is_legacy(digest: str) -> bool:
    """Whether a recorded digest has the form of version 0.1.0."""
    return not digest.startswith(PREFIX)


def same_data(recorded: str, dataset: Identified) -> bool:
    """Whether a recorded digest, of this form or that of version 0.1.0, is the digest of a data set.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> dataset = SimpleNamespace(digest="sha256:a2e7", legacy_digest="ab01")
    >>> same_data("sha256:a2e7", dataset), same_data("ab01", dataset), same_data("sha256:ab01", dataset)
    (True, True, False)
    """
    return recorded == (dataset.legacy_digest if is_legacy(recorded) else dataset.digest)


def short_digest(digest: str) -> str:
    """The first 16 digits of a digest, for people.

    Examples
    --------
    >>> short_digest("sha256:0123456789abcdef0123456789abcdef")
    '0123456789abcdef'
    """
    return digest.removeprefix(PREFIX)[:16]
