"""Six patterns of two modalities: what a pair of them does, alone and together.

| i alone right | j alone right | both right | pattern |
|---|---|---|---|
| 0 | 0 | 1 | synergy: it takes both |
| 1 | 1 | 1 | redundancy: either would do |
| 1 | 0 | 1 | i (or j) carries |
| 1 | 0 | 0 | one breaks a right answer of the other |
| 1 | 1 | 0 | conflict: each right alone, wrong together |
| 0 | 0 | 0 | hard: nobody knows |

phi alone cannot tell synergy from redundancy: both give each modality its fair share.
"""

from itertools import combinations

import numpy as np
import numpy.typing as npt

__all__ = ["PATTERNS", "pattern_labels", "pattern_shares"]

PATTERNS = (
    "hard",
    "first breaks",
    "second breaks",
    "conflict",
    "synergy",
    "first carries",
    "second carries",
    "redundancy",
)
"""Names by label: the six patterns, two of them with their direction."""

_OF_CODE = np.array([0, 2, 1, 3, 4, 5, 6, 7], np.int64)
"""Code (i right) + 2 (j right) + 4 (both right): with i right alone and both wrong, the second has broken it."""


def pattern_labels(right: npt.NDArray[np.bool_], i: int, j: int) -> npt.NDArray[np.int64]:
    """Pattern of modalities i (the first) and j (the second) in each sample.

    Parameters
    ----------
    right
        bool [N, 2**n]: whether each coalition is right; only {i}, {j} and {i, j} are looked at.

    Returns
    -------
    int64 [N], positions in `PATTERNS`.
    """
    alone_i, alone_j, both = right[:, 1 << i], right[:, 1 << j], right[:, 1 << i | 1 << j]
    return _OF_CODE[alone_i + 2 * alone_j.astype(np.int64) + 4 * both.astype(np.int64)]


def pattern_shares(
    right: npt.NDArray[np.bool_], present: npt.NDArray[np.bool_]
) -> dict[tuple[int, int], list[float]]:
    """Share of each pattern among the samples that have both modalities, for every pair (i, j), i < j."""
    shares = {}
    for i, j in combinations(range(present.shape[1]), 2):
        both = present[:, i] & present[:, j]
        counts = np.bincount(pattern_labels(right[both], i, j), minlength=len(PATTERNS))
        shares[i, j] = (counts / max(1, both.sum())).tolist()
    return shares
