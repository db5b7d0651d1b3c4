from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trees import inline, tree_of
from wheelhouse import WheelDraft

from layercraft.errors import LayerTooLargeError, UsageError
from layercraft.layer.archive import write_zip
from layercraft.layer.dist_info import rewrite_records
from layercraft.layer.sizes import (
    Share,
    SizedFile,
    SizeReport,
    check_limit,
    human_size,
    upload_notice,
)
from layercraft.layer.tree import DiskFile, Entry, Tree
from layercraft.layer.zip_sizes import read_sizes

if TYPE_CHECKING:
    from layercraft.layer.sizes import Grouping

FILES = (
    SizedFile(path="python/numpy/__init__.py", owner="numpy", size=10, packed=5),
    SizedFile(path="python/numpy/_core/x.cpython-313.so", owner="numpy", size=100, packed=50),
    SizedFile(path="python/numpy/_core/deep/y.py", owner="numpy", size=20, packed=10),
    SizedFile(path="python/numpy.libs/libz.so.5.0.0", owner="numpy", size=200, packed=90),
    SizedFile(path="python/six.py", owner="six", size=30, packed=15),
    SizedFile(path="lib/libq.so.1", owner="", size=7, packed=7),
)
REPORT = SizeReport(files=FILES, zipped=1000)


def rows(grouping: Grouping) -> list[tuple[str, int, int]]:
    return [(share.name, share.files, share.size) for share in REPORT.top(grouping)]


def test_distributions_are_summed_largest_first() -> None:
    assert rows("distribution") == [("numpy", 4, 330), ("six", 1, 30), ("(no distribution)", 1, 7)]
    assert REPORT.top("distribution", 1) == (Share(name="numpy", files=4, size=330, packed=155),)


def test_folders_are_two_levels_deep() -> None:
    assert rows("folder") == [
        ("python/numpy.libs", 1, 200),
        ("python/numpy/_core", 2, 120),
        ("python", 1, 30),
        ("python/numpy", 1, 10),
        ("lib", 1, 7),
    ]


def test_folders_of_the_longer_layout_and_of_a_plain_zip_are_known() -> None:
    long = "python/lib/python3.13/site-packages/pkg/sub/deep/a.py"
    files = tuple(SizedFile(path=path, owner="", size=1, packed=1) for path in (long, "a.py", "x/y/z/a.py"))
    names = [share.name for share in SizeReport(files=files, zipped=3).top("folder")]
    assert names == ["(top level)", "python/lib/python3.13/site-packages/pkg/sub", "x/y"]


def test_a_library_with_a_version_is_a_library() -> None:
    assert rows("type") == [(".so", 3, 307), (".py", 3, 60)]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("libarrow.so.2600", ".so"),
        ("x.so.debug", ".debug"),
        ("LICENSE", "(no type)"),
        (".gitignore", "(no type)"),
        ("a.tar.gz", ".gz"),
        ("dot.", "(no type)"),
    ],
)
def test_the_type_is_what_follows_the_last_dot(name: str, kind: str) -> None:
    file = SizedFile(path=f"python/x/{name}", owner="", size=1, packed=1)
    (share,) = SizeReport(files=(file,), zipped=1).top("type")
    assert share.name == kind


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9), st.integers(0, 9))))
def test_every_grouping_counts_every_file_once(rows: list[tuple[str, int, int]]) -> None:
    files = tuple(
        SizedFile(path=f"python/{owner}/{number}.{owner}", owner=owner, size=size, packed=packed)
        for number, (owner, size, packed) in enumerate(rows)
    )
    report = SizeReport(files=files, zipped=0)
    groupings: tuple[Grouping, ...] = ("distribution", "folder", "file", "type")
    for grouping in groupings:
        shares = report.top(grouping)
        assert sum(share.files for share in shares) == len(files)
        assert sum(share.size for share in shares) == report.unzipped
        assert sum(share.packed for share in shares) == sum(file.packed for file in files)


def tree_of_sizes(**sizes: int) -> Tree:
    return Tree(
        entries={
            name: Entry(
                path=name, content=DiskFile(path=Path(name), size=size, crc=0), executable=False, owner=name
            )
            for name, size in sizes.items()
        }
    )


