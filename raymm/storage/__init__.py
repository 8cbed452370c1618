"""Files that are either whole or not there: atomic writes, checksums, and a manifest written last."""

from raymm.storage.atomic import atomic_path, write_bytes, write_json
from raymm.storage.directory import commit_directory, is_committed, read_manifest, sha256_of, verify

__all__ = [
    "atomic_path",
    "commit_directory",
    "is_committed",
    "read_manifest",
    "sha256_of",
    "verify",
    "write_bytes",
    "write_json",
]
