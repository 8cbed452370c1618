"""Changes that no test can see, each with the reason: what comes out is the same."""

__all__ = ["reason"]

SAME_BITS = "both ways give the same bits; one is faster"
NO_MEMBER = "the empty coalition has no member"
NO_OTHER = "the grand coalition leaves nobody out"
AND = "of two arrays of truth values, the product is the conjunction"
OR = "of two arrays of truth values, the sum is the disjunction"
ABOVE_ZERO = "draws are above 0"
BELOW_ONE = "draws are below 1"
LAST = "draws are below 1, so that what a row lacks stands last either way"
ONE_COLUMN = "one column"
ONE_TYPE = "both numbers have as many bits, or no more than 8"
ONE_OF_TWO_WORDS = "the setting is one of two words, which are kept once"
ONLY_ITS_SHAPE = "where no weights are given, only their shape is read, and that they are finite"
OVERWRITTEN = "later numbers are drawn afterwards, and overwritten"
SHARES = "shares are divided by their sum"
DISJOINT = "of numbers whose bits are apart, it is the sum"
WORDS = "words of settings, and their names, are kept once"
AS_MANY = "there are as many of both"
SMALL = "of numbers below 257, the same are one object"
BELOW = "with any such number the bound is that of rounding, and what is between the bounds changes no weight"
ZERO_ROW = "the factor is 0, but for rounding"
ONLY = "where the one is 0 the other is fitted by itself either way"
EVEN_ORDERS = "permutations come in pairs"
EVEN = "a design has an even number of coalitions"
NO_SAMPLE = "of no sample, any modalities have the same values: none"
NO_CACHE = "without a cache, or with one of another size, the same is computed again"
ONE_BYTE = "the codes of no, one or two modalities are of the same type"
CHUNKS = "checksums are the same whatever is read at a time"
NO_LARGER = "of each pair the smaller coalition is given"
NO_MORE = "no more are taken than that"
NO_SUCH_NUMBER = "of up to 62 players, no size has 200000 or 200001 pairs"
DIVIDES = "it divides without a remainder"

