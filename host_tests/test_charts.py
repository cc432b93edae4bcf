# SPDX-License-Identifier: MIT
"""The part of uPlot that ships (tools/charts.py) beside the whole of it, in a browser: the dashboard's chart, drawn by
its own script, is the same picture with the same answers to the mouse."""

import pytest

from host_tests.browser import CHROMIUM, needs_browser
from tools import charts, npm, pages

sync_api = pytest.importorskip("playwright.sync_api", reason="the Python package playwright is not there")
pytestmark = [needs_browser, pytest.mark.timeout(300)]
START = 1_760_000_000
# an hour of a household: sun and load, minutes without a telegram, only one value, none of it bought
SCENES = {
    "a day with sun": "at => at % 97 < 5 ? null : Math.round(2500 * Math.sin(at / 40) + 700 * Math.cos(at / 3))",
    "a house that only buys": "at => 150 + at % 7 * 3",
    "a house that only sells": "at => -4000 - at * 10",
    "nothing for half of the hour": "at => at < 180 ? null : 12",
    "a quiet minute": "at => at < 354 ? undefined : 0",
}
PAGE = """<!doctype html><style>:root { --text: #111; --soft: #777; --line: #ddd; --in: #e08a00; --out: #0a7d4b }
#chart { width: 700px; height: 220px } %s</style><div id="chart"></div><p id="pointed"></p>"""
@pytest.fixture(scope="module")
def engine():
    with sync_api.sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def libraries():
    """(script, style) of the whole and of what ships."""
    whole = npm.read("uplot", "dist/uPlot.iife.js", "dist/uPlot.min.css")
    return whole, (pages.build()["uplot.js"].decode(), charts.style(whole[1]))


def pictures(engine, library, style, scene, scale):
    """What the chart shows: at first, with the mouse over it, with another size, with a minute more, drawn anew."""
    context = engine.new_context(viewport={"width": 800, "height": 400}, device_scale_factor=scale, locale="en-GB")
    page = context.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.set_content(PAGE % style)
    page.add_script_tag(content="const WALL = false; let reading = null;")
    for script in ("common.js", "hour.js"):
        page.add_script_tag(content=(pages.SOURCES / script).read_text())
    page.add_script_tag(content=library)
    page.evaluate("""([scene, now]) => {
      Date.now = () => now * 1000;
      const read = eval(scene), last = Math.floor(now / STEP_S);
      for (let at = 0; at < STEPS; at++) if (read(at) !== undefined) power.push([last - STEPS + 1 + at, read(at)]);
      draw();
    }""", [scene, START])
    seen = []

    def look():
        page.evaluate("new Promise(done => setTimeout(done, 60))")
        seen.append(page.evaluate("[document.querySelector('canvas').toDataURL(), $('chart').innerText, "
                                  "$('pointed').textContent, document.querySelector('.u-cursor-x').style.transform]"))
    look()
    box = page.locator(".u-over").bounding_box()
    for share in (0.02, 0.4, 0.9):
        page.mouse.move(box["x"] + box["width"] * share, box["y"] + box["height"] / 2)
        look()
    page.mouse.move(1, 399)
    look()
    page.evaluate("plot.setSize({width: 500, height: 180})")
    look()
    page.evaluate("now => { power.push([power[power.length - 1][0] + 1, 3210]); Date.now = () => now * 1000; draw() }",
                  START + 12)
    look()
    page.evaluate("redraw()")
    look()
    context.close()
    assert errors == []
    return seen


@pytest.mark.parametrize("scale", [1, 2.5])
@pytest.mark.parametrize("name", SCENES)
def test_what_ships_of_the_charts_draws_what_the_whole_of_them_draws(engine, libraries, name, scale):
    whole, ours = (pictures(engine, *library, SCENES[name], scale) for library in libraries)
    assert ours == whole
    assert len({picture for picture, *_ in ours}) > 2 and any(pointed for _, _, pointed, _ in ours)
