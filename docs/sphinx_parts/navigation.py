"""What stands where in the sidebar: the pages by group, and the toctrees that Sphinx reads from them.

The pages themselves hold no directive for it, so that they read well in the repository too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

__all__ = ["GROUPS", "setup"]

GROUPS = {
    "First steps": {
        "index": "What raymm is",
        "first_steps": "From a clone to an answer",
        "glossary": "Glossary",
    },
    "Tutorials": {
        "tutorials/value_my_model": "Value my model",
        "tutorials/fix_a_starved_modality": "Fix a starved modality",
        "tutorials/a_fair_study": "A fair study",
        "tutorials/a_sweep_on_a_cluster": "A sweep on a cluster",
        "tutorials/serve_with_contributions": "Serve with contributions",
    },
    "Guides": {
        "valuation": "Contributions",
        "api": "From Python",
        "manifests": "Files and manifests",
        "media": "How media are read",
        "your_data": "Data where they are",
        "your_model": "Your model",
        "your_loop": "Your training loop",
        "training": "Training",
        "progress": "Progress and logs",
        "tasks": "Tasks and metrics",
        "encoders": "Encoders",
        "report": "The report",
        "diagnostics": "Failure signatures",
        "studies": "Studies",
        "predict": "Predict and serve",
        "cluster": "Clusters and sweeps",
        "extending": "Extending",
        "troubleshooting": "Troubleshooting",
    },
    "Reference": {
        "cli": "Command line",
        "settings": "Settings",
        "python": "Python",
        "methods": "Methods",
        "metrics": "Metrics",
        "formats": "Formats",
    },
    "Results": {
        "results/README": "Overview",
    },
    "Project": {
        "compare": "How it compares",
        "architecture": "Architecture",
        "reliability": "Reliability",
        "security": "Security",
        "contributing": "Contributing",
        "changelog": "Changes",
    },
}
"""Pages by group, each with its title in the sidebar."""

BELOW = {
    "results/README": {
        "results/study/README": "Which method helps",
        "results/all_methods/README": "All methods by encoder rows",
        "results/all_methods_seconds/README": "All methods by processor time",
        "results/other_arms/README": "Greedy, alone, settings",
        "results/sample_vs_modality/README": "Sample against modality level",
        "results/classes/README": "Classes with different carriers",
        "results/modalities/README": "2 to 16 modalities",
        "results/resolutions/README": "Temporal resolutions",
        "results/transfer/README": "Other kinds of data",
        "results/sentiment/README": "Regression",
        "results/families/README": "Families of fs and fm",
        "results/complexity/README": "Complexity",
        "results/oracle/README": "Games of known value",
        "results/grid_digits/README": "Values: 800 clips",
        "results/mfeat/README": "Values: six feature views",
        "results/imu_digits/README": "Values: seven motion sensors",
    },
    "results/study/README": {
        "results/study/report": "All numbers",
        "results/study/fresh_seeds/report": "All numbers, fresh seeds",
    },
    "results/all_methods/README": {
        "results/all_methods/report": "All numbers",
        "results/all_methods/openclipart/report": "All numbers, present openclipart",
    },
    "results/all_methods_seconds/README": {"results/all_methods_seconds/report": "All numbers"},
    "results/other_arms/README": {
        "results/other_arms/two_modalities/report": "All numbers, two modalities",
        "results/other_arms/variants/report": "All numbers, settings",
        "results/other_arms/alone/grid_digits/report": "All numbers, alone: grid_digits",
        "results/other_arms/alone/imu_digits/report": "All numbers, alone: imu_digits",
        "results/other_arms/alone/mfeat/report": "All numbers, alone: mfeat",
        "results/other_arms/alone/emoji/report": "All numbers, alone: emoji",
        "results/other_arms/alone/openclipart/report": "All numbers, alone: openclipart",
    },
    "results/families/README": {
        "results/families/matched/README": "Joint training of as many rows",
        "results/families/encodings/README": "All at equal encoder rows",
        "results/families/grid_digits/summary": "Sweep: 800 clips",
        "results/families/imu_digits/summary": "Sweep: motion sensors",
    },
}
"""Pages below others."""


def toctree(entries: dict[str, str], caption: str = "", page: str = "index") -> str:
    """A hidden toctree; a page that names itself is the entry `self`.

    >>> print(toctree({"index": "What raymm is"}, "First steps"))
    <BLANKLINE>
    ```{toctree}
    :hidden:
    :caption: First steps
    <BLANKLINE>
    What raymm is <self>
    ```
    """
    lines = [f"{title} <{'self' if name == page else '/' + name}>" for name, title in entries.items()]
    options = [":hidden:", *([f":caption: {caption}"] if caption else [])]
    return "\n".join(["", "```{toctree}", *options, "", *lines, "```"])


def add_toctrees(app: Sphinx, page: str, source: list[str]) -> None:
    """Append to a page the toctrees of what is below it."""
    del app
    if page == "index":
        source[0] += "".join(toctree(entries, caption) + "\n" for caption, entries in GROUPS.items())
    if page in BELOW:
        source[0] += toctree(BELOW[page], page=page) + "\n"


def setup(app: Sphinx) -> dict[str, bool]:
    """Let Sphinx call this extension."""
    app.connect("source-read", add_toctrees)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
