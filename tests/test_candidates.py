from __future__ import annotations

import pytest
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version
from shelf import Release, Shelf, digest, release

from layercraft.resolution.candidates import Candidates, WheelSelector, build_order, version_of
from layercraft.resolution.index import IndexFile, IndexPage
from layercraft.target import Target

ARM = Target.parse("3.13", "arm64")
OLD_GLIBC = Target.parse("3.11", "x86_64")


def candidates(*lines: str | Release, target: Target | None = None, name: str = "a") -> Candidates:
    selector = WheelSelector(target or Target.parse("3.13", "x86_64"))
    return selector.candidates(canonicalize_name(name), Shelf(*lines).page(canonicalize_name(name)))


def versions(found: Candidates) -> list[str]:
    return [str(candidate.version) for candidate in found.listed]


def filenames(found: Candidates) -> list[str]:
    return [candidate.file.filename for candidate in found.listed]


@pytest.mark.parametrize(
    "line",
    [
        "a-2.0.tar.gz",
        "a-2.0-cp313-cp313-win_amd64",
        "a-2.0-cp313-cp313-macosx_11_0_arm64",
        "a-2.0-cp313-cp313-manylinux_2_17_aarch64",
        "a-2.0-cp313-cp313-musllinux_1_2_x86_64",
        "a-2.0-cp313-cp313t-manylinux_2_17_x86_64",
        "a-2.0-cp313-cp313-manylinux_2_35_x86_64",
        "a-2.0-cp312-cp312-manylinux_2_17_x86_64",
        "a-2.0-cp314-abi3-manylinux_2_17_x86_64",
        "a-2.0-pp311-pypy311_pp73-manylinux_2_17_x86_64",
        "a-2.0-py2-none-any",
        "a-2.0-py3-none-any.",
        "a-2.0-py3.-none-any",
        "a-2.0-py3.whl",
        "a-2.0-1-2-py3-none-any.whl",
        "a-nonsense-py3-none-any.whl",
        "a-2.0.dist-py3-none-any.whl",
        "a-2.0-1/../x-py3-none-any.whl",
        "a-2.0-py3-none-any.x/../y.whl",
        "a-2.0-1\x1b[2J-py3-none-any.whl",
        f"a-{'9' * 5000}-py3-none-any.whl",
    ],
)
def test_a_version_without_a_wheel_for_the_target_does_not_exist(line: str) -> None:
    assert versions(candidates(line, "a-1.0")) == ["1.0"]


@pytest.mark.parametrize(
    "line",
    [
        "a-2.0-py2.py3-none-any",
        "a-2.0-cp39-abi3-manylinux2014_x86_64",
        "a-2.0-cp312-abi3-manylinux_2_34_x86_64",
        "a-2.0-cp313-none-any",
        "a-2.0-cp312.cp313-cp312.cp313-manylinux_2_17_x86_64.manylinux2014_x86_64",
        "a-2.0-cp313-cp313-manylinux_2_5_x86_64.manylinux_2_40_x86_64",
        "a-2.0-7-py3-none-any.whl",
        "A-2.0-py3-none-any",
    ],
)
def test_one_fitting_tag_in_a_name_is_enough(line: str) -> None:
    assert versions(candidates(line, "a-1.0")) == ["2.0", "1.0"]


def test_the_machine_and_the_glibc_are_the_targets() -> None:
    lines = (
        "a-3-cp313-cp313-manylinux_2_28_aarch64",
        "a-2-cp311-cp311-manylinux_2_28_x86_64",
        "a-1-cp311-cp311-manylinux_2_26_x86_64",
    )
    assert versions(candidates(*lines, target=ARM)) == ["3"]
    assert versions(candidates(*lines, target=OLD_GLIBC)) == ["1"]


def test_the_best_wheel_of_a_version_is_the_most_specific_one() -> None:
    found = candidates(
        "a-1-py3-none-any",
        "a-1-cp39-abi3-manylinux_2_17_x86_64",
        "a-1-cp313-cp313-manylinux_2_17_x86_64",
        "a-1-cp313-cp313-manylinux_2_28_x86_64",
    )
    assert filenames(found) == ["a-1-cp313-cp313-manylinux_2_28_x86_64.whl"]


@pytest.mark.parametrize("lines", [["9", "10"], ["10", "9"], ["10", "9", ""], ["10a", "10b", "10"]])
def test_the_highest_build_tag_wins_whatever_the_order_of_the_page(lines: list[str]) -> None:
    builds = [f"a-1-{build}-py3-none-any.whl" if build else "a-1-py3-none-any.whl" for build in lines]
    best = max(lines, key=build_order)
    assert filenames(candidates(*builds)) == [f"a-1-{best}-py3-none-any.whl"]


def test_build_tags_are_ordered_by_number_then_text() -> None:
    assert sorted(["2", "10", "", "1b", "1a"], key=build_order) == ["", "1a", "1b", "2", "10"]


def test_a_better_tag_counts_more_than_a_build_tag() -> None:
    found = candidates("a-1-99-py3-none-any.whl", "a-1-cp313-cp313-manylinux_2_17_x86_64")
    assert filenames(found) == ["a-1-cp313-cp313-manylinux_2_17_x86_64.whl"]


def test_a_wheel_that_was_not_yanked_is_better_than_one_that_was() -> None:
    yanked = release("a-1-cp313-cp313-manylinux_2_17_x86_64", yanked="wrong library inside")
    found = candidates(yanked, "a-1-py3-none-any")
    assert filenames(found) == ["a-1-py3-none-any.whl"]
    assert not found.yanked


