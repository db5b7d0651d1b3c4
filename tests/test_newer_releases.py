from __future__ import annotations

from typing import Any

import pytest
from shelf import Release, Shelf, release

from layercraft.target import Target

CASES: dict[str, tuple[list[str | Release], list[str], dict[str, Any], list[str]]] = {
    "the newest was taken": (["a-2", "a-1"], ["a"], {}, []),
    "glibc": (
        ["a-2-cp311-cp311-manylinux_2_28_x86_64", "a-1"],
        ["a"],
        {"target": Target.parse("3.11")},
        ["a 2: no wheel for glibc 2.26 (the lowest needs 2.28); took 1"],
    ),
    "runtime": (
        ["a-2-cp314-cp314-manylinux_2_28_x86_64", "a-1"],
        ["a"],
        {},
        ["a 2: no wheel for python3.13 on x86_64; took 1"],
    ),
    "only sources": (["a-2.tar.gz", "a-1"], ["a"], {}, ["a 2: only a source distribution, no wheel; took 1"]),
    "Requires-Python": (
        [release("a-2", python=">=3.14"), "a-1"],
        ["a"],
        {},
        ["a 2: requires Python >=3.14; took 1"],
    ),
    "Requires-Python of METADATA": (
        [release("a-2", own_python=">=3.14"), "a-1"],
        ["a"],
        {},
        ["a 2: requires Python >=3.14; took 1"],
    ),
    "broken METADATA": (
        [release("a-2", broken="no zip file"), "a-1"],
        ["a"],
        {},
        ["a 2: a-2-py3-none-any.whl: no zip file; took 1"],
    ),
    "the user's own line": (
        ["a-3", "a-2", "a-1"],
        ["a", "a<3"],
        {},
        ["a 3: requirements.txt, line 2 asks for a<3; took 2"],
    ),
    "a constraint": (
        ["a-2", "a-1"],
        ["a"],
        {"constraints": ["a<2", "a>0"]},
        ["a 2: a constraint allows only a<2,>0; took 1"],
    ),
    "someone's requirement": (
        ["a-2", "a-1", "b-1 : a<2"],
        ["a", "b"],
        {},
        ["a 2: b 1 requires a<2; took 1"],
    ),
    "the requirement of an extra": (
        ["a-2", "a-1", release("b-1 : a<2; extra == 'x'", extras=["x"])],
        ["b[x]"],
        {},
        ["a 2: b 1 requires a<2; took 1"],
    ),
    "its own requirements": (
        ["a-2 : c>=2", "a-1", "b-1 : c<2", "c-2", "c-1"],
        ["a", "b"],
        {},
        ["a 2: its own requirements do not fit the others; took 1", "c 2: b 1 requires c<2; took 1"],
    ),
    "a yanked release is not counted": ([release("a-2", yanked=True), "a-1"], ["a"], {}, []),
    "a release is not yanked while one of its files is not": (
        [release("a-2", yanked=True), "a-2.tar.gz", "a-1"],
        ["a"],
        {},
        ["a 2: its wheel was yanked; took 1"],
    ),
    "a pre-release is not counted": (["a-2rc1", "a-1"], ["a"], {}, []),
    "a release between": (
        ["a-3.tar.gz", "a-2-cp314-cp314-manylinux_2_28_x86_64", "a-1"],
        ["a"],
        {},
        ["a 3: only a source distribution, no wheel; took 1"],
    ),
    "no sha256": (
        [release("a-2", sha256=None), "a-1"],
        ["a"],
        {},
        ["a 2: the index gives no sha256 for it; took 1"],
    ),
    "hashes": (
        ["a-2", release("a-1", sha256="1" * 64)],
        [f"a --hash=sha256:{'1' * 64}"],
        {},
        ["a 2: no wheel that the hashes given allow; took 1"],
    ),
    "other spellings and epochs": (
        ["a-1!0.tar.gz", "a-2021.tar.gz", "a-2020.1"],
        ["a"],
        {},
        ["a 1!0: only a source distribution, no wheel; took 2020.1"],
    ),
    "a URL": (["a-2", "a-1"], [f"a @ https://h.example/a-1-py3-none-any.whl#sha256={'0' * 64}"], {}, []),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_tells_why_the_newest_release_was_not_taken(
    case: tuple[list[str | Release], list[str], dict[str, Any], list[str]],
) -> None:
    lines, wanted, how, told = case
    assert [str(each) for each in Shelf(*lines).resolve(*wanted, **how).passed_over] == told
