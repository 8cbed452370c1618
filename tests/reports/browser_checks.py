"""What holds of every page that raymm writes, found out in a browser: `faults_of` names what does not.

No complaints in the console, nothing loaded from elsewhere, at most 5 MB, first paint within a second, every text
with the contrast that WCAG 2.2 AA asks for on a light and on a dark screen, pictures and controls with names, nothing
cut off on a phone, every player plays, everything is reached and every filter works by the keyboard.
"""

from collections.abc import Iterator
from pathlib import Path

from tests.browser import Browser

__all__ = ["faults_of", "in_lines", "open_page", "print_faults_of"]

LARGEST = 5_000_000
"""Bytes of a page."""
FIRST_PAINT = 1000.0
"""Milliseconds from the start of the navigation; the best of `LOADS` counts, since other processes take turns."""
LOADS = 3
WIDTHS = {"phone": 390, "screen": 1280}
PAPER = 700
"""Pixels of a line on A4, at 96 to the inch, between the margins of the style sheet."""
MOST_TABS = 40
"""Elements that are reached one after the other; a long page repeats them."""
MOST_STOPS = 12
"""Of Tab between two controls: those inside a player."""

SCRIPT = Path(__file__).with_name("page_faults.js").read_text()
PAINT = """new Promise(resolve => {
    const paint = () => performance.getEntriesByName("first-contentful-paint")[0];
    const look = () => paint() ? resolve(paint().startTime) : setTimeout(look, 20);
    look();
})"""
ELSEWHERE = """performance.getEntriesByType("resource").map(entry => entry.name)
    .filter(name => !name.startsWith("data:") && !name.startsWith("file:") && !name.startsWith("blob:"))"""
TEXT = "document.body.innerText"


def faults_of(browser: Browser, page: Path) -> list[str]:
    """All that is wrong with a page, one sentence each.

    Parameters
    ----------
    browser
        Left with a light screen of 1280 pixels.
    page
        The HTML file.
    """
    found = [*_size_faults(page), *_paint_faults(browser, page)]
    for width in WIDTHS.values():
        found += _at(browser, page, width)
    found += browser.js("silentPlayers()")
    found += [f"loads {address}" for address in browser.js(ELSEWHERE)]
    found += _keyboard_faults(browser, page)
    found += [f"console: {words}" for words in dict.fromkeys(browser.complaints)]
    return found


def print_faults_of(browser: Browser, page: Path) -> list[str]:
    """All that is wrong with a page on paper: what only a screen can use, and what does not fit or is not there."""
    open_page(browser, page, PAPER)
    browser.as_printed()
    try:
        return list(browser.js(f"[...screenControls(), ...tooWide({PAPER}), ...unprinted()]"))
    finally:
        browser.as_printed(on=False)


def open_page(browser: Browser, page: Path, width: int = WIDTHS["screen"], scheme: str = "light") -> None:
    """Open a page in a window of a width, with the functions of `page_faults.js` at hand."""
    browser.resize(width, 900)
    browser.prefer(scheme)
    browser.open(page.as_uri())
    browser.js(f"{SCRIPT}; Object.assign(window, {{{', '.join(_functions())}}}); 0")


def _functions() -> Iterator[str]:
    for line in SCRIPT.splitlines():
        words = line.removeprefix("async ").split("(")[0].split()
        if words[:1] == ["function"]:
            yield words[1]


def _size_faults(page: Path) -> list[str]:
    size = page.stat().st_size
    return [f"{size:,} bytes; at most {LARGEST:,}"] if size > LARGEST else []


def _paint_faults(browser: Browser, page: Path) -> list[str]:
    times = []
    for _ in range(LOADS):
        browser.open(page.as_uri())
        times.append(float(browser.js(PAINT)))
        if times[-1] <= FIRST_PAINT:
            return []
    return [f"first painted after {min(times):.0f} ms; at most {FIRST_PAINT:.0f}"]


def _at(browser: Browser, page: Path, width: int) -> list[str]:
    """What is wrong in a window of one width, on a light and on a dark screen."""
    found, grounds = [], {}
    for scheme in ("dark", "light"):
        open_page(browser, page, width, scheme)
        grounds[scheme] = browser.js("luminance(behind(document.body, canvasColour()))")
        found += [f"{scheme}, {width} px: {fault}" for fault in browser.js("faintText()")]
    if grounds["dark"] >= grounds["light"]:
        found.append("the page is as light on a dark screen as on a light one")
    return found + browser.js("[...unnamedParts(), ...cutOff(), ...unreachableBoxes()]")


def _keyboard_faults(browser: Browser, page: Path) -> list[str]:
    """What the keyboard does not do: reach every control in order, show where it is, change what a filter shows."""
    open_page(browser, page)
    return [*_order_faults(browser), *_filter_faults(browser)]


def _order_faults(browser: Browser) -> list[str]:
    """Tab goes from control to control, and what is in focus looks different from what is not."""
    browser.js("window.order = controls(); window.looks = order.map(look); 0")
    found = []
    for place in range(min(browser.js("order.length"), MOST_TABS)):
        reached = _after_tab(browser, place - 1)
        name = browser.js(f"cut(order[{place}].outerHTML)")
        if reached != place:
            return [*found, f"Tab does not reach: {name}"]
        if browser.js(f"look(order[{place}]) === looks[{place}]"):
            found.append(f"does not show that it is in focus: {name}")
    return found


def _after_tab(browser: Browser, before: int) -> int:
    """Place of the control that Tab leads to; a player has several stops, and so may have boxes that scroll."""
    for _ in range(MOST_STOPS):
        browser.press("Tab")
        reached = int(browser.js("order.indexOf(document.activeElement)"))
        if reached not in {before, -1}:
            return reached
    return -1


def _filter_faults(browser: Browser) -> list[str]:
    """Arrows choose in every list, and at least one choice changes what the page says."""
    found = []
    for place in range(browser.js("document.querySelectorAll('select').length")):
        here = f"document.querySelectorAll('select')[{place}]"
        if not browser.js(f"shown({here}) && {here}.options.length > 1"):
            continue
        before = browser.js(TEXT)
        browser.js(f"{here}.focus(); 0")
        said = set()
        for number in range(1, browser.js(f"{here}.options.length")):
            browser.press("ArrowDown")
            if browser.js(f"{here}.selectedIndex") != number:
                found.append(f"the arrows do not choose: {browser.js(f'cut({here}.outerHTML)')}")
                break
            said.add(browser.js(f"new Promise(done => requestAnimationFrame(() => done({TEXT})))"))
        if said <= {before}:
            found.append(f"a filter that changes nothing: {browser.js(f'cut({here}.outerHTML)')}")
        browser.press("Home")
    return found


def in_lines(faults: list[str]) -> str:
    """Faults for the message of an assertion."""
    return "\n".join(faults)
