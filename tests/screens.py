"""The pictures of docs/screenshots: `make screenshots` runs the demo and takes them of what it prints and leaves.

A headless Chromium (`tests/browser.py`) opens the report, its gallery and MLflow's UI; what the demo prints is drawn
as a terminal. Each picture has at most 150 KB: colours are reduced until it does.
"""

import argparse
import html
import io
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from raymm.cli.demo import EXPERIMENT, METHODS
from tests.browser import Browser, open_browser
from tests.mlflow_ui import MlflowUi, serve

__all__ = ["LARGEST", "NAMES", "squeezed", "take"]

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "screenshots"
LARGEST = 150_000
"""Bytes of a picture."""
NAMES = ("report", "gallery", "mlflow-runs", "mlflow-comparison", "terminal")
SIZE = (1280, 860)
MORE = 240
"""Pixels that cards of the gallery need below the first screen's height."""
CHARTS = f"{EXPERIMENT}, charts"

SHORTER = """const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (texts.nextNode()) texts.currentNode.data = texts.currentNode.data.replaceAll(FOLDER, ""); 0"""

TERMINAL = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Terminal</title><style>
body {{ margin: 0; background: #1d1f21; color: #e4e4e4 }}
pre {{ display: inline-block; margin: 0; padding: 20px 28px; font: 15px/1.35 "DejaVu Sans Mono", monospace }}
</style><pre>{text}</pre></html>"""


@dataclass(frozen=True)
class Shot:
    """Takes pictures into a folder.

    Attributes
    ----------
    browser
        With a light screen.
    folder
        Where the pictures go.
    """

    browser: Browser
    folder: Path

    def take(self, name: str) -> None:
        """Write the picture of what the window shows, small enough."""
        file = self.browser.screenshot(self.folder / f"{name}.png")
        file.write_bytes(squeezed(file.read_bytes()))

    def page(self, name: str, file: Path, folder: Path, selector: str = "") -> None:
        """The first screen of a page, or the screen that begins with an element; paths are shown from a folder."""
        self.browser.resize(SIZE[0], SIZE[1] + (MORE if selector else 0))
        self.browser.open(file.as_uri())
        self.browser.js(SHORTER.replace("FOLDER", json.dumps(f"{folder}/")))
        if selector:
            self.browser.js(f"document.querySelector({selector!r}).scrollIntoView(); 0")
        self.take(name)

    def terminal(self, name: str, text: str, folder: Path) -> None:
        """Lines as a terminal shows them, in a window that fits them."""
        file = folder / "terminal.html"
        file.write_text(TERMINAL.format(text=html.escape(text.rstrip())))
        self.browser.resize(*SIZE)
        self.browser.open(file.as_uri())
        box = self.browser.js(
            "(({width, height}) => [width, height])(document.querySelector('pre').getBoundingClientRect())"
        )
        self.browser.resize(round(box[0]), round(box[1]))
        self.take(name)


def squeezed(png: bytes, most: int = LARGEST) -> bytes:
    """A PNG in as many colours as `most` bytes have room for; as it is where it is small enough.

    Raises
    ------
    ValueError
        When eight colours are still too many.
    """
    colours = 256
    found = png
    while len(found) > most:
        if colours < 8:
            raise ValueError(f"{len(found):,} bytes in {2 * colours} colours: show less on the picture")
        into = io.BytesIO()
        Image.open(io.BytesIO(png)).convert("RGB").quantize(colours).save(into, "PNG", optimize=True)
        found, colours = into.getvalue(), colours // 2
    return found


def take(demo: Path, printed: str, folder: Path) -> list[Path]:
    """Take all pictures.

    Parameters
    ----------
    demo
        What `raymm demo --out` wrote.
    printed
        What it printed.
    folder
        Where the pictures go.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, open_browser(Path(scratch), *SIZE) as browser:
        browser.prefer("light")
        shot = Shot(browser, folder)
        report = demo / "runs" / f"{METHODS[0]}-s0" / "report.html"
        shot.page("report", report, demo.parent)
        shot.page("gallery", report, demo.parent, "#gallery")
        shot.terminal("terminal", printed, Path(scratch))
        _mlflow(shot, demo / "mlflow", Path(scratch))
    return [folder / f"{name}.png" for name in NAMES]


def _mlflow(shot: Shot, store: Path, scratch: Path) -> None:
    """The table of runs and the charts that compare them, at the addresses that `raymm ui` prints."""
    with serve(store, scratch) as url:
        MlflowUi(shot.browser, url)
        printed = (scratch / "ui.log").read_text().splitlines()
        places = dict(line.rsplit(": http", 1) for line in printed if ": http" in line)
        for name, place, height in (("mlflow-runs", EXPERIMENT, 640), ("mlflow-comparison", CHARTS, 1000)):
            shot.browser.resize(1600, height)
            shot.browser.open(f"http{places[place]}")
            shot.browser.see(f"{METHODS[0]}-s0", f"{METHODS[1]}-s0")
            _settle(shot.browser)
            shot.take(name)


def _settle(browser: Browser) -> None:
    """Wait until the page has been drawn the same twice."""
    last, now = b"", browser.pixels()
    while last != now:
        browser.js("new Promise(done => setTimeout(done, 700))")
        last, now = now, browser.pixels()


def main() -> None:
    """Run the demo, if it has not been run yet, and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--demo", type=Path, help="folder of a demo whose output lies beside it as NAME.log")
    demo = parser.parse_args().demo
    with tempfile.TemporaryDirectory() as scratch:
        if demo is None:
            demo = Path(scratch) / "demo"
            words = [sys.executable, "-m", "raymm", "demo", "--out", "demo"]
            done = subprocess.run(words, cwd=scratch, stdout=subprocess.PIPE, text=True, check=True)
            demo.with_suffix(".log").write_text(done.stdout)
        for file in take(demo, demo.with_suffix(".log").read_text(), FOLDER):
            sys.stdout.write(f"{file.relative_to(ROOT)}: {file.stat().st_size:,} bytes\n")


if __name__ == "__main__":
    main()
