"""Tutorials are Markdown pages that run as notebooks: `python -m tests.docs.notebooks [NAME ...]` runs them again.

Every block of Python is a cell. What a cell printed stands below it as a block of text, and what it drew as a picture
in `docs/tutorials/images`; both are written by the command, never by hand. The last line of a page is the digest of
the code that they came from, by which a test finds a page whose outputs are of other code.
"""

import base64
import hashlib
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbclient import NotebookClient

__all__ = ["TUTORIALS", "Page", "execute", "notebook_of"]

ROOT = Path(__file__).parents[2]
TUTORIALS = ROOT / "docs" / "tutorials"
OUTPUT = r"\n```text\n.*?^```\n|\n!\[[^\n]*\n"
CELL = re.compile(rf"^```python\n(?P<code>.*?)^```\n(?P<outputs>(?:{OUTPUT})*)", re.MULTILINE | re.DOTALL)
DIGEST = re.compile(r"\n<!-- outputs of ([0-9a-f]{12}) -->\n\Z")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
SECONDS = 900


@dataclass(frozen=True)
class Page:
    """A tutorial: its name, and its text with outputs."""

    name: str
    text: str

    @classmethod
    def named(cls, name):
        """The page of the folder."""
        return cls(name, (TUTORIALS / f"{name}.md").read_text())

    @property
    def cells(self):
        """The code of all cells."""
        return [match["code"] for match in CELL.finditer(self.text)]

    @property
    def kinds(self):
        """Of each cell, whether it printed and how many pictures it drew."""
        found = [match["outputs"] for match in CELL.finditer(self.text)]
        return [("```text" in outputs, outputs.count("\n![")) for outputs in found]

    @property
    def digest(self):
        """Of the code of all cells."""
        return hashlib.sha256("\n\0".join(self.cells).encode()).hexdigest()[:12]

    @property
    def written_digest(self):
        """Of the code whose outputs stand on the page; empty where there are none."""
        found = DIGEST.search(self.text)
        return found[1] if found else ""


def notebook_of(page):
    """The page as a notebook without outputs."""
    notebook = nbformat.v4.new_notebook()
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    end = 0
    text = DIGEST.sub("\n", page.text)
    for match in [*CELL.finditer(text), None]:
        words = text[end : match.start() if match else len(text)].strip()
        if words:
            notebook.cells.append(nbformat.v4.new_markdown_cell(words))
        if match:
            notebook.cells.append(nbformat.v4.new_code_cell(match["code"].rstrip()))
            end = match.end()
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"  # the same notebook each time
    return notebook


def execute(page, folder):
    """Outputs of each cell of a page, run from top to bottom in a folder: text, and PNGs."""
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys([str(ROOT), *filter(None, paths)]))
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # as in an active environment
    os.environ["PATH"] = programs
    notebook = notebook_of(page)
    NotebookClient(notebook, timeout=SECONDS, resources={"metadata": {"path": str(folder)}}).execute()
    return [_outputs(cell) for cell in notebook.cells if cell.cell_type == "code"]


def _outputs(cell):
    text, pictures = "", []
    for output in cell.outputs:
        if output.output_type == "stream":
            text += output.text if output.name == "stdout" else ""
        elif "image/png" in output.data:
            pictures.append(base64.b64decode(output.data["image/png"]))
        elif not output.data["text/plain"].startswith("<IPython."):  # what other libraries show as HTML
            text += output.data["text/plain"] + "\n"
    lines = (line.rstrip() for line in COLOUR.sub("", text).splitlines())
    return "\n".join(line for line in lines if not line.startswith("(raylet)")).strip("\n"), pictures


def with_outputs(page, outputs):
    """The text of a page with other outputs, and its pictures by name."""
    pictures, counted = {}, iter(outputs)

    def replaced(match):
        text, drawn = next(counted)
        parts = [f"```python\n{match['code']}```\n"]
        parts += [f"\n```text\n{text}\n```\n"] if text else []
        alternatives = re.findall(r"^!\[(.*?)\]", match["outputs"], re.MULTILINE)
        for number, picture in enumerate(drawn):
            file = f"{page.name}-{len(pictures) + 1}.png"
            pictures[file] = picture
            words = alternatives[number] if number < len(alternatives) else "What the cell draws"
            parts.append(f"\n![{words}](images/{file})\n")
        return "".join(parts)

    text = CELL.sub(replaced, DIGEST.sub("\n", page.text))
    return f"{text.rstrip()}\n\n<!-- outputs of {page.digest} -->\n", pictures


def main(names):
    """Run tutorials and write their outputs."""
    for name in names or sorted(path.stem for path in TUTORIALS.glob("*.md")):
        page = Page.named(name)
        with TemporaryDirectory() as folder:
            text, pictures = with_outputs(page, execute(page, folder))
        for old in TUTORIALS.glob(f"images/{name}-*.png"):
            old.unlink()
        (TUTORIALS / "images").mkdir(exist_ok=True)
        for file, picture in pictures.items():
            (TUTORIALS / "images" / file).write_bytes(picture)
        (TUTORIALS / f"{name}.md").write_text(text)


if __name__ == "__main__":
    main(sys.argv[1:])
