"""Value the modalities of a batch of samples from their features: encode once, fuse once a coalition.

The encoders have run before this is called; here only the fusion runs, on all coalitions of all samples,
in blocks that keep within a memory budget. Where the fusion is additive, the logits of a coalition are a
sum of partial logits and nothing is run at all.

A missing modality is no player: coalition C of a sample stands for C without its missing modalities, which
makes them null players, and null players change nobody else's Shapley value. Their phi is NaN.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float64, Int64, Num
from torch import Tensor

from raymm.errors import TrainingError
from raymm.types import Features, Mask, Predict
from raymm.valuation.coalitions import coalition_masks
from raymm.valuation.exact import shapley_values
from raymm.valuation.utilities import is_right, utility

__all__ = ["Partials", "Played", "SampleValues", "play", "settle", "value_samples"]

Partials = Callable[[Features], tuple[Float[Tensor, "B n K"], Float[Tensor, "K"]]]
"""`(deltas, base)` of an additive model: logits(C) = base + sum of deltas[:, i] over i in C."""

BLOCK_BYTES = 64 * 2**20


@dataclass(frozen=True)
class SampleValues:
    """What is known of each sample of a batch after its valuation.

    Attributes
    ----------
    phi
        Contributions, float64 [B, n]; NaN for a missing modality.
    right
        bool [B, 2**n]: whether each coalition predicts the label (the empty one never does).
    prediction
        int64 [B]: class predicted from all present modalities.
    loss
        float64 [B]: cross-entropy of that prediction, in nats.
    """

    phi: Float64[Tensor, "B n"]
    right: Bool[Tensor, "B S"]
    prediction: Int64[Tensor, "B"]
    loss: Float64[Tensor, "B"]


@dataclass(frozen=True)
class Played:
    """Some coalitions of a batch, played.

    Attributes
    ----------
    values
        What each coalition is worth, [B, s].
    right
        Whether it predicts the label, bool [B, s].
    logits
        Logits of the last of them, float64 [B, K].
    """

    values: Num[Tensor, "B s"]
    right: Bool[Tensor, "B s"]
    logits: Float64[Tensor, "B K"]


def value_samples(
    predict: Predict,
    features: Features,
    labels: Int64[Tensor, "B"],
    *,
    present: Mask | None = None,
    utility_name: str = "count",
    partials: Partials | None = None,
    block_bytes: int = BLOCK_BYTES,
) -> SampleValues:
    """Exact Shapley values of every modality of every sample.

    Parameters
    ----------
    predict
        `(features, mask) -> logits`; must not mix rows.
    features
        Encoder outputs [B, n, D].
    labels
        Classes [B].
    present
        Modalities that each sample has, [B, n]; default: all.
    utility_name
        What a coalition is worth; see `raymm.valuation.utilities`.
    partials
        For additive models, in the place of `predict`.
    block_bytes
        Memory for the features of one block of coalitions.

    Raises
    ------
    TrainingError
        When logits are not finite, naming the first samples (positions in the batch).
    """
    if present is None:
        present = torch.ones(features.shape[:2], dtype=torch.bool, device=features.device)
    codes = range(2 ** features.shape[1])
    played = play(predict, features, labels, present, codes, utility_name, partials, block_bytes)
    return settle([played], labels, present)


def play(
    predict: Predict,
    features: Features,
    labels: Int64[Tensor, "B"],
    present: Mask,
    codes: range,
    utility_name: str = "count",
    partials: Partials | None = None,
    block_bytes: int = BLOCK_BYTES,
) -> Played:
    """Play the coalitions `codes`; arguments and errors are those of `value_samples`."""
    worth = utility(utility_name)
    values, right = [], []
    last = torch.empty(0)
    for masks, logits in _coalition_logits(predict, features, present, codes, partials, block_bytes):
        sizes = masks.sum(dim=-1)
        _check_finite(logits)
        values.append(worth(logits, labels, sizes))
        right.append(is_right(logits, labels, sizes))
        last = logits[:, -1]
    return Played(torch.cat(values, dim=1), torch.cat(right, dim=1), last.double())


def settle(played: Sequence[Played], labels: Int64[Tensor, "B"], present: Mask) -> SampleValues:
    """Contributions from all coalitions of a batch, played in consecutive parts."""
    phi = shapley_values(torch.cat([part.values for part in played], dim=1))
    full = played[-1].logits
    return SampleValues(
        phi=phi.masked_fill(~present, torch.nan),
        right=torch.cat([part.right for part in played], dim=1),
        prediction=full.argmax(dim=-1),
        loss=torch.nn.functional.cross_entropy(full, labels, reduction="none"),
    )


def _coalition_logits(
    predict: Predict,
    features: Features,
    present: Mask,
    codes: range,
    partials: Partials | None,
    block_bytes: int,
) -> Iterator[tuple[Bool[Tensor, "B s n"], Float[Tensor, "B s K"]]]:
    """Masks and logits of coalitions in order of their codes, some at a time."""
    batch, n, width = features.shape
    deltas, base = partials(features) if partials else (None, None)
    one = features.element_size() * max(batch, 1) * n * (width if deltas is None else deltas.shape[-1])
    step = max(1, block_bytes // max(one, 1))
    for chosen in coalition_masks(n)[codes.start : codes.stop].to(features.device).split(step):
        masks = chosen[None] & present[:, None]
        if deltas is not None and base is not None:
            yield masks, base + masks.to(deltas.dtype) @ deltas
        else:
            repeated = features[:, None].expand(-1, len(chosen), -1, -1)
            logits = predict(repeated.reshape(-1, n, width), masks.reshape(-1, n))
            yield masks, logits.reshape(batch, len(chosen), -1)


def _check_finite(logits: Float[Tensor, "B s K"]) -> None:
    bad = (~torch.isfinite(logits)).flatten(1).any(dim=1)
    if bad.any():
        rows = torch.nonzero(bad)[:5, 0].tolist()
        raise TrainingError(
            f"the model gives logits that are NaN or infinite for {int(bad.sum())} samples of a batch "
            f"(first positions: {rows}); lower the learning rate or check these inputs"
        )
