"""The page in a browser: nothing is cut off on a wide screen or a phone, and it follows a dark screen."""

import pytest

from raymm.study.report import write_study_report
from tests.browser import open_browser
from tests.studies import plausible

pytestmark = pytest.mark.slow

MANY = {f"method_{number}": (0.004 * number, 1.0 + 0.1 * number) for number in range(12)}
LARGE = {"joint": (0.0, 1.0), "random": (0.03, 1.5), **MANY}
BEYOND = """[...document.querySelectorAll("body *")]
    .filter(node => !node.closest(".wide *") && node.getBoundingClientRect().right > innerWidth + 1)
    .map(node => node.tagName + ": " + node.innerText.slice(0, 60))"""


@pytest.fixture(scope="module", params=["large", "small"])
def page(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    data = {f"set_{number}": tuple(f"m{n}" for n in range(2 + number)) for number in range(3)}
    results = {
        "large": lambda: plausible(folder / "runs", LARGE, data, seeds=2, count=60),
        "small": lambda: plausible(
            folder / "runs", {"joint": (0.0, 1.0), "coalition": (0.05, 1.1)}, {"a": ("x", "y")}, 1
        ),
    }[request.param]()
    return write_study_report(results, folder / "report")[1]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with open_browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.mark.parametrize("width", [390, 820, 1600])
def test_nothing_is_cut_off(browser, page, width):
    browser.resize(width, 900)
    browser.open(page.as_uri())
    assert browser.js("document.documentElement.scrollWidth") <= width
    assert browser.js(BEYOND) == []
    # what is wider than the screen is scrolled in a box of its own, and its first column stays in sight
    assert browser.js(
        "[...document.querySelectorAll('.wide')].every(box => getComputedStyle(box).overflowX === 'auto')"
    )
    assert browser.js("getComputedStyle(document.querySelector('.wide td')).position") == "sticky"
    assert browser.js("[...document.images].every(image => image.complete && image.naturalWidth > 0)")


def test_text_is_readable_on_a_dark_screen(browser, page):
    colours = {}
    for scheme in ("light", "dark"):
        browser.prefer(scheme)
        browser.open(page.as_uri())
        colours[scheme] = [
            browser.js(f"getComputedStyle(document.querySelector('{selector}')).{what}")
            for selector, what in (("body", "backgroundColor"), ("body", "color"), (".wide td", "backgroundColor"))
        ]
    browser.prefer("light")
    brightness = {name: [sum(map(int, c.strip("rgb()").split(","))) for c in of] for name, of in colours.items()}
    page_light, text_light, cell_light = brightness["light"]
    page_dark, text_dark, cell_dark = brightness["dark"]
    assert page_light - text_light > 500
    assert text_dark - page_dark > 500
    assert (cell_light, cell_dark) == (page_light, page_dark)


def test_a_link_leads_to_its_section(browser, page):
    browser.resize(1200, 900)
    browser.open(page.as_uri())
    browser.click("nav a", "Cost")
    heading = "[...document.querySelectorAll('h2')].find(found => found.innerText === 'Cost')"
    browser.wait(f"Math.abs({heading}.getBoundingClientRect().y) < 60")
