"""A finished run on one HTML page: figures, contributions and plots, with nothing loaded from elsewhere."""

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path

from raymm.reports.valuation_summary import summarise, summary_lines
from raymm.storage import layout, write_bytes
from raymm.storage.layout import result_folder
from raymm.training.result import Result
from raymm.training.run import Run
from raymm.valuation import read_table

__all__ = ["STYLE", "inline_image", "write_page"]

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
table { border-collapse: collapse } td, th { padding: .2rem 1rem .2rem 0; text-align: left }
td + td { font-variant-numeric: tabular-nums } img { max-width: 100%; margin: 1rem 0 }
pre { background: #f5f5f5; padding: 1rem; overflow-x: auto }
"""


def write_page(run: Run, result: Result, plots: Sequence[Path]) -> Path:
    """Write RUN/report.html and return its path."""
    table = read_table(layout.valuation_file(result_folder(run.path), "test"))
    rows = "".join(f"<tr><td>{escape(k)}<td>{v:.4f}" for k, v in sorted(result.metrics.items()))
    images = "".join(f'<img alt="{escape(path.stem)}" src="{inline_image(path)}">' for path in plots)
    content = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(run.name)}</title>'
        f"<style>{STYLE}</style><h1>{escape(run.name)}</h1>"
        f"<p>Epoch {result.best_epoch + 1} was picked on validation ({escape(run.config.training.selection)}); "
        "the test split was read once, after that.</p><h2>Contributions on the test split</h2>"
        f"<pre>{escape(chr(10).join(summary_lines(summarise(table))))}</pre>{images}"
        f"<h2>Metrics</h2><table>{rows}</table><h2>Configuration</h2><pre>{escape(run.config.to_yaml())}</pre></html>"
    )
    path = run.path / layout.PAGE
    write_bytes(path, content.encode())
    return path


def inline_image(path: Path) -> str:
    """A PNG as the address of an image that needs no file beside the page."""
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
