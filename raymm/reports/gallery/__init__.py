"""The gallery of a report: the lowest and the most surprising samples of each modality, to see and to hear."""

from raymm.reports.gallery.choose import expected_phi, lowest_rows, surprising_rows
from raymm.reports.gallery.media import QUALITIES, Medium, Quality, draw
from raymm.reports.gallery.samples import displays_of
from raymm.reports.gallery.section import Gallery, gallery_section

__all__ = [
    "QUALITIES",
    "Gallery",
    "Medium",
    "Quality",
    "displays_of",
    "draw",
    "expected_phi",
    "gallery_section",
    "lowest_rows",
    "surprising_rows",
]
