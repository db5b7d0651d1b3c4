from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layercraft.layer.comparison import Comparison, Difference
from layercraft.layer.sizes import Grouping, SizedFile, SizeReport


def layer(*files: tuple[str, int], owner: str = "numpy", crc: int = 0) -> SizeReport:
    found = [
        SizedFile(path=f"python/{path}", owner=owner, size=size, packed=size // 2, crc=crc)
        for path, size in files
    ]
    return SizeReport(files=tuple(found), zipped=sum(size for _, size in files))


def told(comparison: Comparison, grouping: Grouping) -> list[tuple[str, str, int]]:
    return [(each.kind, each.name, each.grown[0]) for each in comparison.differences(grouping)]


def test_what_came_went_and_changed_is_told_largest_first() -> None:
    before = layer(("numpy/a.py", 10), ("numpy/gone.py", 40), ("numpy/same.py", 7))
    after = layer(("numpy/a.py", 12), ("numpy/new/x.py", 400), ("numpy/same.py", 7))
    found = Comparison.of(before, after)
    assert told(found, "file") == [
        ("added", "python/numpy/new/x.py", 400),
        ("removed", "python/numpy/gone.py", -40),
        ("changed", "python/numpy/a.py", 2),
    ]
    assert told(found, "folder") == [("added", "python/numpy/new", 400), ("changed", "python/numpy", -38)]
    (numpy,) = found.differences("distribution")
    assert (numpy.unzipped, numpy.zipped, numpy.grown) == ((57, 419), (28, 209), (362, 181))


def test_versions_are_read_off_the_metadata_folders() -> None:
    before = layer(("numpy-2.4.6.dist-info/METADATA", 10))
    after = layer(("numpy-2.5.5.dist-info/METADATA", 11))
    found = Comparison.of(before, after)
    assert [each.versions for each in found.differences("distribution")] == [("2.4.6", "2.5.5")]
    assert told(found, "file") == [("changed", "python/numpy-*.dist-info/METADATA", 1)]
    assert found.differences("file")[0].versions == ("", "")


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        (
            "x/_c.cpython-312-x86_64-linux-gnu.so",
            "x/_c.cpython-313t-aarch64-linux-gnu.so",
            "x/_c.cpython-*.so",
        ),
        ("x.libs/libq-b7e2810b.so", "x.libs/libq-0123abcd.so", "x.libs/libq-*.so"),
        ("x.libs/libq-b7e2810b.so.5.0.0", "x.libs/libq-0123abcd.so.5.0.0", "x.libs/libq-*.so.5.0.0"),
    ],
)
def test_names_in_which_only_a_tag_or_a_hash_differs_are_one_file(old: str, new: str, name: str) -> None:
    found = Comparison.of(layer((old, 10)), layer((new, 15)))
    assert told(found, "file") == [("changed", f"python/{name}", 5)]
    same = Comparison.of(layer((old, 10)), layer((new, 10)))
    assert told(same, "file") == []
    assert not same.same


def test_names_that_would_fall_together_stay_apart() -> None:
    names = [f"x.libs/libq-{digit * 8}.so" for digit in "123"]
    found = Comparison.of(layer(*((name, 1) for name in names[:2])), layer((names[2], 2)))
    assert {each.name for each in found.differences("file")} == {
        f"python/{name}" for name in (*names[:2], "x.libs/libq-*.so")
    }


def test_other_bytes_of_the_same_size_are_a_difference() -> None:
    found = Comparison.of(layer(("a.py", 3), crc=1), layer(("a.py", 3), crc=2))
    assert told(found, "file") == [("changed", "python/a.py", 0)]
    assert not found.same


_LAYER = st.dictionaries(
    st.sampled_from(["a/x.py", "a/y.py", "b/z-1.0.dist-info/RECORD", "c.py"]), st.integers(0, 99)
)


@given(before=_LAYER, after=_LAYER)
def test_differences_add_up_to_that_of_the_whole(before: dict[str, int], after: dict[str, int]) -> None:
    old, new = layer(*before.items()), layer(*after.items())
    found = Comparison.of(old, new)
    groupings: tuple[Grouping, ...] = ("distribution", "folder", "file", "type")
    for grouping in groupings:
        grown = [each.grown[0] for each in found.differences(grouping)]
        assert sum(grown) == new.unzipped - old.unzipped
    assert found.same == (before == after) == (found.differences("file") == ())


def test_growth_is_after_less_before() -> None:
    difference = Difference(name="x", kind="changed", unzipped=(5, 3), zipped=(1, 4))
    assert difference.grown == (-2, 3)
