"""Yanked versions and pre-releases: taken only where somebody asks for them."""

from __future__ import annotations

from typing import Any

import pytest
from packaging.specifiers import SpecifierSet
from shelf import Release, Shelf, pins, release

from layercraft.errors import NoSolutionError
from layercraft.resolution.admission import is_pin

YANKED = release("a-2", yanked="breaks pip")


@pytest.mark.parametrize(
    ("specifier", "pin"),
    [
        ("==1.0", True),
        ("===1.0", True),
        (">=1,==1.5", True),
        ("==1.*", False),
        ("~=1.0", False),
        (">=1,<=1", False),
        ("", False),
    ],
)
def test_a_pin_names_one_version(specifier: str, *, pin: bool) -> None:
    assert is_pin(SpecifierSet(specifier)) is pin


@pytest.mark.parametrize(
    ("lines", "wanted", "how", "chosen"),
    [
        ([YANKED, "a-1"], ["a"], {}, "1"),
        ([YANKED, "a-1"], ["a>=1"], {}, "1"),
        ([YANKED, "a-1"], ["a==2"], {}, "2"),
        ([YANKED, "a-1"], ["a===2"], {}, "2"),
        ([YANKED, "a-1"], ["a", "a==2"], {}, "2"),
        ([release("a-1.9", yanked=True), "a-1.8"], ["a==1.*"], {}, "1.8"),
        ([YANKED, "a-1"], ["a"], {"constraints": ["a==2"]}, "2"),
        ([YANKED, "a-1", "b-1 : a==2"], ["b"], {}, "2"),
        ([YANKED, "a-1", release("b-1 : a==2; extra == 'x'", extras=["x"])], ["b[x]"], {}, "2"),
        ([YANKED, "a-1", "b-2 : a==2, c<1", "b-1 : a", "c-1"], ["b", "c"], {}, "1"),
        ([release("a-2", yanked=True, extras=["x"]), release("a-1", extras=["x"])], ["a[x]==2"], {}, "2"),
        ([release("a-2", yanked=True, extras=["x"]), "a-1"], ["a[x]", "a==2"], {}, "2"),
    ],
)
def test_a_yanked_version_counts_for_a_pin_alone(
    lines: list[str | Release], wanted: list[str], how: dict[str, Any], chosen: str
) -> None:
    assert Shelf(*lines).pins(*wanted, **how)["a"] == chosen


@pytest.mark.parametrize(("yanked", "why"), [("breaks pip", "breaks pip"), (True, "no reason given")])
def test_a_yanked_version_that_is_taken_is_a_warning(why: str, *, yanked: bool | str) -> None:
    resolution = Shelf(release("a-2", yanked=yanked)).resolve("a==2")
    assert resolution.warnings == (f"a 2 was yanked: {why}",)


def test_a_package_with_nothing_but_yanked_versions_has_no_solution() -> None:
    with pytest.raises(NoSolutionError, match="a 2 was yanked: breaks pip"):
        Shelf(YANKED).resolve("a")


@pytest.mark.parametrize(
    ("lines", "wanted", "how", "chosen"),
    [
        (["a-2rc1", "a-1"], ["a"], {}, "1"),
        (["a-2rc1", "a-1"], ["a>=1"], {}, "1"),
        (["a-2rc1", "a-1"], ["a!=2rc1"], {}, "1"),
        (["a-2rc1", "a-1"], ["a"], {"prereleases": True}, "2rc1"),
        (["a-2rc1", "a-1"], ["a>=1a0"], {}, "2rc1"),
        (["a-2rc1", "a-1"], ["a==2rc1"], {}, "2rc1"),
        (["a-2rc1", "a-1"], ["a"], {"constraints": ["a>=1.dev0"]}, "2rc1"),
        (["a-2rc1", "a-1"], ["a"], {"constraints": ["a>=1.dev0; os_name == 'nt'"]}, "1"),
        (["a-2rc1", "a-1.dev1"], ["a"], {}, "2rc1"),
        (["a-2rc1", "a-1"], ["a>1"], {}, "2rc1"),
        (["a-2rc1", "a-1", "b-1 : a>=1a0"], ["b"], {}, "1"),
        (["a-2rc1", "a-1", "b-1 : a>=2rc1"], ["b"], {}, "2rc1"),
        (["a-2rc1", "a-1", "b-1 : a>=2rc1"], ["b", "a"], {}, "2rc1"),
        (["a-2", "a-1.9rc1", "a-1", "b-1 : a<2"], ["b", "a>1"], {}, "1.9rc1"),
        (["a-2.dev1", "a-1", "b-1 : a>1"], ["b"], {"prereleases": True}, "2.dev1"),
        ([release("a-2rc1", extras=["x"]), "a-1", "b-1 : a>=2rc1"], ["a[x]", "b"], {}, "2rc1"),
        ([release("a-2rc1", extras=["x"]), "a-1"], ["a[x]>=2rc1"], {}, "2rc1"),
    ],
)
def test_a_pre_release_counts_where_it_is_named_or_nothing_final_fits(
    lines: list[str | Release], wanted: list[str], how: dict[str, Any], chosen: str
) -> None:
    assert Shelf(*lines).pins(*wanted, **how)["a"] == chosen


def test_a_conflict_of_all_final_versions_is_no_reason_for_a_pre_release() -> None:
    shelf = Shelf("a-2rc1", "a-1 : b<1", "b-1")
    with pytest.raises(NoSolutionError, match=r"a 2rc1 is a pre-release, which nobody asked for"):
        shelf.resolve("a", "b")
    assert pins(shelf.resolve("a>=2rc1", "b")) == {"a": "2rc1", "b": "1"}
