"""What the user wrote down, as it holds on one target: direct URLs, hashes, markers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from local_index import LocalIndex
from shelf import Release, Shelf, digest, release
from wheelhouse import WheelDraft, sha256

from layercraft.errors import NoSolutionError, RequirementError
from layercraft.pipeline import lock
from layercraft.recipe.recipe import Recipe
from layercraft.recipe.requirements import RequirementsInput
from layercraft.sources import open_sources
from layercraft.target import Target

if TYPE_CHECKING:
    from pathlib import Path

ZEROS = "0" * 64


def url(filename: str, fragment: str = f"#sha256={ZEROS}", host: str = "files.example") -> str:
    return f"{filename.partition('-')[0]} @ https://{host}/{filename}{fragment}"


def hashed(requirement: str, *filenames: str) -> str:
    return " ".join([requirement, *(f"--hash=sha256:{digest(name)}" for name in filenames)])


A, B = "a-1-py3-none-any.whl", "b-1-py3-none-any.whl"


def test_a_direct_url_takes_the_indexs_place() -> None:
    shelf = Shelf("a-9", "a-1 : b", "b-1")
    (a, b) = shelf.resolve(url(A)).lock.pins
    assert (a.url, a.sha256, a.version) == (f"https://files.example/{A}", ZEROS, "1")
    assert b.url == "https://files.example/b-1-py3-none-any.whl"
    assert shelf.asked == ["b"]


def test_a_direct_url_may_carry_a_query_and_escapes() -> None:
    (pin,) = (
        Shelf("a-1+cu1")
        .resolve(f"a @ https://files.example/a-1%2Bcu1-py3-none-any.whl?sign=x#sha256={ZEROS}")
        .lock.pins
    )
    assert (pin.filename, pin.version) == ("a-1+cu1-py3-none-any.whl", "1+cu1")
    assert pin.url == "https://files.example/a-1%2Bcu1-py3-none-any.whl?sign=x"


def test_a_direct_url_answers_what_others_require() -> None:
    assert Shelf("a-1", "b-1 : a>=1", "b-2 : a>=2").pins(url(A), "b") == {"a": "1", "b": "1"}


def test_a_package_may_require_by_url_what_the_user_gave_by_url() -> None:
    shelf = Shelf("a-1", f"b-2 : {url(A, '', 'elsewhere.example')}", "b-1")
    assert shelf.pins(url(A), "b") == {"a": "1", "b": "2"}
    assert shelf.pins("b") == {"b": "1"}


def test_a_direct_url_may_be_a_pre_release_or_carry_extras() -> None:
    shelf = Shelf(release("a-2rc1 : b; extra == 'x'", extras=["x"]), "b-1")
    wanted = f"a[x] @ https://files.example/a-2rc1-py3-none-any.whl#sha256={ZEROS}"
    assert shelf.pins(wanted) == {"a": "2rc1", "b": "1"}


def test_a_direct_wheel_that_does_not_fit_the_target_is_refused_with_its_line() -> None:
    wanted = url("a-1-cp313-cp313-manylinux_2_17_aarch64.whl")
    assert Shelf("a-1-cp313-cp313-manylinux_2_17_aarch64").pins(
        wanted, target=Target.parse("3.13", "arm64")
    ) == {"a": "1"}
    with pytest.raises(NoSolutionError, match=r"^requirements.txt, line 1: a-1-cp313.* no Linux wheel for"):
        Shelf().resolve(wanted)


def test_two_urls_for_one_package_are_refused() -> None:
    with pytest.raises(RequirementError, match="line 2: a is asked for from two URLs"):
        Shelf().resolve(url(A), url(A, host="elsewhere.example"))
    assert Shelf("a-1").pins(url(A), url(A)) == {"a": "1"}


def test_urls_for_other_platforms_do_not_count() -> None:
    machines = [
        f"{url(f'a-1-cp313-cp313-manylinux_2_17_{machine}.whl')} ; platform_machine == '{machine}'"
        for machine in ("x86_64", "aarch64")
    ]
    shelf = Shelf("a-1-cp313-cp313-manylinux_2_17_x86_64", "a-1-cp313-cp313-manylinux_2_17_aarch64")
    for architecture, machine in (("x86_64", "x86_64"), ("arm64", "aarch64")):
        (pin,) = shelf.resolve(*machines, target=Target.parse("3.13", architecture)).lock.pins
        assert pin.filename.endswith(f"{machine}.whl")


def test_urls_for_other_platforms_are_not_downloaded(tmp_path: Path) -> None:
    tags = [f"cp313-cp313-manylinux_2_17_{machine}" for machine in ("x86_64", "aarch64")]
    wheels = [WheelDraft(name="a", tag=tag) for tag in tags]
    with LocalIndex(wheels=wheels) as index, open_sources(cache_dir=tmp_path) as sources:
        lines = [
            f"a @ {index.url}/files/{wheel.filename} ; platform_machine == '{wheel.tag[-len(machine) :]}'"
            for wheel, machine in zip(wheels, ("x86_64", "aarch64"), strict=True)
        ]
        recipe = Recipe(name="a", requirements=RequirementsInput.of(lines))
        (pin,) = lock(recipe, Target.parse("3.13", "arm64"), sources=sources).lock.pins
        assert pin.sha256 == sha256(wheels[1].packed())
        assert index.count("/files/a-1.0-cp313-cp313-manylinux_2_17_x86_64") == 0


def test_only_wheels_with_a_given_hash_are_taken() -> None:
    shelf = Shelf("a-2", "a-1")
    assert shelf.pins(hashed("a", A)) == {"a": "1"}
    assert shelf.pins(hashed("a", A, "a-2-py3-none-any.whl")) == {"a": "2"}


@pytest.mark.parametrize("tag", ["py3-none-any", "cp313-cp313-manylinux_2_17_x86_64"])
def test_hashes_that_no_wheel_has_are_said_to_be_the_reason(tag: str) -> None:
    with pytest.raises(NoSolutionError, match="a 1: no wheel that the hashes given allow") as caught:
        Shelf(f"a-1-{tag}").resolve(f"a --hash=sha256:{ZEROS}", targets=[Target.parse("3.12")])
    assert caught.value.hint == "compare the hashes given for a with those of the index"


@pytest.mark.parametrize(
    ("wanted", "how", "without"),
    [
        ([hashed("a", A)], {}, "b"),
        ([hashed("a", A), "b"], {}, "b"),
        ([hashed("a", A), hashed("b", B)], {}, None),
        (["a"], {}, None),
        (["a"], {"require_hashes": True}, "a, b"),
        ([url(A)], {}, None),
        ([url(A)], {"require_hashes": True}, "b"),
        (["a"], {"constraints": [hashed("b", B)]}, None),
        ([hashed("a", A)], {"constraints": [hashed("b", B)]}, None),
        (["a", hashed("c; os_name == 'nt'", A)], {}, None),
    ],
)
def test_once_one_has_a_hash_all_must(wanted: list[str], how: dict[str, Any], without: str | None) -> None:
    shelf = Shelf("a-1 : b", "b-1")
    if without is None:
        assert set(shelf.pins(*wanted, **how)) == {"a", "b"}
    else:
        with pytest.raises(RequirementError, match=f"hashes are required, and these have none: {without}$"):
            shelf.resolve(*wanted, **how)


def test_all_lines_of_a_package_must_allow_its_hash() -> None:
    shelf = Shelf("a-2", "a-1")
    both = hashed("a", A, "a-2-py3-none-any.whl")
    assert shelf.pins(both, constraints=[hashed("a", A)]) == {"a": "1"}
    with pytest.raises(RequirementError, match="line 2: a has other hashes here"):
        shelf.resolve(hashed("a", A), hashed("a", "a-2-py3-none-any.whl"))


def test_hashes_of_lines_for_other_platforms_do_not_count() -> None:
    lines = [f"a; os_name == 'nt' --hash=sha256:{ZEROS}", hashed("a; os_name == 'posix'", A)]
    assert Shelf("a-1").pins(*lines) == {"a": "1"}


def test_a_marker_that_cannot_be_evaluated_is_refused_with_its_line() -> None:
    with pytest.raises(
        RequirementError, match=r"^requirements.txt, line 2: b: the marker cannot be evaluated"
    ):
        Shelf("a-1").resolve("a", "b; python_version ~= 'three'")


@pytest.mark.parametrize(
    ("wanted", "how"), [(["a; os_name == 'nt'"], {}), (["a"], {"exclude": ["*"]}), ([], {})]
)
def test_nothing_to_resolve_is_an_error(wanted: list[str], how: dict[str, Any]) -> None:
    with pytest.raises(RequirementError, match="nothing to resolve"):
        Shelf("a-1").resolve(*wanted, **how)


def test_a_url_with_credentials_is_shown_without_them() -> None:
    wanted = url(A, host="user:secret@files.example")
    shelf = Shelf(Release.of("a-1 : b"), "b-1 : a>1")
    with pytest.raises(NoSolutionError) as caught:
        shelf.resolve(wanted)
    assert "secret" not in caught.value.message
    assert "a 1 is what stands at the URL given" in caught.value.message
    lock = Shelf("a-1").resolve(wanted).lock
    assert lock.pins[0].url == f"https://user:secret@files.example/{A}"
    assert "secret" not in "".join(lock.requirements)