def test_the_limit_itself_is_allowed_and_one_byte_more_is_not() -> None:
    check_limit(tree_of_sizes(scipy=262_144_000))
    with pytest.raises(LayerTooLargeError) as caught:
        check_limit(tree_of_sizes(scipy=200_000_000, numpy=62_144_000, six=1, a=0, b=0, c=0))
    assert caught.value.message == (
        "the layer has 250.0 MB unzipped (262,144,001 bytes), over the limit of 250.0 MB (262,144,000 bytes)"
        "; the biggest: scipy 190.7 MB, numpy 59.3 MB, six <0.01 MB, a 0.0 MB, b 0.0 MB"
    )


def test_a_recipe_may_set_a_lower_limit() -> None:
    with pytest.raises(LayerTooLargeError, match=r"over the limit of 1\.0 MB"):
        check_limit(tree_of_sizes(a=2 << 20), 1 << 20)


def test_a_zip_over_50_mb_goes_through_s3() -> None:
    assert upload_notice(52_428_800) is None
    notice = upload_notice(73_577_267)
    assert notice == "the zip has 70.2 MB, over 50.0 MB: it goes through S3"


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0.0 MB"), (1, "<0.01 MB"), (161_778, "0.15 MB"), (1 << 20, "1.0 MB"), (262_144_000, "250.0 MB")],
)
def test_sizes_are_told_in_mb_of_two_to_the_twentieth(size: int, text: str) -> None:
    assert human_size(size) == text


def test_the_sizes_read_from_our_zip_are_those_that_were_written(tmp_path: Path) -> None:
    drafts = [
        WheelDraft(name=name, files={f"{name}/m.py": b"x" * 3000, f"{name}.libs/libq.so.1": b"y" * 99})
        for name in ("a", "My.Tool")
    ]
    tree = rewrite_records(tree_of(tmp_path, *drafts)).tree
    tree = tree.with_entries({**tree.entries, "python/a/new.py": inline("python/a/new.py", b"z", owner="a")})
    archive = write_zip(tree, tmp_path / "layer.zip")
    assert read_sizes(archive.path) == archive.sizes


def test_a_foreign_zip_is_read_with_what_it_tells_of_owners(tmp_path: Path) -> None:
    record = "numpy/__init__.py,,\n../../bin/f2py,,\nnumpy/gone.py,,\n"
    root = "python/lib/python3.13/site-packages"
    files = {
        f"{root}/numpy-2.0.dist-info/RECORD": record,
        f"{root}/numpy/__init__.py": "",
        f"{root}/numpy/unlisted.py": "",
        f"{root}/mystery/a.py": "",
        f"{root}/broken-1.dist-info/RECORD": 'a,b,c,d,e\n"',
        "python/lib/bin/f2py": "",
        "top.py": "",
    }
    with zipfile.ZipFile(tmp_path / "any.zip", "w") as writer:
        writer.mkdir("python/")
        for name, text in files.items():
            writer.writestr(name, text)
    owners = {
        file.path.removeprefix(f"{root}/"): file.owner for file in read_sizes(tmp_path / "any.zip").files
    }
    assert owners == {
        "numpy-2.0.dist-info/RECORD": "numpy-2.0.dist-info",
        "numpy/__init__.py": "numpy",
        "numpy/unlisted.py": "numpy",
        "mystery/a.py": "mystery",
        "broken-1.dist-info/RECORD": "broken-1.dist-info",
        "python/lib/bin/f2py": "numpy",
        "top.py": "top.py",
    }


@given(cut=st.integers(0, 400), noise=st.binary(max_size=30))
def test_what_is_no_zip_is_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, cut: int, noise: bytes
) -> None:
    path = tmp_path_factory.mktemp("zip") / "x.zip"
    with zipfile.ZipFile(path, "w") as writer:
        writer.writestr("a-1.dist-info/RECORD", "a,,\n")
        writer.writestr("a", "x")
    data = path.read_bytes()
    path.write_bytes(data[:cut] + noise + data[cut + len(noise) :])
    message = f"{path}"
    try:
        read_sizes(path)
    except UsageError as error:
        message = error.message
    assert message.startswith(f"{path}")
    assert "\n" not in message


def test_a_missing_zip_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no\.zip cannot be read: no such file"):
        read_sizes(tmp_path / "no.zip")
