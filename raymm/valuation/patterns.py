"""Six patterns of a pair of modalities, from the outcomes of {i}, {j} and {i, j}.

| {i} correct | {j} correct | {i, j} correct | pattern |
|---|---|---|---|
| 0 | 0 | 1 | synergy: both are needed |
| 1 | 1 | 1 | redundancy: either is enough |
| 1 | 0 | 1 | i (or j) carries |
| 1 | 0 | 0 | one breaks a correct answer of the other |
| 1 | 1 | 0 | conflict: each is correct by itself, together they are wrong |
| 0 | 0 | 0 | hard: no coalition of the two is correct |

phi by itself does not distinguish synergy from redundancy: both give each modality its fair share.
"""

from itertools import combinations

import numpy as np
import numpy.typing as npt

from raymm.valuation.bits import bits_at

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
"""By code, (i correct) + 2 (j correct) + 4 (both correct); if only {i} is correct, the second broke its answer."""


def pattern_labels(correct: npt.NDArray[np.bool_], i: int, j: int) -> npt.NDArray[np.int64]:
    """Pattern of modalities i (the first) and j (the second) in each sample.

    Parameters
    ----------
    correct
        bool [N, 2**n]: whether each coalition is correct; only {i}, {j} and {i, j} are read.

    Returns
    -------
    int64 [N], positions in `PATTERNS`.

    Examples
    --------
    >>> correct = np.array([[False, False, False, True], [False, True, False, False]])  # of {}, {0}, {1}, {0, 1}
    >>> [PATTERNS[label] for label in pattern_labels(correct, 0, 1)]
    ['synergy', 'second breaks']
    """
    first, second, both = correct[:, 1 << i], correct[:, 1 << j], correct[:, 1 << i | 1 << j]
    return _OF_CODE[first + 2 * second.astype(np.int64) + 4 * both.astype(np.int64)]


def pattern_shares(
    outcomes: npt.NDArray[np.uint8], present: npt.NDArray[np.bool_]
) -> dict[tuple[int, int], list[float]]:
    """Share of each pattern among the samples that have both modalities, for every pair (i, j), i < j.

    Parameters
    ----------
    outcomes
        uint8 [N, ceil(2**n / 8)], of which only the bits of {i}, {j} and {i, j} are unpacked.
    present
        bool [N, n]: which modalities each sample has. Shares are NaN where no sample has both.
    """
    shares = {}
    for i, j in combinations(range(present.shape[1]), 2):
        correct = bits_at(outcomes, [0, 1 << i, 1 << j, 1 << i | 1 << j])
        labels = pattern_labels(correct[present[:, i] & present[:, j]], 0, 1)
        counts = np.bincount(labels, minlength=len(PATTERNS))
        with np.errstate(invalid="ignore"):
            shares[i, j] = (counts / len(labels)).tolist()
    return shares
