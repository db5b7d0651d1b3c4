from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trees import tree_of
from wheelhouse import WheelDraft

from layercraft.errors import OutputError
from layercraft.layer.archive import write_zip
from layercraft.layer.dist_info import rewrite_records
from layercraft.layer.record import RecordedChange
from layercraft.layer.rules import Rule, clean
from layercraft.layer.sizes import SizedFile, SizeReport
from layercraft.layer.treemap import treemap_page, write_treemap
from layercraft.layer.zipped import ZippedSizes

if TYPE_CHECKING:
    from pathlib import Path

    from command_line import CommandLine

HOSTILE = [
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "]]>",
    "a&b\"c'd",
    "\u2028\u2029",
    "{{title}}{{data}}",
    "__proto__",
]


class Reader(HTMLParser):
    """Reads a page as a browser does, and keeps what its scripts hold."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self.texts: list[str] = []
        self.references: list[str | None] = []
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note where scripts begin, and what refers to other files."""
        self._inside = tag
        self.references += [value for name, value in attrs if name in {"src", "href"}]
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        """Note where they end."""
        del tag
        self._inside = ""

    def handle_data(self, data: str) -> None:
        """Keep text."""
        if self._inside == "script":
            self.scripts[-1] += data
        elif self._inside == "h1":
            self.texts.append(data)


def read(page: str) -> tuple[Reader, dict[str, Any]]:
    reader = Reader()
    reader.feed(page)
    return reader, json.loads(reader.scripts[0])


def report(*paths: str) -> SizeReport:
    files = tuple(SizedFile(path=path, owner="x", size=10, packed=5) for path in paths)
    return SizeReport(files=files, zipped=1000)


@pytest.mark.parametrize("name", HOSTILE)
def test_names_stay_names_whatever_they_hold(name: str) -> None:
    reader, data = read(treemap_page(name, report(f"python/{name}")))
    assert [path for path, *_ in data["files"]] == [f"python/{name}"]
    assert len(reader.scripts) == 2
    assert "".join(reader.texts) == name


@given(name=st.text(min_size=1))
def test_any_name_comes_back(name: str) -> None:
    _, data = read(treemap_page(name, report(name)))
    assert data["files"][0][0] == name


def test_the_page_asks_for_nothing() -> None:
    page = treemap_page("x", report("a"))
    reader, _ = read(page)
    assert reader.references == []
    assert "default-src 'none'" in page
    assert not re.search(r"https?://|@import|url\(", page)


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(sizes=st.lists(st.integers(0, 3000), min_size=1, max_size=6))
def test_all_numbers_add_up_to_the_zip(sizes: list[int], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("map")
    files = {f"a/{number}.{kind}": b"x" * size for number, size in enumerate(sizes) for kind in ("py", "pyi")}
    tree = tree_of(folder, WheelDraft(name="a", files=files))
    changes = [*clean(tree, [Rule.of_glob("*.pyi", source="test")])]
    changes.append(rewrite_records(changes[-1].tree))
    archive = write_zip(changes[-1].tree, folder / "a.zip")
    zipped = ZippedSizes.of(changes[-1].tree, archive.members)
    recorded = [RecordedChange.of(change, zipped) for change in changes]
    _, data = read(treemap_page("a", archive.sizes, recorded, changes))
    assert sum(size for _, size, *_ in data["files"]) == archive.sizes.unzipped
    assert sum(size for _, _, size, _ in data["files"]) + 22 == data["zipped"] == archive.size
    assert sum(size for _, size, *_ in data["removed"]) == recorded[0].saved
    assert sum(size for _, _, size, _ in data["removed"]) == recorded[0].saved_zipped
    assert [rule for *_, rule in data["removed"]] == [0] * len(sizes)
    assert [each[0] for each in data["changes"]] == ["test: *.pyi", "layercraft: RECORD rewritten"]


def test_a_page_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    write_treemap("page", tmp_path / "new" / "map.html")
    assert (tmp_path / "new" / "map.html").read_text() == "page"
    with pytest.raises(OutputError):
        write_treemap("page", tmp_path / "new" / "map.html" / "x.html")


def test_build_plan_and_analyze_write_one(layercraft: CommandLine) -> None:
    archive = "outputs/plain_3_13_x86_64.zip"
    for arguments in (
        ("plan", "--require", "plain"),
        ("build", "--require", "plain"),
        ("build", "--require", "plain", "-s"),
        ("analyze", archive),
    ):
        ran = layercraft.must(*arguments, "--html", "map.html")
        assert "note: treemap: map.html" in ran.err
        page = layercraft.folder / "map.html"
        _, data = read(page.read_text(encoding="utf-8"))
        assert len(data["files"]) > 3
        assert bool(data["changes"]) == (arguments[0] != "analyze")
        assert bool(data["removed"]) == (arguments[0] != "analyze" and "-s" not in arguments)
        page.unlink()


@pytest.mark.parametrize(
    "arguments", [("build", "jinja", "sklearn"), ("plan", "jinja", "sklearn"), ("analyze", "a.zip", "b.zip")]
)
def test_one_page_is_for_one_layer(layercraft: CommandLine, arguments: tuple[str, ...]) -> None:
    ran = layercraft(*arguments, "--html", "map.html")
    assert (ran.code, ran.out) == (2, "")
    assert "--html takes one layer, and several were named" in ran.err


def test_the_page_takes_the_place_of_no_layer(layercraft: CommandLine) -> None:
    ran = layercraft("build", "--require", "plain", "--html", "outputs/plain_3_13_x86_64.zip")
    assert (ran.code, layercraft.made()) == (2, [])
    assert "error: --html outputs/plain_3_13_x86_64.zip would write over the layer's own file" in ran.err
    layercraft.must("build", "--require", "plain")
    before = (layercraft.outputs / "plain_3_13_x86_64.zip").read_bytes()
    ran = layercraft("analyze", "outputs/plain_3_13_x86_64.zip", "--html", "./outputs/plain_3_13_x86_64.zip")
    assert ran.code == 2
    assert (layercraft.outputs / "plain_3_13_x86_64.zip").read_bytes() == before
