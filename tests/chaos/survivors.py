"""Changes that no test can see, each with the reason: what comes out is the same."""

__all__ = ["reason"]

SAME_BITS = "both ways give the same bits; one is faster"
NO_MEMBER = "the empty coalition has no member"
NO_OTHER = "the grand coalition leaves nobody out"
AND = "of two arrays of truth values, the product is the conjunction"

SURVIVORS: dict[str, dict[str, str]] = {
    "raymm/methods/extra_rows.py": {
        "probability = np.clip(fm(d), 0.0, 2.0)": "draws are below 1",
        "probability = np.clip(fm(d), -1.0, 1.0)": "draws are above 0",
        "probability = np.clip(fm(d), -1, 1.0)": "draws are above 0",
        'order = np.argsort(uniform(keys_of(derive(seed, "subset"), rows), 1)[:, -1], kind="stable")': "one column",
        'order = np.argsort(uniform(keys_of(derive(seed, "subset"), rows), 2)[:, 0], kind="stable")': (
            "the first number of a row does not depend on how many there are"
        ),
        "elif not problems.items and (empty := ~(masks_of(keep, present.shape[1]) * present[position])"
        ".any(axis=1)).any():": AND,
        "wrong = values[(values < least) ^ (values > most)]": "no number is both below the least and above the most",
        'if weight.dtype.kind not in "fiu" or not (np.isfinite(weight) * (weight >= 0)).all():': AND,
    },
    "raymm/methods/gaps.py": {"if n <= 1:": "there is a modality at least"},
    "raymm/methods/kept.py": {
        "same = (extra.keep == keep) * (number == copy)": AND,
        "same = (extra.keep == keep) & (number >= copy)": "later numbers are drawn afterwards, and overwritten",
    },
    "raymm/methods/sample.py": {
        "expected = get_function(settings.fs)(np.where(low, (share - inputs.phi) / share, 1.0))": (
            "what is not low becomes 0 in the next line"
        ),
    },
    "raymm/methods/coalition_terms.py": {
        'table[p, s] = {"size": 1.0, "uniform": comb(p, s), "shapley": 2 / (s * (p - s))}[self.weights]': (
            "shares are divided by their sum"
        ),
        "order = torch.where(present[:, None], uniform[..., 1:], 2.0)"
        ".argsort(dim=-1, stable=False).argsort(dim=-1)": (
            "only modalities that a row lacks are equal, and none of them is drawn"
        ),
    },
    "raymm/valuation/exact.py": {
        "if n < 1 or columns > 2**n:": "2**n is the largest power of two that is not above the columns",
    },
    "raymm/valuation/bits.py": {
        'if bits.device.type < "cpu":': SAME_BITS,
        'if not bits.device.type == "cpu":': SAME_BITS,
        'if bits.device.type != "cpu":': SAME_BITS,
        'if bits.device.type > "cpu":': SAME_BITS,
    },
    "raymm/valuation/coalitions.py": {
        "inside = [ 1, *(divisor // (n * comb(n - 1, s - 1)) for s in range(1, n + 1))]": NO_MEMBER,
        "inside = [ -1, *(divisor // (n * comb(n - 1, s - 1)) for s in range(1, n + 1))]": NO_MEMBER,
        "outside = [*(-divisor // (n * comb(n - 1, s)) for s in range(n)), 1]": NO_OTHER,
        "outside = [*(-divisor // (n * comb(n - 1, s)) for s in range(n)), -1]": NO_OTHER,
        "@torch.inference_mode(mode=False)": "without a cache the same is computed again",
        "by_size = torch.tensor([divisor / ((n - 1) * comb(n - 2, s)) for s in range(n - 1)], dtype=torch.float64)": (
            "it divides without a remainder"
        ),
    },
    "raymm/valuation/sampling/designs.py": {
        "whole = comb(n, size) // (2 if 2 * size > n else 1)": (
            "of no number of players are the halves on either side of the limit"
        ),
    },
    "raymm/valuation/sampling/estimator.py": {
        "if 2**count <= max(sampling.budget, 9):": "no power of two is 9",
        'rows = torch.nonzero((near & (answer["stderr"] > 0)).any(dim=1))[:, -1]': "one column",
    },
}
"""By module and changed line."""


def reason(module, before, after):
    """Why a change is equivalent, or None."""
    del before
    return SURVIVORS.get(module, {}).get(after)
