"""Modules whose numbers or commits everything else rests on, and for each the tests that are run for every change."""

__all__ = ["AREAS"]

METHODS = "tests/methods/test_methods.py tests/methods/test_reference.py"
SAMPLING = "tests/valuation/test_sampling.py tests/valuation/test_standard_errors.py"
EXACT = "tests/valuation/test_exact.py tests/valuation/test_axioms.py"
STORAGE = "tests/storage/test_storage.py tests/storage/test_damaged_json.py"

AREAS = {
    "plan": {
        "raymm/methods/plan.py": f"tests/methods/test_plan.py {METHODS}",
        "raymm/methods/extra_rows.py": f"tests/methods/test_plan.py {METHODS}",
    },
    "kernels of the methods": {
        "raymm/methods/functions.py": "tests/methods/test_functions.py",
        "raymm/methods/gaps.py": METHODS,
        "raymm/methods/kept.py": "tests/methods/test_kept.py",
        "raymm/methods/modality.py": METHODS,
        "raymm/methods/sample.py": METHODS,
        "raymm/methods/coalition_terms.py": "tests/methods/test_coalition.py",
        "raymm/methods/ogm_ge.py": "tests/methods/test_ogm_ge.py",
        "raymm/methods/mmpareto.py": "tests/methods/test_mmpareto.py",
    },
    "exact values": {
        "raymm/valuation/exact.py": EXACT,
        "raymm/valuation/bits.py": "tests/valuation/test_bits.py",
        "raymm/valuation/coalitions.py": EXACT,
    },
    "sampled values": {
        "raymm/valuation/sampling/budget.py": SAMPLING,
        "raymm/valuation/sampling/estimator.py": SAMPLING,
        "raymm/valuation/sampling/covariance.py": SAMPLING,
        "raymm/valuation/sampling/designs.py": SAMPLING,
        "raymm/valuation/sampling/exchange.py": SAMPLING,
        "raymm/valuation/sampling/gls.py": SAMPLING,
        "raymm/valuation/sampling/standard_errors.py": SAMPLING,
    },
    "valuation table": {
        "raymm/valuation/table.py": "tests/valuation/test_table.py",
        "raymm/valuation/table_file.py": "tests/valuation/test_table.py",
    },
    "commit": {
        "raymm/storage/atomic.py": STORAGE,
        "raymm/storage/directory.py": STORAGE,
        "raymm/storage/records.py": STORAGE,
        "raymm/training/checkpoint.py": "tests/training/test_resume.py tests/training/test_integrity.py",
    },
}
"""Of each area its modules, and the tests of each, separated by blanks."""
