"""The page of an experiment: its question, command, tables, plots and costs, and the reading that a person wrote."""

import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from matplotlib.figure import Figure

from bench.experiments.inputs import Inputs
from raymm.reports.plots import save_all
from raymm.reports.tables import markdown_table
from raymm.storage.atomic import write_bytes

__all__ = ["Page", "commit_of"]

QUICK = "**Made with --quick: stand-ins of a few samples and epochs. The figures mean nothing.**"


@dataclass
class Page:
    """Blocks of Markdown, plots and files, in the order in which they were added.

    Attributes
    ----------
    title, question
        What the page is called, and asks.
    """

    title: str
    question: str
    blocks: list[str] = field(default_factory=list)
    plots: dict[str, Figure] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    runs: int = 0

    def head(self, title: str, text: str = "") -> None:
        """Begin a section."""
        self.blocks += [f"## {title}", *([text] if text else [])]

    def table(self, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Add a table."""
        self.blocks.append("\n".join(markdown_table(header, rows)))

    def plot(self, name: str, figure: Figure, shows: str) -> None:
        """Add a plot, which is written as NAME.png."""
        self.plots[name] = figure
        self.blocks.append(f"![{shows}]({name}.png)")

    def file(self, name: str, text: str, says: str) -> None:
        """Add a file with raw figures."""
        self.files[name] = text
        self.blocks.append(f"[{says}]({name})")

    def write(self, out: Path, command: str, inputs: Inputs) -> Path:
        """Write OUT/README.md with the plots and files, and with OUT/reading.md as its last part but one."""
        out.mkdir(parents=True, exist_ok=True)
        save_all(self.plots, out)
        for name, text in self.files.items():
            write_bytes(out / name, text.encode())
        reading = out / "reading.md"
        blocks = [f"# {self.title}", self.question, f"```bash\n{command}\n```", *([QUICK] if inputs.quick else [])]
        blocks += self.blocks
        blocks += [f"## Reading\n\n{reading.read_text().strip()}"] if reading.exists() else []
        blocks += ["## What was run", self._cost(inputs)]
        write_bytes(out / "README.md", ("\n\n".join(blocks) + "\n").encode())
        return out / "README.md"

    def _cost(self, inputs: Inputs) -> str:
        what = (
            f"{self.runs} runs of {len(inputs.seeds)} seeds, {self.seconds:,.0f} s of processor time for training "
            "them and valuing their training splits"
            if self.runs
            else "No study was run; times alone were measured"
        )
        return (
            f"raymm at commit `{commit_of(inputs.work)}`. {what}; 1 thread a run. Everything between the question "
            "and the reading is written by the command."
        )


def commit_of(work: Path) -> str:
    """The commit of this checkout when work in a folder began."""
    file = work / "commit.txt"
    if not file.exists():
        asked = ["git", "log", "-1", "--format=%h", "--", "raymm"]
        found = subprocess.run(asked, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
        work.mkdir(parents=True, exist_ok=True)
        file.write_text(found.stdout.strip() or "unknown")
    return file.read_text()
