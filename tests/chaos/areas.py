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
REGRESSION = (
    f"{DESIGNS} tests/valuation/test_sampling.py::test_pairs_that_leave_players_apart_undetermined_are_refused"
)
ERRORS = "tests/valuation/test_standard_errors.py"
EXACT = "tests/valuation/test_exact.py tests/valuation/test_axioms.py"
STORAGE = "tests/storage/test_commit.py tests/storage/test_records.py tests/storage/test_storage.py"

OWN = """
    agm alone amco arl auto cml coalition dropout ensemble g_blend greedy inforeg lfm mbsd mcr mla mmcosine
    multitask opm pmr pretrained reconboost relearning remix umt valued
"""
"""Other methods that are tested in the file of their name."""

ELSEWHERE = {
    "modality_reference": "methods reference",
    "per_class": "methods counts",
    "random_copies": "methods reference kept",
}
"""Methods that are tested in other files, and what these test."""

SHARED = {
    "contrast": "mcr",
    "folds": "folds valued",
    "gradients": "shared",
    "probabilities": "shared",
    "sample_memory": "shared",
    "unimodal": "shared",
    "valued_switches": "valued",
}
"""What methods share, and the files that test it."""

REGISTERED = {"per_class": "class", "random_copies": "random"}
"""Methods that are registered by another name than that of their module."""


def says(module: str) -> str:
    """The tests of what a method says that it reads, encoders or labels: it must train where there are none."""
    name = REGISTERED.get(module, module)
    return (
        f"tests/models/test_own_models.py::test_every_method_trains_a_model_without_encoders_or_says_what_it_lacks[{name}]"
        f" tests/training/test_mixup.py::test_every_method_trains_mixed_rows_or_refuses_in_words[{name}]"
    )


def files(names: str) -> str:
    """Files of tests of methods, by name."""
    return " ".join(f"tests/methods/test_{name}.py" for name in names.split())


def of_methods(names: dict[str, str]) -> dict[str, str]:
    """Modules of methods by name, with the tests of what stands with each."""
    return {f"raymm/methods/{name}.py": f"{files(tests)} {says(name)} {PAGES}" for name, tests in names.items()}


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
        **of_methods({"ogm_ge": "ogm_ge", "mmpareto": "mmpareto"}),
    },
    "every other method": {
        **of_methods({name: name for name in OWN.split()} | ELSEWHERE),
        **{f"raymm/methods/{name}.py": files(tests) for name, tests in SHARED.items()},
    },
    "exact values": {
        "raymm/valuation/exact.py": EXACT,
        "raymm/valuation/bits.py": "tests/valuation/test_bits.py",
        "raymm/valuation/coalitions.py": EXACT,
        "raymm/valuation/rounding.py": "tests/valuation/test_rounding.py",
    },
    "sampled values": {
        "raymm/valuation/sampling/budget.py": "tests/valuation/test_estimator.py",
        "raymm/valuation/sampling/estimator.py": "tests/valuation/test_estimator.py",
        "raymm/valuation/sampling/covariance.py": DESIGNS,
        "raymm/valuation/sampling/designs.py": DESIGNS,
        "raymm/valuation/sampling/exchange.py": DESIGNS,
        "raymm/valuation/sampling/gls.py": REGRESSION,
        "raymm/valuation/sampling/standard_errors.py": f"{ERRORS} tests/valuation/test_designs.py",
    },
    "valuation table": {
        "raymm/valuation/table.py": "tests/valuation/test_table_rows.py tests/valuation/test_table.py",
        "raymm/valuation/table_file.py": "tests/valuation/test_table_rows.py tests/valuation/test_table.py",
        "raymm/valuation/table_columns.py": "tests/valuation/test_table_rows.py tests/valuation/test_table.py",
        "raymm/valuation/table_pieces.py": "tests/valuation/test_table_rows.py tests/valuation/test_table.py",
        "raymm/valuation/table_checks.py": "tests/valuation/test_table_checks.py tests/valuation/test_table.py",
    },
    "commit": {
        "raymm/storage/atomic.py": STORAGE,
        "raymm/storage/directory.py": STORAGE,
        "raymm/storage/records.py": STORAGE,
        "raymm/training/checkpoint.py": "tests/training/test_checkpoint.py",
        "raymm/training/plan_file.py": "tests/training/test_plan_file.py tests/training/test_checkpoint.py",
    },
}
"""Of each area its modules, and the tests of each, separated by blanks."""
