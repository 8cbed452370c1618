"""The gallery in a browser: sounds are those of the data, filters choose what the table says, more samples come."""

import numpy as np
import pytest

from raymm.data import AudioSpec, ImageSpec, VectorSpec, WaveformSpec
from raymm.reports.gallery import gallery_section
from raymm.reports.gallery.section import LISTED
from tests.browser import open_browser
from tests.reports.gallery.samples import of_dataset, page_of

COUNT, RATE = 260, 8_000
HEARD = """(async () => {
    const players = [...document.querySelectorAll("audio")];
    const player = players.find(one => one.getAttribute("aria-label").startsWith(LABEL));
    const bytes = await (await fetch(player.src)).arrayBuffer();
    const sound = await new OfflineAudioContext(1, 1, RATE).decodeAudioData(bytes);
    return [sound.sampleRate, sound.numberOfChannels, [...sound.getChannelData(0)]];
})()"""
SHOWN = "[...document.querySelectorAll('.sample:not([hidden]) h3')].map(head => head.innerText)"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A page, its data set and its table; every other sample lacks the second modality."""
    folder = tmp_path_factory.mktemp("gallery")
    specs = [
        AudioSpec(name="audio", rate=RATE, seconds=0.1, n_fft=128, hop=80, n_mels=8),
        WaveformSpec(name="speech", rate=RATE, seconds=0.1),
        ImageSpec(name="image", height=8, width=8),
        VectorSpec(name="numbers", size=3),
    ]
    dataset, table = of_dataset(folder / "d", specs, count=COUNT, missing=0.2, classes=("a", "b", "c"))
    path = folder / "my page #1.html"
    gallery = gallery_section(dataset, table, path)
    assert gallery.files
    path.write_text(page_of(gallery))
    return path, dataset, table, gallery


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with open_browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


def test_a_player_holds_the_sound_of_its_sample(browser, page):
    path, dataset, _, _ = page
    browser.open(path.as_uri())
    browser.js("document.querySelectorAll('audio').forEach(one => { one.preload = 'auto' })")
    for name in browser.js(SHOWN)[:3]:
        row = int(np.flatnonzero(dataset.shards.sample_id == name)[0])
        for position, modality in enumerate(("audio", "speech")):
            if not dataset.present[row, position]:
                continue
            label = f"'{modality} of {name}: '"
            rate, channels, heard = browser.js(HEARD.replace("LABEL", label).replace("RATE", str(RATE)))
            wanted = np.clip(dataset.shards.read(modality, np.array([row]))[0], -1, 1)
            assert (rate, channels, len(heard)) == (RATE, 1, len(wanted))
            assert np.abs(np.array(heard) - wanted).max() < 2 / 32768
    assert not browser.complaints


def choose(browser, name, value):
    """Choose an option with the keyboard alone."""
    browser.js(f"document.querySelector('#gallery-filters [name={name}]').focus(); 0")
    here = f"document.querySelector('#gallery-filters [name={name}]')"
    browser.press("Home")
    for _ in range(browser.js(f"{here}.options.length")):
        if browser.js(f"{here}.value") == value:
            return
        browser.press("ArrowDown")
    raise AssertionError(f"no option {value} of {name}")


def test_filters_choose_by_the_keyboard_what_the_table_says(browser, page):
    path, _, table, gallery = page
    browser.open(path.as_uri())
    everything = browser.js(SHOWN)
    assert len(everything) == len(gallery.cards)
    rows = {str(name): row for row, name in enumerate(table.sample_id)}
    choose(browser, "list", "lowest")
    choose(browser, "modality", "2")
    phi = [table.phi[rows[name], 2] for name in browser.js(SHOWN)]
    assert phi == sorted(phi)
    assert phi[:24] == sorted(table.phi[~np.isnan(table.phi[:, 2]), 2].tolist())[:24]
    shown = set(browser.js(SHOWN))
    choose(browser, "class", "1")
    assert set(browser.js(SHOWN)) == {name for name in shown if table.label[rows[name]] == 1}
    choose(browser, "answer", "0")
    wrong = {name for name in shown if table.label[rows[name]] == 1 != table.prediction[rows[name]]}
    assert set(browser.js(SHOWN)) == wrong
    assert browser.js("document.querySelector('[role=status]').textContent").startswith(f"{len(wrong)} of ")
    browser.js("document.querySelector('#gallery-filters [type=reset]').focus(); 0")
    browser.press("Enter")
    browser.wait(f"{SHOWN}.length === {len(everything)}")
    choose(browser, "lacks", "1")
    lacking = [name for name in everything if np.isnan(table.phi[rows[name]]).tolist() == [False, True, False, False]]
    assert set(browser.js(SHOWN)) == set(lacking) != set()
    assert not browser.complaints


def test_more_samples_come_when_they_are_asked_for_and_are_filtered_too(browser, page):
    path, _, _, gallery = page
    browser.open(path.as_uri())
    more = sum(count for _, count in gallery.files)
    before = len(browser.js(SHOWN))
    browser.js("document.getElementById('gallery-more').focus(); 0")
    assert browser.js("document.activeElement.textContent") == f"Show {gallery.files[0][1]} more samples"
    browser.press("Enter")
    browser.wait(f"{SHOWN}.length === {before + more}")
    assert browser.js("document.getElementById('gallery-more').hidden")
    assert browser.js("document.activeElement.className") == "sample"
    choose(browser, "list", "surprising")
    choose(browser, "modality", "0")
    assert len(browser.js(SHOWN)) == LISTED
    assert not browser.complaints


def test_a_page_without_its_files_says_so(browser, page, tmp_path):
    alone = tmp_path / "alone.html"
    alone.write_text(page[0].read_text())
    browser.open(alone.as_uri())
    browser.click("#gallery-more")
    browser.see("my page #1.files/gallery-1.js is not there")
    assert len(browser.js(SHOWN)) == len(page[3].cards)


def test_without_scripts_every_sample_of_the_page_is_shown(browser, page):
    browser._call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser._call("Page.navigate", url=page[0].as_uri())
        cards = "document.querySelectorAll('.sample:not([hidden])').length"
        browser.wait(f"{cards} === {len(page[3].cards)}")
        assert browser.count("#gallery-filters") == 0
        browser.see("Further samples lie beside this page, in my page #1.files")
    finally:
        browser._call("Emulation.setScriptExecutionDisabled", value=False)
