from __future__ import annotations

import pytest
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version
from shelf import TARGET, Release, Shelf, release

from layercraft.resolution.candidates import Candidates, WheelSelector
from layercraft.resolution.refusals import fitting_targets, newest_refused, refusal, releases
from layercraft.target import Target, architectures, runtimes

A = canonicalize_name("a")
ARM = Target.parse("3.13", "arm64")
EVERY = [Target(runtime=runtime, architecture=each) for each in architectures() for runtime in runtimes()]


def candidates(*lines: str | Release) -> Candidates:
    return WheelSelector(TARGET).candidates(A, Shelf(*lines).page(A))


@pytest.mark.parametrize(
    ("lines", "target", "reason"),
    [
        (["a-1.tar.gz"], TARGET, "only a source distribution, no wheel"),
        ([release("a-1", python=">=3.14"), release("a-1.tar.gz")], TARGET, "requires Python >=3.14"),
        (["a-1-cp313-cp313-win_amd64"], TARGET, "no Linux wheel for x86_64"),
        (["a-1-cp313-cp313-macosx_11_0_arm64"], ARM, "no Linux wheel for arm64"),
        (["a-1-cp313-cp313-manylinux_2_17_x86_64"], ARM, "no Linux wheel for arm64"),
        (["a-1-cp313-cp313-manylinux2014_i686"], TARGET, "no Linux wheel for x86_64"),
        (["a-1-cp312-cp312-manylinux_2_17_x86_64"], TARGET, "no wheel for python3.13 on x86_64"),
        (["a-1-cp313-cp313t-manylinux_2_17_x86_64"], TARGET, "no wheel for python3.13 on x86_64"),
        (["a-1-py2-none-any"], TARGET, "no wheel for python3.13 on x86_64"),
        (
            ["a-1-cp313-cp313-manylinux_2_39_x86_64", "a-1-cp313-abi3-manylinux_2_36_x86_64"],
            TARGET,
            "no wheel for glibc 2.34 (the lowest needs 2.36)",
        ),
        (["a-1-cp313-cp313-musllinux_1_2_x86_64"], TARGET, "only musl wheels, no glibc one"),
        (["a-1-cp313-cp313-linux_x86_64"], TARGET, "no manylinux wheel"),
        ([release("a-1", sha256=None)], TARGET, "the index gives no sha256 for it"),
        ([release("a-1", sha256="x" * 64)], TARGET, "the index gives no sha256 for it"),
        (["a-1"], TARGET, "no wheel that the hashes given allow"),
        (["a-1-cp313-cp313-manylinux2014_x86_64"], TARGET, "no wheel that the hashes given allow"),
    ],
)
def test_the_reason_is_the_nearest_miss(lines: list[str | Release], target: Target, reason: str) -> None:
    files = Shelf(*lines).page(A).files
    assert refusal(files, WheelSelector(target)) == reason


def test_releases_are_wheels_and_sources_by_version() -> None:
    lines = [
        "a-1.0",
        "a-1",
        "a-1.0.tar.gz",
        "a-2.zip",
        "a-3_rc1",
        "a-4.exe",
        "a-x",
        "a-5.tar.bz2",
        "b_a-6.tar.gz",
    ]
    files = tuple(each.to_index_file() for each in map(_named, lines))
    page = Shelf("a-1").page(A)
    found = releases(A, type(page)(url=page.url, files=files))
    assert {str(version): len(listed) for version, listed in found.items()} == {"1.0": 3, "2": 1, "3rc1": 1}


def _named(line: str) -> Release:
    return Release(filename=line) if line.endswith((".exe", ".bz2")) else release(line)


@pytest.mark.parametrize("than", ["1!0", "2.5", "2", "2.0.1", "2020.1.1"])
def test_releases_may_leave_out_what_is_older(than: str) -> None:
    texts = [
        "0.1",
        "1.9",
        "2",
        "2.0.1",
        "2.4",
        "2.5rc1",
        "2.5",
        "2.5.1",
        "3",
        "2020.1.1",
        "2021",
        "1!0",
        "1!2.5",
    ]
    page = Shelf(*(f"a-{text}" for text in texts)).page(A)
    newer = {version for version in releases(A, page, at_least=Version(than)) if version >= Version(than)}
    assert newer == {Version(text) for text in texts if Version(text) >= Version(than)}


def test_the_newest_refused_releases_are_named_with_their_reasons() -> None:
    found = candidates(
        "a-1.tar.gz", "a-2.tar.gz", "a-3.tar.gz", release("a-4", python="<3"), "a-5.tar.gz", "a-2.5"
    )
    refused = newest_refused(found, SpecifierSet("<5"), WheelSelector(TARGET))
    assert [(str(version), reason.split()[0]) for version, reason in refused] == [
        ("4", "requires"),
        ("3", "only"),
        ("2", "only"),
    ]


def test_a_package_without_a_page_has_nothing_to_refuse() -> None:
    found = WheelSelector(TARGET).candidates(A, None)
    assert newest_refused(found, SpecifierSet(), WheelSelector(TARGET)) == []


@pytest.mark.parametrize(
    ("lines", "specifier", "fitting"),
    [
        (["a-1-cp38-cp38-manylinux_2_17_aarch64"], "", ["python3.8 arm64"]),
        (["a-1-cp314-abi3-manylinux_2_30_x86_64"], "", ["python3.14 x86_64", "python3.15 x86_64"]),
        (["a-1-cp38-cp38-manylinux_2_17_x86_64"], ">1", []),
        ([release("a-1-cp38-cp38-manylinux_2_17_x86_64", yanked=True)], "", []),
        (["a-1.tar.gz"], "", []),
    ],
)
def test_targets_that_would_do_are_found(
    lines: list[str | Release], specifier: str, fitting: list[str]
) -> None:
    found = fitting_targets(candidates(*lines), SpecifierSet(specifier), EVERY)
    assert [str(target) for target in found] == fitting
