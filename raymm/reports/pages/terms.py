"""What the words of a page mean, in a sentence each."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from raymm.valuation.table import ValuationTable

__all__ = ["terms_of"]

PHI = (
    "the contribution of a modality to the answer of a sample: its Shapley value, by the utility {}; over the "
    "modalities of a sample the contributions sum to what all achieve together"
)
FAIR_SHARE = "the phi of each modality where each of them by itself is enough, {:g} here"
ALONE = "the model answers from this modality by itself, the others masked"
CHANCE = "the share right of the best answer that is the same for all samples"
UNDER_USED = (
    "phi is lower than the mean phi of the sample's other modalities by more than chance (a paired 95 % interval, "
    "for all modalities at once) and by at least a quarter of it; it dominates where phi is higher by half of it; "
    "it is used about as much where the whole interval lies between these"
)
REPAIRS = (
    "samples whose answer turns right, or wrong, when the modality joins all others; it does harm where it breaks "
    "more than it repairs, by more than chance (McNemar's exact test)"
)
INTERVALS = (
    "95 % intervals over the test samples: they say what other samples of this kind may show for this very model, "
    "not what another seed would; of shares they are Wilson's, of means Student's t, and ± is half of one"
)


def terms_of(table: ValuationTable) -> list[tuple[str, str]]:
    """The terms that a page of this table uses, with their meanings."""
    share, several = table.info.fair_share, len(table.info.modalities) > 1
    terms = [("phi", PHI.format(table.info.utility))]
    terms += [] if share is None else [("fair share", FAIR_SHARE.format(share))]
    terms += [("alone", ALONE), ("chance", CHANCE)] if table.shows_right else []
    terms += [("under-used", UNDER_USED)] if several else []
    terms += [("repairs, breaks", REPAIRS)] if several and table.shows_outcomes else []
    return [*terms, ("intervals", INTERVALS)]
