"""Every page that raymm writes, read in a browser as its readers do; and a page on which everything is wrong."""

import pytest

import raymm
from raymm.cli.demo_clips import write_collection
from raymm.study.report import write_study_report
from raymm.sweep.summary import write_sweep_summary
from tests.browser import open_browser
from tests.reports.browser_checks import faults_of, in_lines, print_faults_of
from tests.reports.planted_failures import FAILURES
from tests.studies import plausible
from tests.sweep.test_summary import ROWS

pytestmark = pytest.mark.slow

CLIPS = 48
SHORT = ("training.epochs=2", "training.threads=1", "training.batch_size=32", "model.encoder.width=4")
ARMS = {"joint": (0.0, 1.0), "random": (0.03, 1.5), "coalition": (0.05, 1.1)}


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """One browser for all pages; it comes first, so that nothing is written where there is none."""
    with open_browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run on clips with sound, so that its pages have players and pictures."""
    folder = tmp_path_factory.mktemp("clips")
    made = write_collection(folder, CLIPS)
    raymm.prepare(made.manifest, made.clips, "audio,rgb", out=folder / "data", progress=None)
    raymm.train(
        folder / "data", out=folder / "run", settings=SHORT, method="joint", store=folder / "store", progress=None
    )
    return folder


def run_page(trained, folder):
    return raymm.report(trained / "run").page


def valuation_page(trained, folder):
    values = raymm.value(trained / "run", trained / "data", split="val", out=folder / "val.parquet", progress=None)
    return values.html(folder / "val.html")


def findings_page(trained, folder):
    """Of a run in which a failure signature holds."""
    run, _ = FAILURES["low_contributor"].run(folder, 0)
    made = raymm.report(run.path)
    assert made.findings
    return made.page


def sweep_page(trained, folder):
    return next(file for file in write_sweep_summary(folder, ROWS, "val/accuracy") if file.suffix == ".html")


def study_page(trained, folder):
    data = {"a": ("x", "y"), "b": ("x", "y", "z")}
    return write_study_report(plausible(folder / "runs", ARMS, data, seeds=2, count=60), folder / "report")[1]


def side_by_side_page(trained, folder):
    """Two runs of the clips' data set."""
    raymm.train(
        trained / "data", out=folder / "other", settings=SHORT, method="random", store=folder / "store", progress=None
    )
    return raymm.report(trained / "run", folder / "other", out=folder / "side.html").page


@pytest.mark.parametrize(
    "write", [run_page, valuation_page, findings_page, sweep_page, study_page, side_by_side_page]
)
def test_nothing_is_wrong_with_the_page(browser, trained, tmp_path, write):
    page = write(trained, tmp_path)
    faults = faults_of(browser, page)
    assert not faults, in_lines(faults)
    if write in {run_page, valuation_page}:
        assert browser.js("document.querySelectorAll('audio').length") > 0  # of those that were played
        assert "cannot be read" not in browser.text()
    faults = print_faults_of(browser, page)
    assert not faults, in_lines(faults)


BAD = """<!doctype html><html><head><style>
body { background: #fff; color: #222 } .faint { color: #999 } .large { color: #888; font-size: 30px }
.glass { opacity: .4 } button { outline: none } .wide { overflow-x: auto } .wide p { width: 3000px }
</style></head><body>
<p class="faint">Faint words.</p><p class="large">Large words.</p><p class="glass">Words behind glass.</p>
<svg width="90" height="30"><rect width="90" height="30" fill="#222"/><text y="20" fill="#000">Drawn</text></svg>
<img src="data:image/png;base64,AAAA"><input><select aria-label="nothing"><option>a<option>b</select>
<audio controls src="data:audio/wav;base64,AAAA" aria-label="broken sound"></audio>
<i id="twice"></i><i id="twice"></i><a href="#gone">A link</a><button>Go</button>
<div class="wide"><p>long</p></div><div style="width: 2000px">beyond</div>
<i tabindex="2">first</i><i tabindex="1">second</i>
<script>console.error("said aloud"); throw new Error("thrown");</script></body></html>"""

FOUND = (
    'contrast 2.85 of <p.faint> "Faint words."',
    "of <p.glass>",
    '1.32 of <text> "Drawn"',
    "<img> without alt",
    "a picture that is not one",
    "<svg> without role",
    "without a name: <input>",
    "2 elements have the id twice",
    "a link to #gone, which is not there",
    "does not say its language",
    "has no title",
    "needs one h1",
    "cut off at 390 px: <div> beyond",
    "the page is wider than 390 px",
    "scrolls, and the keyboard does not reach it: <div> long",
    "as light on a dark screen",
    "does not play: broken sound",
    "Tab does not reach",
    "a filter that changes nothing",
    "console: said aloud",
    "console: Error: thrown",
)


def test_what_is_wrong_is_found(browser, tmp_path):
    page = tmp_path / "bad.html"
    page.write_text(BAD)
    said = in_lines(faults_of(browser, page))
    assert [words for words in FOUND if words not in said] == [], said
    assert "Large words" not in said  # 3.54 is enough for large letters


def test_a_page_that_is_too_large_or_hides_what_is_in_focus_is_found(browser, tmp_path):
    page = tmp_path / "large.html"
    page.write_text(BAD.replace('<i tabindex="2">first</i><i tabindex="1">second</i>', f"<!-- {'x' * 5_000_000} -->"))
    said = in_lines(faults_of(browser, page))
    assert "bytes; at most 5,000,000" in said
    assert "does not show that it is in focus: <button>Go</button>" in said


BAD_ON_PAPER = """<!doctype html><html lang="en"><head><title>t</title><style>
.wide { overflow-x: auto; max-height: 20px } .wide p { width: 3000px } body { background: #222 }
.printed { display: none } @media print { .heads button { display: none } }
</style></head><body><button>Go</button><div class="wide"><p>long</p></div><table class="heads"><thead><tr>
<th><button>a</button></th></tr></thead></table><img width="900" height="9" alt="" src="data:image/png;base64,AAAA">
<article><audio controls src="data:audio/wav;base64,AAAA"></audio><p class="printed">Sound</p></article>
</body></html>"""


def test_what_is_wrong_on_paper_is_found(browser, tmp_path):
    page = tmp_path / "paper.html"
    page.write_text(BAD_ON_PAPER)
    said = in_lines(print_faults_of(browser, page))
    for words in (
        "is printed: <button>Go</button>",
        "is printed: <audio",
        "a head without its words: <th>",
        'is cut on paper: <div class="wide">',
        "is cut on paper: <p>long",
        "is cut on paper: <img",
        "1 players, and 0 words",
        "the paper is not white",
    ):
        assert words in said
