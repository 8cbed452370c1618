"""What the words of a page mean, in a sentence each."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from raymm.valuation.table import ValuationTable

__all__ = ["intervals_of_columns", "terms_of"]

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
OF_COLUMNS = "± of a column is half of a 95 % interval by itself: "
SEEDS = (
    "of several seeds Student's t over the seeds, which says what another seed may show on these very test samples"
)
ONE_SEED = (
    "of one seed over its test samples, which says what other samples of this kind may show for this very model, not "
    "what another seed would"
)
DIFFERENCES = "; intervals of differences hold for all columns, and of phi for all modalities, at once"


def intervals_of_columns(seeds: Collection[int]) -> str:
    """What the intervals of columns of so many seeds are.

    >>> intervals_of_columns([1])[:78]
    '± of a column is half of a 95 % interval by itself: of one seed over its test '
    """
    parts = [SEEDS] * (max(seeds) > 1) + [ONE_SEED] * (min(seeds) == 1)
    return OF_COLUMNS + "; ".join(parts) + (DIFFERENCES if len(seeds) > 1 else "")


def terms_of(table: ValuationTable, intervals: str = INTERVALS) -> list[tuple[str, str]]:
    """The terms that a page of this table uses, with their meanings; `intervals` are those of a page of one run."""
    share, several = table.info.fair_share, len(table.info.modalities) > 1
    terms = [("phi", PHI.format(table.info.utility))]
    terms += [] if share is None else [("fair share", FAIR_SHARE.format(share))]
    terms += [("alone", ALONE), ("chance", CHANCE)] if table.shows_right else []
    terms += [("under-used", UNDER_USED)] if several else []
    terms += [("repairs, breaks", REPAIRS)] if several and table.shows_outcomes else []
    return [*terms, ("intervals", intervals)]