def test_wheels_without_a_sha256_are_no_candidates() -> None:
    lines = [release(f"a-{number}", sha256=wrong) for number, wrong in enumerate((None, "zz", "A" * 64), 2)]
    assert versions(candidates(*lines, "a-1")) == ["1"]


@pytest.mark.parametrize(
    ("python", "fits"),
    [
        (">=3.13", True),
        (">=3.13.2,<3.14", True),
        ("!=3.12.*", True),
        ("", True),
        ("not a specifier", True),
        (">=3.14", False),
        ("<3.13", False),
        ("==3.13.0", False),
        ("~=3.8.0", False),
    ],
)
def test_requires_python_is_held_against_the_targets_patch_version(python: str, *, fits: bool) -> None:
    assert versions(candidates(release("a-2", python=python), "a-1")) == (["2", "1"] if fits else ["1"])


def test_only_files_with_a_given_hash_count() -> None:
    page = Shelf("a-2", "a-1").page(canonicalize_name("a"))
    allowed = frozenset({digest("a-1-py3-none-any.whl")})
    found = WheelSelector(ARM).candidates(canonicalize_name("a"), page, allowed)
    assert versions(found) == ["1"]


def test_wheels_of_another_package_on_the_page_do_not_count() -> None:
    files = tuple(release(line).to_index_file() for line in ("b-2", "a.b-1", "a_b-0.9", "A-B-0.8"))
    page = IndexPage(url="https://index.example/simple/a-b/", files=files)
    assert versions(WheelSelector(ARM).candidates(canonicalize_name("a-b"), page)) == ["1", "0.9"]


def test_addresses_are_joined_with_the_pages_and_broken_ones_left_out() -> None:
    good, broken = release("a-1").to_index_file(), release("a-2").to_index_file()
    page = IndexPage(
        url="https://index.example/simple/a/",
        files=(
            IndexFile(filename=good.filename, url="../../files/a.whl", hashes=good.hashes),
            IndexFile(filename=broken.filename, url="https://[broken/a.whl", hashes=broken.hashes),
        ),
    )
    found = WheelSelector(ARM).candidates(canonicalize_name("a"), page)
    assert [candidate.url for candidate in found.listed] == ["https://index.example/files/a.whl"]


def test_versions_are_ordered_as_pep_440_says() -> None:
    listed = [
        "1!0.5",
        "2.0.post1",
        "2.0+local.1",
        "2.0",
        "2.0rc1",
        "2.0b2",
        "2.0a1",
        "2.0.dev3",
        "1.10",
        "1.9",
    ]
    assert versions(candidates(*(f"a-{version}" for version in sorted(listed)))) == listed


def test_two_spellings_of_a_version_are_one_with_the_best_wheel_of_both() -> None:
    best = "a-1.0.0-cp313-cp313-manylinux_2_17_x86_64.whl"
    for lines in (["a-1.0", best], [best, "a-1.0"]):
        assert filenames(candidates(*lines)) == [best]


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("1.0", "1.0"),
        ("1.0_rc1", "1.0rc1"),
        ("1.0_post2", "1.0.post2"),
        ("1.0+cu118", "1.0+cu118"),
        ("1.0_cu118", "1.0+cu118"),
        ("1.0_cu118_2", "1.0+cu118.2"),
        ("1!2.0", "1!2.0"),
    ],
)
def test_a_file_names_version_may_hold_underscores(text: str, version: str) -> None:
    assert version_of(text) == Version(version)


def test_what_is_no_version_is_refused() -> None:
    for text in ("", "one", "1.0_", "1.0-"):
        with pytest.raises(InvalidVersion):
            version_of(text)


@pytest.mark.parametrize(
    ("specifier", "matching"),
    [
        ("", ["1!1", "3.0rc1", "2.0.post1", "2.0+cu1", "2.0", "1.9", "1.0"]),
        ("==2.0", ["2.0+cu1", "2.0"]),
        ("==2.0+cu1", ["2.0+cu1"]),
        ("===2.0", ["2.0"]),
        ("===2.0.0", []),
        ("~=1.0", ["1.9", "1.0"]),
        ("~=2.0", ["2.0.post1", "2.0+cu1", "2.0"]),
        ("!=2.0", ["1!1", "3.0rc1", "2.0.post1", "1.9", "1.0"]),
        ("!=2.*,<3", ["1.9", "1.0"]),
        (">2.0", ["1!1", "3.0rc1"]),
        (">=2.0.post1", ["1!1", "3.0rc1", "2.0.post1"]),
        ("<3.0", ["2.0.post1", "2.0+cu1", "2.0", "1.9", "1.0"]),
        ("<=2.0", ["2.0+cu1", "2.0", "1.9", "1.0"]),
        ("==1!1", ["1!1"]),
        (">=1,<1", []),
    ],
)
def test_a_specifier_contains_what_pep_440_says(specifier: str, matching: list[str]) -> None:
    found = candidates(
        *(f"a-{each}" for each in ["1!1", "3.0rc1", "2.0.post1", "2.0+cu1", "2.0", "1.9", "1.0"])
    )
    for _ in range(2):  # the second answer is the remembered one
        bits = found.matching(SpecifierSet(specifier))
        assert [str(each.version) for place, each in enumerate(found.listed) if bits >> place & 1] == matching


def test_positions_count_from_the_newest() -> None:
    found = candidates("a-2", "a-1")
    assert (found.position(Version("2")), found.position(Version("1"))) == (0, 1)
    assert found.position(Version("3")) is None
    assert Version("2.0") in found
    assert Version("3") not in found


def test_a_package_that_the_index_does_not_have_has_no_candidates() -> None:
    found = WheelSelector(ARM).candidates(canonicalize_name("a"), None)
    assert (found.listed, found.every, found.matching(SpecifierSet(">=1"))) == ((), 0, 0)
