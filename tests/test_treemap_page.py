"""The page of --html in a real browser: opened from disk, on a desk's screen and on a phone's."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from command_line import CommandLine
from local_index import LocalIndex
from selenium import webdriver
from selenium.webdriver.common.keys import Keys
from world import wheels

from layercraft.layer.sizes import SizedFile, SizeReport
from layercraft.layer.treemap import treemap_page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

pytestmark = pytest.mark.browser

SCREENS = {"desk": (1280, 800), "phone": (390, 844)}
SWITCHES = (
    *("headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-sync"),
    *("disable-background-networking", "disable-component-update"),
)
CONTRAST = """
    const linear = (part) => (part /= 255) <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    const light = (colour) => {
        const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).map(linear);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    return [...document.querySelectorAll(".cell:not(.gone)")].map((cell) => {
        const style = getComputedStyle(cell);
        const [low, high] = [light(style.color), light(style.backgroundColor)].sort((a, b) => a - b);
        return (high + 0.05) / (low + 0.05);
    });
"""


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """Start Debian's Chromium, which must be there where CI is true."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not browser or not driver:
        reason = "chromium or chromedriver is not installed (Debian: chromium, chromium-driver)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for switch in (*SWITCHES, f"user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(f"--{switch}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    started = webdriver.Chrome(options, webdriver.ChromeService(driver))
    try:
        yield started
    finally:
        started.quit()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Give a page, and the document of the build that wrote it."""
    with LocalIndex(wheels=wheels()) as index:
        layercraft = CommandLine(tmp_path_factory.mktemp("made"), {"LAYERCRAFT_INDEX_URL": index.url})
        required = ("toolkit[fast]", "space-beta", "new-app")
        names = [option for name in required for option in ("--require", name)]
        ran = layercraft.must("build", *names, "--html", "map.html", "--json", "--no-check")
    return layercraft.folder / "map.html", ran.document["layers"][0]


@pytest.fixture(params=SCREENS)
def page(request: pytest.FixtureRequest, chrome: Chrome, made: tuple[Path, dict[str, Any]]) -> Chrome:
    """Open the page on a screen of one size."""
    show(chrome, made[0], request.param)
    return chrome


def show(chrome: Chrome, path: Path, screen: str, scheme: str = "light") -> None:
    width, height = SCREENS[screen]
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": screen == "phone"}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    feature = {"name": "prefers-color-scheme", "value": scheme}
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    chrome.get("about:blank")
    chrome.get(path.as_uri())


def elements(page: Chrome, selector: str) -> list[WebElement]:
    return list(page.find_elements("css selector", selector))


def enter(page: Chrome, folder: str) -> None:
    """Go to a folder by the address, as a link with `#/FOLDER` does."""
    page.execute_script("location.hash = `#/${arguments[0]}`; render();", folder)


def complaints(page: Chrome) -> list[Any]:
    """Give what the browser's console was told."""
    return list(page.get_log("browser"))  # type: ignore[no-untyped-call]


def bytes_of(page: Chrome, selector: str) -> tuple[int, int]:
    """Give the sums of unzipped and zipped bytes that table rows tell."""
    sums: list[int] = page.execute_script(
        "const sum = (key) => [...document.querySelectorAll(arguments[0])]"
        ".reduce((sum, row) => sum + Number(row.dataset[key]), 0);"
        "return [sum('unzipped'), sum('zipped')];",
        selector,
    )
    return sums[0], sums[1]


def test_its_numbers_are_those_of_the_report(page: Chrome, made: tuple[Path, dict[str, Any]]) -> None:
    document = made[1]
    told = [int(each.get_attribute("data-bytes") or 0) for each in elements(page, "#gauges dd")]
    assert told == [document["sizes"]["unzipped"], document["sizes"]["zipped"]]
    unzipped, zipped = bytes_of(page, "#list tbody tr")
    assert (unzipped, zipped + 22) == tuple(told)
    changes = [each for each in document["build"]["changes"] if each["files"]]
    rows = elements(page, "#changes tbody tr")
    assert [row.find_element("tag name", "td").text for row in rows] == [
        f"{each['source']}: {each['rule']}" for each in changes
    ]
    sums = sum(each["saved"] for each in changes), sum(each["saved_zipped"] for each in changes)
    assert bytes_of(page, "#changes tbody tr") == sums


def test_removed_files_are_shown_when_asked_for(page: Chrome, made: tuple[Path, dict[str, Any]]) -> None:
    removing = [each for each in made[1]["build"]["changes"] if each["removed"]]
    removed = sum(each["saved"] for each in removing), sum(each["saved_zipped"] for each in removing)
    before = bytes_of(page, "#list tbody tr")
    assert elements(page, ".gone") == []
    page.find_element("id", "show").click()
    after = bytes_of(page, "#list tbody tr")
    assert (after[0] - before[0], after[1] - before[1]) == removed
    assert elements(page, ".cell.gone")
    enter(page, "python/plain")
    (stub,) = [row for row in elements(page, "#list tr.gone") if "__init__.pyi" in row.text]
    assert "preset safe: type stubs" in stub.text


def test_every_folder_holds_what_its_row_tells(page: Chrome) -> None:
    folders = [
        (row.text.split()[0], row.get_attribute("data-unzipped"))
        for row in elements(page, "#list tbody tr:has(button)")
    ]
    assert len(folders) > 3
    for name, unzipped in folders:
        enter(page, f"python/{name}")
        assert bytes_of(page, "#list tbody tr")[0] == int(unzipped or -1), name


def test_it_fits_the_screen_and_can_be_read(page: Chrome) -> None:
    wide, inner = page.execute_script("return [document.scrollingElement.scrollWidth, innerWidth]")
    assert wide <= inner
    room = page.find_element("id", "map").rect
    assert room["width"] >= inner * 0.6
    assert room["height"] >= 400
    assert room["y"] + room["height"] <= page.execute_script("return innerHeight")
    fonts = page.execute_script(
        "return [...document.querySelectorAll('.label, td, th, h1, h2, button, small, dt, dd')]"
        ".map((each) => parseFloat(getComputedStyle(each).fontSize))"
    )
    assert min(fonts) >= 11
    for cell in elements(page, "#map > .cell"):
        box = cell.rect
        assert room["x"] - 1 <= box["x"]
        assert box["x"] + box["width"] <= room["x"] + room["width"] + 1
        assert room["y"] - 1 <= box["y"]
        assert box["y"] + box["height"] <= room["y"] + room["height"] + 1


def test_areas_are_in_proportion_to_bytes_and_do_not_overlap(page: Chrome) -> None:
    cells = page.execute_script(
        "return [...document.querySelectorAll('#map > .cell')].map((cell) => {"
        " const box = cell.getBoundingClientRect();"
        " return [weight(drawn[cell.dataset.cell]), box.left, box.top, box.width + 1, box.height + 1]; })"
    )
    densities = [width * height / weight for weight, _, _, width, height in cells if width * height > 500]
    assert len(densities) >= 3
    assert max(densities) / min(densities) < 1.02
    for number, (_, left, top, width, height) in enumerate(cells):
        for _, other_left, other_top, other_width, other_height in cells[:number]:
            apart_x = left + width <= other_left + 0.1 or other_left + other_width <= left + 0.1
            apart_y = top + height <= other_top + 0.1 or other_top + other_height <= top + 0.1
            assert apart_x or apart_y


def test_keys_lead_into_folders_and_out_again(page: Chrome) -> None:
    title = page.find_element("id", "here")
    assert title.text == "python"
    first = elements(page, "#map > button.folder")[0]
    page.execute_script("arguments[0].focus({focusVisible: true})", first)
    tip = page.find_element("id", "tip")
    assert "unzipped" in tip.text
    assert "zipped" in tip.text
    first.send_keys(Keys.ENTER)
    assert title.text.startswith("python/")
    assert page.switch_to.active_element == title
    page.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert title.text == "python"


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_light_and_dark(
    chrome: Chrome, made: tuple[Path, dict[str, Any]], screen: str, scheme: str
) -> None:
    show(chrome, made[0], screen, scheme)
    ratios = chrome.execute_script(CONTRAST)
    assert min(ratios) >= 4.5  # WCAG 2.2, 1.4.3
    back = chrome.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (back == "rgb(246, 246, 243)") == (scheme == "light")


def test_nothing_is_asked_for_and_nothing_fails(page: Chrome) -> None:
    assert page.execute_script("return performance.getEntriesByType('resource').length") == 0
    assert complaints(page) == []


def test_hostile_names_are_shown_and_never_run(chrome: Chrome, tmp_path: Path) -> None:
    names = [
        "</script><script>window.ran=1</script>",  # its slash makes it two folders and a file
        "<img src=x onerror=window.ran=1>",
        "__proto__",
        "a&amp;b\"c'd",
        "%41%",
        "constructor",
    ]
    files = [SizedFile(path=f"python/{name}", owner=name, size=9, packed=5) for name in names]
    files += [SizedFile(path=f"{name}/inner", owner="x", size=7, packed=5) for name in ("%41", "<b>", "")]
    path = tmp_path / "hostile.html"
    sizes = SizeReport(files=tuple(files), zipped=1000)
    path.write_text(treemap_page("<script>window.ran=1</script>", sizes), encoding="utf-8")
    show(chrome, path, "desk")
    assert chrome.execute_script("return window.ran") is None
    assert chrome.find_element("tag name", "h1").text == "<script>window.ran=1</script>"
    for folder in ("python", "%41", "<b>"):
        (button,) = [each for each in elements(chrome, "#list button") if each.text == f"{folder}/"]
        button.click()
        assert chrome.find_element("id", "here").text == folder
        if folder == "python":
            assert {each.text for each in elements(chrome, "#list td:first-child span")} == set(names[1:])
        elements(chrome, "#crumbs button")[0].click()
    assert complaints(chrome) == []
