"""What training computes beside its clock: encodings, fusions and backward passes."""

from dataclasses import dataclass

__all__ = ["Cost"]


@dataclass
class Cost:
    """What was computed, in rows of this rank.

    Attributes
    ----------
    encodings
        Rows that went through an encoder: a row with three modalities counts three times.
    fusions
        Outputs that were fused: a row counts once for each coalition, also where these are sums of partial logits.
    backwards
        Rows that went through a backward pass.
    """

    encodings: int = 0
    fusions: int = 0
    backwards: int = 0
