"""The summary of a sweep on one HTML page, with nothing loaded from elsewhere: MLflow shows no images of Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from raymm.reports.html import write_html
from raymm.reports.pages.verdict import Sentence

__all__ = ["Part", "write_sweep_page"]


@dataclass(frozen=True)
class Part:
    """A title, a text (may be empty), a table, and what each of its columns is, by its head."""

    title: str
    text: str
    header: Sequence[str]
    body: Sequence[Sequence[str]]
    columns: Mapping[str, str] = field(default_factory=dict)


def write_sweep_page(
    path: Path, parts: Sequence[Part], images: Sequence[Path], headline: str = "", sentences: Sequence[Sentence] = ()
) -> Path:
    """Write the verdict, the parts and then the images; returns the path."""
    values = {"headline": headline, "sentences": sentences, "parts": parts, "images": images}
    write_html(path, "sweep.html", title=parts[0].title, **values)
    return path