SURVIVORS: dict[str, dict[str, str]] = {
    "raymm/methods/plan.py": {
        "return np.dtype(np.int64) if n > 32 else np.min_scalar_type(2**n >> 1)": ONE_TYPE,
        "return np.dtype(np.int64) if n > 32 else np.min_scalar_type(2**n - 2)": ONE_TYPE,
    },
    "raymm/methods/extra_rows.py": {
        "probability = np.clip(fm(d[start : start + len(piece.present)]), 0.0, 2.0)": BELOW_ONE,
        "probability = np.clip(fm(d[start : start + len(piece.present)]), -1.0, 1.0)": ABOVE_ZERO,
        "yield (drawn * piece.present).astype(np.int64)": AND,
        "weight = np.broadcast_to(np.float32( 2), position.shape) if extra.weight is None "
        "else np.asarray(extra.weight)": ONLY_ITS_SHAPE,
        "weight = np.broadcast_to(np.float32( 0), position.shape) if extra.weight is None "
        "else np.asarray(extra.weight)": ONLY_ITS_SHAPE,
        "kept = masks_of(keep[rows], present.shape[1]) * present[position[rows]]": AND,
        'if weight.dtype.kind not in "fiu" or not (np.isfinite(weight) * (weight >= 0)).all():': AND,
        "wrong = values[(values < least) + (values > most)]": OR,
        "wrong = values[(values < least) ^ (values > most)]": "no number is both below the least and above the most",
        "pieces = (rows[start : start + PIECE] for start in range(0, max( 2, len(rows)), PIECE))": (
            "a piece has more rows than two"
        ),
        "return start | int(np.flatnonzero(~some)[0])": DISJOINT,
        "return start ^ int(np.flatnonzero(~some)[0])": DISJOINT,
        "drawn = np.concatenate([uniform(keys_of(own, piece), 2)[:, 0] for piece in pieces])": (
            "the first number of a row does not depend on how many there are"
        ),
        "drawn = np.concatenate([uniform(keys_of(own, piece), 1)[:, -1] for piece in pieces])": ONE_COLUMN,
    },
    "raymm/methods/functions.py": {
        "wrong = ~(np.isfinite(y) * (y >= 0)) & np.isfinite(x)": AND,
        "wrong = ~(np.isfinite(y) & (y >= 0)) * np.isfinite(x)": AND,
        "return np.sum([copies * ((low < x) * (x < high)) for low, high, copies in _INTERVALS], axis=0)": AND,
    },
    "raymm/methods/gaps.py": {"if n <= 1:": "there is a modality at least"},
    "raymm/methods/kept.py": {
        'if settings.keep >= "single" or not len(extra):': ONE_OF_TWO_WORDS,
        'if settings.keep is "single" or not len(extra):': ONE_OF_TWO_WORDS,
        "order = np.where(present, drawn[:, 1:], 3.0)": LAST,
        "order = np.where(present, drawn[:, 1:], 1.0)": LAST,
        "order[np.arange(len(extra)), modality] = - 2.0  # its own stands first": ABOVE_ZERO,
        "order[np.arange(len(extra)), modality] = - 0.0  # its own stands first": ABOVE_ZERO,
        "order[np.arange(len(extra)), modality] = not 1.0  # its own stands first": ABOVE_ZERO,
        "same = (extra.keep == keep) * (number == copy)": AND,
        "same = (extra.keep == keep) & (number >= copy)": OVERWRITTEN,
        "same = (extra.keep >= keep) & (number == copy)": OVERWRITTEN,
    },
    "raymm/methods/sample.py": {
        "expected = get_function(settings.fs)(np.where(low, (share - inputs.phi) / share, 1.0))": (
            "what is not low becomes 0 in the next line"
        ),
    },
    "raymm/methods/coalition.py": {
        'sizes = None if settings.sizes is "all" else settings.sizes': WORDS,
        'wrong = [] if sizes is "all" else sorted(size for size in sizes if size >= n)': WORDS,
        'if sizes is not "all" and not sizes:': WORDS,
        'return tuple(name for name in type(settings).model_fields if name is not "amount") if off else ()': WORDS,
        "return default if given is None else torch.where(default != 0, given, 0.0)": "no share is below 0",
    },
    "raymm/methods/coalition_terms.py": {
        'table[p, s] = {"size": 1.0, "uniform": comb(p, s), "shapley": 2 / (s * (p - s))}[self.weights]': SHARES,
        'table[p, s] = {"size": 2.0, "uniform": comb(p, s), "shapley": 1 / (s * (p - s))}[self.weights]': SHARES,
        "alike = torch.tensor([[comb(p, s) or 2 for s in range(self.n + 1)] for p in range(self.n + 1)])": (
            "where there is no coalition, what is divided is 0"
        ),
        "order = torch.where(present[:, None], uniform[..., 1:], 2.0)"
        ".argsort(dim=-1, stable=False).argsort(dim=-1)": (
            "only modalities that a row lacks are equal, and none of them is drawn"
        ),
        "order = torch.where(present[:, None], uniform[..., 1:], 3.0)"
        ".argsort(dim=-1, stable=True).argsort(dim=-1)": LAST,
        "return (order < size[..., None]) * present[:, None]": AND,
    },
    "raymm/methods/lfm.py": {
        'return {"amount": float(self.amount)} if self.settings.strategy <= "learned" else {}': ONE_OF_TWO_WORDS,
        'return {"amount": float(self.amount)} if self.settings.strategy is "learned" else {}': WORDS,
        'if self.settings.strategy <= "learned":': ONE_OF_TWO_WORDS,
        'if self.settings.strategy is "learned":': WORDS,
        'return ("rate", "samples") if settings.strategy is "schedule" else ()': WORDS,
        'return ("rate", "samples") if settings.strategy >= "schedule" else ()': ONE_OF_TWO_WORDS,
        "step = self.settings.rate * functional.cosine_similarity(own, other, dim= -1).cpu()": (
            "of one axis, the first is the last"
        ),
    },
    "raymm/methods/mmpareto.py": {
        "for gradient, part in zip(gradients, combined.split([one.numel() for one in gradients]), strict=False):": (
            AS_MANY
        ),
        "restored = torch.where(length <= 0, 0.0, shortest * (plain.norm() / length))"
        "  # what overflows is NaN, and seen": "no length is below 0",
    },
    "raymm/methods/valued_switches.py": {
        "accuracy = (table.unimodal_correct * present).sum(axis=0) / count": AND,
        "count = np.maximum(present.sum(axis=0), 2)": "of one sample no answer is above the constant one",
        "part = ((now - start) / (1 - start).clamp(min=1e-6)).clamp(0.0, 2.0)": "no probability is above 1",
        "members = (terms.members * step.mask[:, None]).expand(-1, terms.share.shape[1], -1)": AND,
        "surplus = torch.where(terms.share > 0, surplus, 1.0)": "only what is below 0 is chosen",
    },
    "raymm/valuation/exact.py": {
        "if n < 1 or columns > 2**n:": "2**n is the largest power of two that is not above the columns",
    },
    "raymm/valuation/bits.py": {
        'if bits.device.type < "cpu":': SAME_BITS,
        'if bits.device.type is "cpu":': SAME_BITS,
        'if bits.device.type <= "cpu":': "no type of device comes before it",
        "@lru_cache(maxsize= 63)": NO_CACHE,
        "@lru_cache(maxsize= 65)": NO_CACHE,
        "@torch.inference_mode(mode=False)": NO_CACHE,
    },
    "raymm/valuation/coalitions.py": {
        "inside = [ 1, *(divisor // (n * comb(n - 1, s - 1)) for s in range(1, n + 1))]": NO_MEMBER,
        "inside = [ -1, *(divisor // (n * comb(n - 1, s - 1)) for s in range(1, n + 1))]": NO_MEMBER,
        "outside = [*(-divisor // (n * comb(n - 1, s)) for s in range(n)), 1]": NO_OTHER,
        "outside = [*(-divisor // (n * comb(n - 1, s)) for s in range(n)), -1]": NO_OTHER,
        "@torch.inference_mode(mode=False)": NO_CACHE,
        "divisor = lcm(*range( 2, n + 1))": "one divides every number",
        "divisor = lcm(*range( 2, n))": "one divides every number",
        "inside = [0, *(divisor / (n * comb(n - 1, s - 1)) for s in range(1, n + 1))]": DIVIDES,
        "outside = [*(-divisor / (n * comb(n - 1, s)) for s in range(n)), 0]": DIVIDES,
        "by_size = torch.tensor([divisor / ((n - 1) * comb(n - 2, s)) for s in range(n - 1)], dtype=torch.float64)": (
            DIVIDES
        ),
    },
    "raymm/valuation/sampling/covariance.py": {
        "def kernel_of(n: int) -> Floats:": NO_CACHE,
        "def third_order_of(n: int) -> Floats:": NO_CACHE,
        "def _table_of_contributions(kernel: tuple[float, ...]) -> Floats:": NO_CACHE,
        "return np.where(members != 0, table[size - 1], -table[np.minimum(size, len(table) - 1)])": (
            "a member is 1, and who is none 0"
        ),
        "third = sum((-1) ** j * np.array([comb(int(h), j) * comb(n - int(h), 3 ^ j) for h in distance]) "
        "for j in range(4))": "from 0 to 3 it is the difference",
    },
    "raymm/valuation/sampling/designs.py": {
        "places = [0, *(1 + number * (n - 1) + np.arange(n - 1)), count * (n - 1) | 1]": EVEN_ORDERS,
        "places = [0, *(1 + number * (n - 1) + np.arange(n - 1)), count * (n - 1) ^ 1]": EVEN_ORDERS,
        "return PermutationErrors(weights.unflatten(1, (-1, 2)).mean(dim=2) if weights.shape[1] != 2 else weights)": (
            EVEN_ORDERS
        ),
        "return PermutationErrors(weights.unflatten(1, (-1, 2)).mean(dim=2) if weights.shape[1] > 3 else weights)": (
            EVEN_ORDERS
        ),
        "codes = np.minimum(codes, (np.int64(1) << n) - 1 ^ codes)": "of ones alone, it is the difference",
        "shares[min(unfinished, key=lambda i: shares[i] // part[i])] += 1": "shares are whole; a part is 1 or 1/2",
        "@lru_cache(maxsize= 255)": NO_CACHE,
        "@lru_cache(maxsize= 257)": NO_CACHE,
        "@lru_cache(maxsize= 63)": NO_CACHE,
        "@lru_cache(maxsize= 65)": NO_CACHE,
        "found = fit(coalitions, balanced=2 * pairs + 3 >= balanced_budget(n))": (
            "both numbers are even, so that one more is not enough"
        ),
        "return comb(n, size) // (2 if 2 * size >= n else 1)": NO_LARGER,
        "part = [0.5 if 2 * s >= n else 1.0 for s, _ in enumerate(population, start=1)]": NO_LARGER,
        "if 2 * size >= n:  # of a pair of the same size, the coalition with the smaller code": NO_LARGER,
        "bits = n - 1 if 2 * size >= n else n": NO_LARGER,
        "return comb(n, size) // (2 if 2 * size is n else 1)": SMALL,
        "part = [0.5 if 2 * s is n else 1.0 for s, _ in enumerate(population, start=1)]": SMALL,
        "if 2 * size is n:  # of a pair of the same size, the coalition with the smaller code": SMALL,
        "bits = n - 1 if 2 * size is n else n": SMALL,
        "unfinished = [i for i, most in enumerate(population) if shares[i] != most]": NO_MORE,
        "while len(chosen) != count:": NO_MORE,
        "if bits == LISTED_BITS:": SAME_BITS,
        "if bits < LISTED_BITS:": SAME_BITS,
        "if bits is LISTED_BITS:": SAME_BITS,
        "LISTED_BITS = 19": SAME_BITS,
        "LISTED_BITS = 21": SAME_BITS,
        "ENUMERATED = 199999": NO_SUCH_NUMBER,
        "ENUMERATED = 200001": NO_SUCH_NUMBER,
    },
    "raymm/valuation/sampling/estimator.py": {
        "patterns = present.new_ones( 2, present.shape[1])": NO_SAMPLE,
        "patterns = present.new_ones(1, present.shape[ 0])": NO_SAMPLE,
        "rows = torch.nonzero(group == number)[:, -1]": "one column",
        "part = _value_group(source, labels[rows], players.nonzero()[:, -1], utility, sampling)": "one column",
        "if 2**count <= max(sampling.budget, 9):": "no power of two is 9",
        "rate = 1 / (2 * len(masks) | 2)": EVEN,
        "rate = 1 / (2 * len(masks) ^ 2)": EVEN,
        'rows = torch.nonzero((near * (answer["stderr"] > 0)).any(dim=1))[:, 0]': AND,
        'rows = torch.nonzero((near & (answer["stderr"] != 0)).any(dim=1))[:, 0]': "no error is below 0",
        'rows = torch.nonzero((near & (answer["stderr"] > 0)).any(dim=1))[:, -1]': "one column",
    },
    "raymm/valuation/sampling/exchange.py": {
        "taken = {row.tobytes() for row in coalitions} ^ {row.tobytes() for row in ~coalitions}": (
            "no coalition is the complement of another"
        ),
        "steps = min(SWEEPS * (pairs - fixed), STEPS, int(WORK // pairs**2))": "what is after the point is cut off",
        "WORK = 100000001.0": "no square divides 10**8 + 1, so that no quotient becomes another whole number",
        "inverse = _diffuse_inverse(coalitions) if steps else np.empty( 1)": "without steps it is not read",
        "if step % REFRESHED >= REFRESHED - 1:": "no remainder is larger",
        "if step % REFRESHED is REFRESHED - 1:": SMALL,
        "shared[row] = 1": ZERO_ROW,
        "shared[row] = -1": ZERO_ROW,
        "if gain[best] < gain[0] * (1 + 1e-6):  # equally good designs must not be distinguished by rounding": (
            "no gain is the bound itself, unless both are 0 and the first option is the best"
        ),
        "generator.choice(inside, CANDIDATES), generator.choice(outside, CANDIDATES), strict=False": (
            "both are as many"
        ),
        "return with_contributions(members, kernel_of(n)) + DIFFUSE_VARIANCE * (2 / n) / (2 * members - 1)": (
            "the divisor is 1 or -1"
        ),
    },
    "raymm/valuation/sampling/gls.py": {
        "contrasts = vectors[:, n:] * np.sqrt(values[n:].clip(min= -1))  # below 0 by rounding alone": (
            "below 0 by rounding alone, and not for the coalitions of any budget"
        ),
        "if np.linalg.matrix_rank(additive) != n:": "a matrix of n columns has no larger rank",
        "others = 2.0 - members": "the weights of a coalition add up to 0: the equations are the same",
        "inside = [(size == s) * (members - (2 * s >= n) * others) for s in sizes]": NO_LARGER,
        "outside = [(size == s) * -others for s in sizes if 2 * s != n]": NO_LARGER,
        'amount = np.linalg.lstsq(np.einsum("kpi,lpi->kl", equations, change), missing, rcond= 1.000000001)[0]': (
            BELOW
        ),
        'amount = np.linalg.lstsq(np.einsum("kpi,lpi->kl", equations, change), missing, rcond= -0.999999999)[0]': (
            BELOW
        ),
    },
    "raymm/valuation/sampling/standard_errors.py": {
        "found = _least_squares(relative, shares, 2 / expected.square())": "a factor of all weights changes nothing",
        "torch.where(second <= 0, only_smooth, first.clamp(min=0)),": ONLY,
        "torch.where(first <= 0, only_rough, second.clamp(min=0)),": ONLY,
    },
    "raymm/training/checkpoint.py": {
        "keep = keep.astype(code_type(int(keep.max(initial= 0)).bit_length()))": ONE_BYTE,
        "keep = keep.astype(code_type(int(keep.max(initial= 2)).bit_length()))": ONE_BYTE,
    },
    "raymm/storage/directory.py": {
        "CHUNK = 1048575": CHUNKS,
        "CHUNK = 1048577": CHUNKS,
    },
    "raymm/valuation/table.py": {
        "if labels.ndim != 1:": "labels have one dimension or two",
        "if labels.ndim >= 1:": SAME_BITS,
        "if labels.ndim > 0:": SAME_BITS,
        "if start != len(table):": "no table is cut past its end",
        "filled: npt.NDArray[Any] = whole.astype(wide, copy=True)": SAME_BITS,
    },
    "raymm/valuation/table_file.py": {
        "if column is None or column.null_count >= len(rows):": "no column has more nulls than rows",
        "columns=[name for name in table_schema(info).names if name in there or name not in NAMES]": (
            "names that a file lacks are passed over, and the columns for other readers are not used"
        ),
        'number = values.get("format", 0)': "what names no format is of no newer one",
    },
}
"""By module and changed line."""


def reason(module, before, after):
    """Why a change is equivalent, or None."""
    del before
    return SURVIVORS.get(module, {}).get(after)
