"""Token ids of a tokenizer that a network of a library was trained with, from its folder (`tokenizer.json`).

Ids are those of the folder plus 1, so that 0 pads, as everywhere in raymm. The library `tokenizers` comes with the
extra `raymm[transformers]`; nothing is downloaded.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from raymm.errors import ConfigError, DataError, in_one_line, missing_extra
from raymm.storage.directory import sha256_of

__all__ = ["TOKENIZER_FILE", "describe_vocabulary", "token_count", "token_ids", "token_texts"]

TOKENIZER_FILE = "tokenizer.json"


def describe_vocabulary(folder: str) -> dict[str, Any]:
    """What a data set records of a tokenizer: its ids (`buckets`, 0 and those of the folder) and the file's SHA-256.

    Raises
    ------
    ConfigError
        When it cannot be read.
    """
    digest = sha256_of(Path(folder) / TOKENIZER_FILE)
    return {"buckets": 1 + _tokenizer(folder, digest).get_vocab_size(with_added_tokens=True), "sha256": digest}


def token_ids(texts: Sequence[str], folder: str, sha256: str, max_tokens: int) -> npt.NDArray[np.int64]:
    """Ids int64 [len(texts), max_tokens] of texts, special tokens included; 0 pads.

    Raises
    ------
    ConfigError, DataError
        When the tokenizer cannot be read here, or is another one than that of the data set.
    """
    tokenizer = _cut_to(max_tokens, folder, sha256)
    out = np.zeros((len(texts), max_tokens), np.int64)
    for row, text in enumerate(texts):
        ids = tokenizer.encode(text).ids
        out[row, : len(ids)] = np.asarray(ids, np.int64) + 1
    return out


def token_count(text: str, folder: str, sha256: str) -> int:
    """Tokens of a whole text, special ones included."""
    return len(_tokenizer(folder, sha256).encode(text).ids)


def token_texts(text: str, folder: str, sha256: str, max_tokens: int) -> list[str]:
    """The tokens of a text as the tokenizer writes them, special ones included, at most `max_tokens`."""
    found: list[str] = _cut_to(max_tokens, folder, sha256).encode(text).tokens
    return found


@lru_cache(maxsize=16)
def _cut_to(max_tokens: int, folder: str, sha256: str) -> Any:
    tokenizer = _read(folder, sha256)
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


@lru_cache(maxsize=16)
def _tokenizer(folder: str, sha256: str) -> Any:
    return _read(folder, sha256)


def _read(folder: str, sha256: str) -> Any:
    """The tokenizer of a folder, which neither cuts nor pads."""
    try:
        from tokenizers import Tokenizer  # noqa: PLC0415  (an extra)
    except ImportError as cause:
        raise ConfigError(f"tokenizer {folder}: {missing_extra('tokenizers', 'transformers', cause)}") from cause
    file = Path(folder) / TOKENIZER_FILE
    if not file.is_file():
        raise ConfigError(f"tokenizer {folder}: there is no {TOKENIZER_FILE}; nothing is downloaded, so put it there")
    if sha256_of(file) != sha256:
        raise DataError(f"{file}: changed since the data set was prepared; bring back that file, or prepare again")
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as cause:  # a plain Exception of the library
        raise ConfigError(f"{file}: holds no tokenizer that can be read ({in_one_line(cause)})") from cause
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
