"""The summary of a sweep on one HTML page, with nothing loaded from elsewhere: MLflow shows no images of Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from raymm.reports.page import STYLE, inline_image
from raymm.storage import write_bytes

__all__ = ["Part", "write_sweep_page"]


@dataclass(frozen=True)
class Part:
    """A title, a text (may be empty), and a table."""

    title: str
    text: str
    header: Sequence[str]
    body: Sequence[Sequence[str]]


def write_sweep_page(path: Path, parts: Sequence[Part], images: Sequence[Path]) -> Path:
    """Write the parts and then the images; returns the path."""
    shown = "".join(f'<img alt="{escape(image.stem)}" src="{inline_image(image)}">' for image in images)
    content = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(parts[0].title)}</title>'
        f"<style>{STYLE}</style>{''.join(map(_html, parts))}{shown}</html>"
    )
    write_bytes(path, content.encode())
    return path


def _html(part: Part) -> str:
    text = f"<p>{escape(part.text)}</p>" if part.text else ""
    rows = "".join(_row(cells, "td") for cells in part.body)
    return f"<h2>{escape(part.title)}</h2>{text}<table>{_row(part.header, 'th')}{rows}</table>"


def _row(cells: Sequence[str], tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{escape(cell)}" for cell in cells)
