"""Modules whose numbers or commits everything else rests on, and for each the tests that are run for every change."""

__all__ = ["AREAS"]

COUNTS = "tests/methods/test_counts.py"
METHODS = "tests/methods/test_methods.py tests/methods/test_reference.py"
PAGES = (
    "tests/reports/test_settings_page.py::test_the_committed_page_is_what_the_settings_say "
    "tests/reports/test_methods_page.py::test_the_committed_page_is_what_the_registry_says"
)
"""What the committed pages of docs/ say of settings: defaults, bounds, values to try."""
DESIGNS = "tests/valuation/test_designs.py tests/valuation/test_regression.py"
ERRORS = "tests/valuation/test_standard_errors.py"
EXACT = "tests/valuation/test_exact.py tests/valuation/test_axioms.py"
STORAGE = "tests/storage/test_commit.py tests/storage/test_records.py tests/storage/test_storage.py"

AREAS = {
    "plan": {
        "raymm/methods/plan.py": f"tests/methods/test_plan.py {METHODS}",
        "raymm/methods/extra_rows.py": f"tests/methods/test_extra_rows.py {METHODS}",
    },
    "kernels of the methods": {
        "raymm/methods/functions.py": f"tests/methods/test_functions.py {COUNTS} {PAGES}",
        "raymm/methods/gaps.py": f"{COUNTS} {METHODS}",
        "raymm/methods/kept.py": f"{COUNTS} tests/methods/test_kept.py",
        "raymm/methods/modality.py": f"{COUNTS} {METHODS} {PAGES}",
        "raymm/methods/sample.py": f"{COUNTS} {METHODS} {PAGES}",
        "raymm/methods/coalition_terms.py": "tests/methods/test_coalition.py",
        "raymm/methods/ogm_ge.py": f"tests/methods/test_ogm_ge.py {PAGES}",
        "raymm/methods/mmpareto.py": f"tests/methods/test_mmpareto.py {PAGES}",
    },
    "exact values": {
        "raymm/valuation/exact.py": EXACT,
        "raymm/valuation/bits.py": "tests/valuation/test_bits.py",
        "raymm/valuation/coalitions.py": EXACT,
    },
    "sampled values": {
        "raymm/valuation/sampling/budget.py": "tests/valuation/test_estimator.py",
        "raymm/valuation/sampling/estimator.py": "tests/valuation/test_estimator.py",
        "raymm/valuation/sampling/covariance.py": DESIGNS,
        "raymm/valuation/sampling/designs.py": DESIGNS,
        "raymm/valuation/sampling/exchange.py": DESIGNS,
        "raymm/valuation/sampling/gls.py": DESIGNS,
        "raymm/valuation/sampling/standard_errors.py": f"{ERRORS} tests/valuation/test_designs.py",
    },
    "valuation table": {
        "raymm/valuation/table.py": "tests/valuation/test_table_rows.py tests/valuation/test_table.py",
        "raymm/valuation/table_file.py": "tests/valuation/test_table_rows.py tests/valuation/test_table.py",
    },
    "commit": {
        "raymm/storage/atomic.py": STORAGE,
        "raymm/storage/directory.py": STORAGE,
        "raymm/storage/records.py": STORAGE,
        "raymm/training/checkpoint.py": "tests/training/test_checkpoint.py",
    },
}
"""Of each area its modules, and the tests of each, separated by blanks."""
