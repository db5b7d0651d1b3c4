"""What people read when there is no solution: the whole text, because its wording is the point."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from shelf import Release, Shelf, release

from layercraft.errors import NoSolutionError
from layercraft.resolution.derivation import MOST_LINES
from layercraft.target import Target

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OTHERS = [
    Target.parse(runtime, architecture)
    for architecture in ("x86_64", "arm64")
    for runtime in ("3.14", "3.12", "3.11", "3.10", "3.9")
]


INVALID = "'b>=2.*' is not a valid requirement: .* suffix can only be used with `==` or `!=` operators"


@dataclass(frozen=True)
class Case:
    """The index's lines, the requirements, and what is read: the lines below the first, and the hint."""

    shelf: Sequence[str | Release]
    wanted: Sequence[str]
    told: Sequence[str]
    hint: str | None = None
    how: Mapping[str, Any] = field(default_factory=dict)


CASES = {
    "two requirements of one package": Case(
        ["a-1 : c<2", "b-1 : c>=2", "c-1", "c-2"],
        ["a", "b>0"],
        [
            "you ask for a (requirements.txt, line 1)",
            "you ask for b>0 (requirements.txt, line 2)",
            "a 1 requires c<2",
            "b 1 requires c>=2",
        ],
    ),
    "the user's own lines": Case(
        ["a-1", "a-2"],
        ["a<2", "a>=2"],
        ["you ask for a<2 (requirements.txt, line 1)", "you ask for a>=2 (requirements.txt, line 2)"],
    ),
    "all versions of a package": Case(
        ["a-3 : c<2", "a-2 : c<2", "a-1 : c<1", "b-1 : c>=2", "c-2", "c-1", "c-0"],
        ["a", "b"],
        [
            "you ask for a (requirements.txt, line 1)",
            "you ask for b (requirements.txt, line 2)",
            "b 1 requires c>=2",
            "a 1 requires c<1",
            "a 2 and 3 require c<2",
        ],
    ),
    "a version that the index does not have": Case(
        ["a-1", "a-1.5"],
        ["a>=2"],
        [
            "you ask for a>=2 (requirements.txt, line 1)",
            "a: the index has no version >=2; the newest for this target is 1.5",
        ],
    ),
    "a package of a requirement that the index does not have": Case(
        ["a-1 : gone>=2"],
        ["a"],
        [
            "you ask for a (requirements.txt, line 1)",
            "a 1 requires gone>=2",
            "gone: the index has no package of this name",
        ],
    ),
    "wheels for other runtimes": Case(
        ["a-1-cp311-cp311-manylinux_2_17_x86_64", "a-1-cp310-cp310-manylinux_2_17_aarch64"],
        ["a"],
        ["you ask for a (requirements.txt, line 1)", "a 1: no wheel for python3.13 on x86_64"],
        "a has wheels for python3.11 x86_64, python3.10 arm64",
    ),
    "wheels for the other architecture": Case(
        ["b-1 : a==1", "a-1-cp313-cp313-manylinux_2_17_aarch64", "a-1-cp314-cp314-manylinux_2_17_aarch64"],
        ["b"],
        [
            "you ask for b (requirements.txt, line 1)",
            "b 1 requires a==1",
            "a 1: no Linux wheel for x86_64",
        ],
        "a==1 has wheels for python3.14 arm64",
    ),
    "a newer glibc": Case(
        ["a-2-cp313-cp313-manylinux_2_39_x86_64", "a-1-cp313-cp313-manylinux_2_38_x86_64"],
        ["a"],
        [
            "you ask for a (requirements.txt, line 1)",
            "a 2: no wheel for glibc 2.34 (the lowest needs 2.39)",
            "a 1: no wheel for glibc 2.34 (the lowest needs 2.38)",
        ],
        "a has no usable wheel for any Lambda runtime; ask for another version",
    ),
    "only sources, versions with one reason together": Case(
        ["a-1.tar.gz", "a-2.tar.gz", "a-3.zip", "a-4.tar.gz"],
        ["a<4"],
        [
            "you ask for a<4 (requirements.txt, line 1)",
            "a 3, 2, 1: only a source distribution, no wheel",
        ],
        "a<4 has no usable wheel for any Lambda runtime; ask for another version",
    ),
    "another Python": Case(
        [release("a-1", python=">=3.14")],
        ["a"],
        ["you ask for a (requirements.txt, line 1)", "a 1: requires Python >=3.14"],
        "a has wheels for python3.14 x86_64, python3.14 arm64",
    ),
    "versions that cannot be used": Case(
        [release("a-2", broken="no zip file"), release("a-1", own_python="<3"), "a-0 : b>=2.*"],
        ["a"],
        [
            "you ask for a (requirements.txt, line 1)",
            f"a 0 cannot be used: {INVALID}",
            "a 1 cannot be used: requires Python <3",
            "a 2 cannot be used: a-2-py3-none-any.whl: no zip file",
        ],
    ),
    "a requirement by URL": Case(
        ["a-1 : b @ https://h.example/b-1-py3-none-any.whl"],
        ["a"],
        [
            "you ask for a (requirements.txt, line 1)",
            "a 1 cannot be used: requires b from a URL, which the index's packages may not do",
        ],
    ),
    "a constraint": Case(
        ["a-2", "a-1", "b-1 : a>1"],
        ["b"],
        [
            "you ask for b (requirements.txt, line 1)",
            "a constraint allows only a<2",
            "b 1 requires a>1",
        ],
        how={"constraints": ["a<2"]},
    ),
    "an extra": Case(
        [release("a-1 : c<2; extra == 'x'", extras=["x"]), "c-2", "c-1"],
        ["a[x]", "c==2"],
        [
            "you ask for a[x] (requirements.txt, line 1)",
            "you ask for c==2 (requirements.txt, line 2)",
            "a[x] 1 requires c<2",
        ],
    ),
    "yanked": Case(
        [release("a-2", yanked="bad build"), release("a-1", yanked=True)],
        ["a"],
        [
            "you ask for a (requirements.txt, line 1)",
            "a 2 was yanked: bad build",
            "a 1 was yanked",
        ],
    ),
    "no sha256": Case(
        [release("a-1", sha256=None)],
        ["a"],
        ["you ask for a (requirements.txt, line 1)", "a 1: the index gives no sha256 for it"],
        "a has no usable wheel for any Lambda runtime; ask for another version",
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_tells(case: Case) -> None:
    with pytest.raises(NoSolutionError) as caught:
        Shelf(*case.shelf).resolve(*case.wanted, targets=OTHERS, **case.how)
    first, *lines = caught.value.message.split("\n  ")
    assert first == "no set of wheels for python3.13 x86_64 satisfies the requirements:"
    assert lines == list(case.told)
    assert caught.value.hint == case.hint


def test_without_other_targets_none_is_promised() -> None:
    with pytest.raises(NoSolutionError) as caught:
        Shelf("a-1-cp311-cp311-manylinux_2_17_x86_64").resolve("a")
    assert caught.value.hint is None


def test_a_long_derivation_is_cut() -> None:
    lines = [f"a-{number} : b=={number}" for number in range(40)]
    with pytest.raises(NoSolutionError) as caught:
        Shelf(*lines, *(f"b-{number}" for number in range(41))).resolve("a", "b==40")
    told = caught.value.message.split("\n  ")[1:]
    assert len(told) == MOST_LINES + 1
    assert told[:2] == [
        "you ask for a (requirements.txt, line 1)",
        "you ask for b==40 (requirements.txt, line 2)",
    ]
    assert told[-1] == "… and 30 more such facts"


def test_the_same_failure_reads_the_same_each_time() -> None:
    shelf = Shelf("a-2 : c<2, d", "a-1 : c<1", "b-1 : c>=2", "c-2", "c-1", "c-0", "d-1 : c<2")
    messages = set()
    for _ in range(5):
        with pytest.raises(NoSolutionError) as caught:
            shelf.resolve("a", "b")
        messages.add(caught.value.message)
    assert len(messages) == 1
