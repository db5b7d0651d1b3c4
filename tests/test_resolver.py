"""What `resolve` chooses. Cases are data: what the index has, what is asked, what must come out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from shelf import Release, Shelf, pins, release

from layercraft.errors import NoSolutionError, UnknownPackageError
from layercraft.target import Target

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class Case:
    """The index's lines, the requirements, and the pins: a text of `NAME VERSION` pairs."""

    shelf: Sequence[str | Release]
    wanted: Sequence[str]
    pinned: str
    how: Mapping[str, Any] = field(default_factory=dict)


GROUPS = release(
    "a-1 : a[x,y]; extra == 'all', b; extra == 'x', c; extra == 'y', d; extra == 'other'",
    extras=["all", "x", "y", "other"],
)

CASES = {
    "the newest version": Case(["a-1", "a-10", "a-9"], ["a"], "a 10"),
    "requirements of requirements": Case(["a-1 : b", "b-1 : c>=1", "c-1"], ["a"], "a 1, b 1, c 1"),
    "names in any spelling": Case(["a_b-1 : C.D>=1", "c_d-1"], ["A.b"], "a-b 1, c-d 1"),
    "one version for all who ask": Case(
        ["a-1 : c<3", "b-1 : c>=2", "c-3", "c-2", "c-1"], ["a", "b"], "a 1, b 1, c 2"
    ),
    "an older version where the newest clashes": Case(
        ["a-2 : c>=2", "a-1 : c", "b-1 : c<2", "c-2", "c-1"], ["a", "b"], "a 1, b 1, c 1"
    ),
    "two packages that need each other": Case(["a-1 : b", "b-1 : a"], ["a"], "a 1, b 1"),
    "a longer cycle": Case(["a-2 : b", "b-2 : c", "c-2 : a<2", "c-1"], ["a"], "a 2, b 2, c 1"),
    "a package that needs itself": Case(["a-1 : a"], ["a"], "a 1"),
    "several lines for one package": Case(["a-3", "a-2", "a-1"], ["a<3", "a>=1", "a!=1"], "a 2"),
    "a version whose requirement nobody has": Case(["a-2 : missing", "a-1"], ["a"], "a 1"),
    "broken METADATA": Case([release("a-2", broken="no zip file"), "a-1"], ["a"], "a 1"),
    "an invalid requirement": Case(["a-2 : b>=2.*", "a-1"], ["a"], "a 1"),
    "a marker nobody can evaluate": Case(["a-2 : b; python_version ~= 'x'", "a-1"], ["a"], "a 1"),
    "a requirement with a URL": Case(
        ["a-2 : b @ https://h.example/b-1-py3-none-any.whl", "a-1"], ["a"], "a 1"
    ),
    "Requires-Python of METADATA": Case([release("a-2", own_python=">=3.14"), "a-1"], ["a"], "a 1"),
    "a broken Requires-Python": Case([release("a-2", own_python="three"), "a-1"], ["a"], "a 2"),
    "epochs": Case(["a-1!1", "a-2020"], ["a"], "a 1!1"),
    "local versions": Case(["a-1.0+cu1", "a-1.0", "b-1 : a==1.0"], ["b"], "a 1.0+cu1, b 1"),
    "post releases": Case(["a-1.post1", "a-1"], ["a>=1"], "a 1.post1"),
    "arbitrary equality": Case(["a-2", "a-1.0"], ["a===1.0"], "a 1.0"),
    "compatible releases": Case(["a-2.0", "a-1.9", "a-1.4"], ["a~=1.4"], "a 1.9"),
    "exclusions": Case(["a-1.9.1", "a-1.9", "a-1.8"], ["a!=1.9.*"], "a 1.8"),
    "extras": Case([release("a-1 : b; extra == 'x'", extras=["x"]), "b-1"], ["a[x]"], "a 1, b 1"),
    "no extras unless asked for": Case([release("a-1 : b; extra == 'x'", extras=["x"])], ["a"], "a 1"),
    "extras asked for by others": Case(
        [release("a-1 : b; extra == 'x'", extras=["x"]), "b-1", "c-1 : a[x]"], ["c"], "a 1, b 1, c 1"
    ),
    "extras of one version": Case(
        [
            release("a-2 : b>=2; extra == 'x'", extras=["x"]),
            release("a-1 : b; extra == 'x'", extras=["x"]),
            "b-1",
        ],
        ["a[x]"],
        "a 1, b 1",
    ),
    "extras that name other extras": Case([GROUPS, "b-1", "c-1", "d-1"], ["a[all]"], "a 1, b 1, c 1"),
    "extras of itself without asking": Case(
        [release("a-1 : a[x], b; extra == 'x'", extras=["x"]), "b-1"], ["a"], "a 1, b 1"
    ),
    "extras of another version of itself": Case(
        [release("a-2 : a[x]<2; extra == 'all'", extras=["all", "x"]), release("a-1", extras=["all"])],
        ["a[all]"],
        "a 1",
    ),
    "extras in another spelling (PEP 685)": Case(
        [release("a-1 : b; extra == 'Data_Frame'", extras=["Data_Frame"]), "b-1"],
        ["a[data.frame]"],
        "a 1, b 1",
    ),
    "extras and markers together": Case(
        [
            release(
                "a-1 : b; extra == 'x' and sys_platform == 'linux'"
                ", c; extra == 'x' and sys_platform == 'win32'"
                ", d; (extra == 'y' or python_version >= '3.13') and os_name == 'posix'",
                extras=["x", "y"],
            ),
            "b-1",
            "d-1",
        ],
        ["a[x,y]"],
        "a 1, b 1, d 1",
    ),
    "constraints": Case(["a-2", "a-1"], ["a"], "a 1", {"constraints": ["a<2"]}),
    "constraints on what others ask for": Case(
        ["a-1 : b", "b-2", "b-1"], ["a"], "a 1, b 1", {"constraints": ["B<2"]}
    ),
    "several constraints": Case(["a-3", "a-2", "a-1"], ["a"], "a 2", {"constraints": ["a<3", "a>1"]}),
    "constraints on what nobody asks for": Case(["a-1"], ["a"], "a 1", {"constraints": ["b<1", "nope==1"]}),
    "constraints of other platforms": Case(
        ["a-2"], ["a"], "a 2", {"constraints": ["a<2; sys_platform == 'win32'"]}
    ),
    "constraints and extras": Case(
        [release("a-2", extras=["x"]), release("a-1 : b; extra == 'x'", extras=["x"]), "b-1"],
        ["a[x]"],
        "a 1, b 1",
        {"constraints": ["a<2"]},
    ),
    "exclusions by pattern": Case(
        ["a-1 : b, nvidia_nccl_cu12"], ["a"], "a 1", {"exclude": ["b", "nvidia-*"]}
    ),
    "exclusion of what is asked for": Case(["a-1", "b-1"], ["a", "b"], "a 1", {"exclude": ["b"]}),
    "lines of other platforms": Case(
        ["a-1", "b-1"], ["a", "b; sys_platform == 'win32'", "a<1; os_name == 'nt'"], "a 1"
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_chooses(case: Case) -> None:
    found = Shelf(*case.shelf).pins(*case.wanted, **case.how)
    assert ", ".join(f"{name} {version}" for name, version in found.items()) == case.pinned


@pytest.mark.parametrize(
    ("marker", "runtime", "architecture", "holds"),
    [
        ("sys_platform == 'linux'", "3.13", "x86_64", True),
        ("sys_platform == 'darwin' or platform_system == 'Windows'", "3.13", "x86_64", False),
        ("platform_machine == 'aarch64'", "3.13", "arm64", True),
        ("platform_machine == 'arm64'", "3.13", "arm64", False),
        ("platform_machine == 'aarch64'", "3.13", "x86_64", False),
        ("python_version < '3.10'", "3.9", "x86_64", True),
        ("python_version < '3.9'", "3.13", "x86_64", False),
        ("python_full_version >= '3.9.1'", "3.9", "x86_64", True),
        ("python_full_version < '3.11.0a7'", "3.13", "x86_64", False),
        (
            "platform_python_implementation == 'CPython' and implementation_name != 'pypy'",
            "3.8",
            "arm64",
            True,
        ),
        ("os_name == 'posix' and 'x86' not in platform_machine", "3.14", "arm64", True),
        ("extra == 'x'", "3.13", "x86_64", False),
        ("extra == 'x' or python_version >= '3.8'", "3.13", "x86_64", True),
    ],
)
def test_markers_are_the_targets_and_never_the_hosts(
    marker: str, runtime: str, architecture: str, *, holds: bool
) -> None:
    target = Target.parse(runtime, architecture)
    expected = {"a": "1", "b": "1"} if holds else {"a": "1"}
    assert Shelf(f"a-1 : b; {marker}", "b-1").pins("a", target=target) == expected


def test_deep_backtracking_ends_at_the_only_solution() -> None:
    """Each of 30 newer versions falls only through what its requirement's requirement needs."""
    lines = [f"a-{number} : b=={number}" for number in range(1, 31)]
    lines += [f"b-{number} : c<{number}" for number in range(1, 31)]
    lines += [f"c-{number} : d=={number}" for number in range(30)]
    lines += ["d-0", "e-1 : d<1"]
    found = Shelf(*lines).pins("a", "e")
    assert (found["a"], found["b"], found["c"], found["d"]) == ("30", "30", "0", "0")


def test_backtracking_reaches_a_version_far_down() -> None:
    lines = [f"a-{number} : shared=={number}" for number in range(200)]
    lines += [f"shared-{number}" for number in range(200)]
    assert Shelf(*lines, "b-1 : shared==3").pins("a", "b") == {"a": "3", "b": "1", "shared": "3"}


def test_a_package_that_the_index_does_not_have_is_named_with_its_line() -> None:
    with pytest.raises(UnknownPackageError, match=r"^sklern: .* \(requirements.txt, line 2\)$") as caught:
        Shelf("a-1").resolve("a", "sklern")
    assert "import name" in (caught.value.hint or "")


def test_a_required_package_that_the_index_does_not_have_is_no_solution() -> None:
    with pytest.raises(NoSolutionError, match="missing: the index has no package of this name"):
        Shelf("a-2 : missing", "a-1 : missing").resolve("a")


def test_an_unknown_extra_is_a_warning() -> None:
    shelf = Shelf(release("a-1", extras=["Known.One"]))
    assert shelf.resolve("a[known-one]").warnings == ()
    assert shelf.resolve("a[nope]").warnings == ("a 1 has no extra named nope",)


def test_what_is_excluded_is_told_with_who_asked_for_it() -> None:
    shelf = Shelf("a-2 : gone", "a-1 : gone, b", "b-1 : gone", "c-1 : a<2")
    resolution = shelf.resolve("c", "root", exclude=["gone", "root"])
    assert pins(resolution) == {"a": "1", "b": "1", "c": "1"}
    assert resolution.lock.excluded == ("gone", "root")
    assert resolution.warnings == (
        "root is kept out of the layer (exclude), although requirements.txt, line 2 asks for it",
        "gone is kept out of the layer (exclude), although a and b require it",
    )


def test_what_only_a_dropped_version_asked_for_is_not_told_as_excluded() -> None:
    shelf = Shelf("a-2 : gone, c>=2", "a-1", "b-1 : c<2", "c-2", "c-1")
    resolution = shelf.resolve("a", "b", exclude=["gone"])
    assert (resolution.lock.excluded, resolution.warnings) == ((), ())


def test_pages_of_excluded_packages_and_unmet_constraints_are_not_asked_for() -> None:
    shelf = Shelf("a-1 : b", "b-1")
    shelf.resolve("a", exclude=["b"], constraints=[f"c{number}<1" for number in range(50)])
    assert shelf.asked == ["a"]


def test_each_page_is_asked_for_once() -> None:
    shelf = Shelf("a-2 : c>=2", "a-1 : c", "b-1 : c<2", "c-2", "c-1")
    shelf.resolve("a", "b", "b>=1", constraints=["c>=1"])
    assert sorted(shelf.asked) == ["a", "b", "c"]


def test_the_lock_knows_who_requires_whom() -> None:
    lock = Shelf(GROUPS, "b-1 : c", "c-1").resolve("a[all]").lock
    assert {pin.name: pin.requires for pin in lock.pins} == {"a": ("b", "c"), "b": ("c",), "c": ()}


def test_the_lock_keeps_the_requirements_as_they_were_written() -> None:
    lock = Shelf("a-1", "b-1").resolve("A >= 1", "b; sys_platform == 'win32'").lock
    assert lock.requirements == ("A>=1", 'b; sys_platform == "win32"')


def test_likely_wheels_are_told_while_the_search_goes_on() -> None:
    decided: list[str] = []
    shelf = Shelf("a-1 : b", "b-1")
    shelf.resolve("a", decided=lambda candidate: decided.append(candidate.file.filename))
    assert decided == ["a-1-py3-none-any.whl", "b-1-py3-none-any.whl"]
