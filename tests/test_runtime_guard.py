from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from packaging.version import Version
from probed_layers import HERE, PYTHON
from shelf import Shelf
from wheelhouse import WheelDraft

from layercraft.resolution.candidates import Candidate
from layercraft.resolution.index import IndexFile
from layercraft.resolution.runtime_guard import guard_runtime_packages
from layercraft.target import runtimes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from command_line import CommandLine
    from local_index import LocalIndex

    from layercraft.formats.core_metadata import CoreMetadata
    from layercraft.resolution.left_out import Guarded
    from layercraft.resolution.pins import Pin
    from layercraft.target import Runtime

SDK = (
    "boto3-1.44.5 : botocore<1.45.0,>=1.44.5, jmespath<2.0.0,>=0.7.1, s3transfer<0.20.0,>=0.19.0",
    "botocore-1.44.5 : jmespath<2.0.0,>=0.7.1, python-dateutil<3.0.0,>=2.1, urllib3<3,>=1.25.4",
    "jmespath-1.1.0",
    "s3transfer-0.19.3 : botocore<2.0a.0,>=1.37.4",
    "python_dateutil-2.9.0.post0 : six>=1.5",
    "six-1.17.0",
    "urllib3-2.8.0",
)
LISTED = "boto3, botocore, jmespath, python-dateutil, s3transfer, six and urllib3"
NAMES = ["boto3", "botocore", "jmespath", "python-dateutil", "s3transfer", "six", "urllib3"]


def guarded(shelf: Shelf, *wanted: str, choice: str = "auto", constraints: Sequence[str] = ()) -> Guarded:
    """Lock what is wanted, and ask the guard."""
    lock = shelf.resolve(*wanted, constraints=constraints).lock

    def metadata(pin: Pin) -> CoreMetadata:
        file = IndexFile(filename=pin.filename, url="")
        return shelf.metadata(Candidate(name=pin.name, version=Version(pin.version), file=file, url=""))

    return guard_runtime_packages(lock, choice, metadata)


def names(found: Guarded) -> list[str]:
    return [each.pin.name for each in found.left_out]


def test_the_whole_set_is_left_to_the_runtime_when_it_comes_only_as_a_dependency() -> None:
    found = guarded(Shelf(*SDK, "a-1 : boto3>=1.20, urllib3>=1.26"), "a")
    assert names(found) == NAMES
    assert {each.why for each in found.left_out} == {"python3.13 brings it"}
    assert not found.told


def test_what_else_a_set_needs_stays() -> None:
    shelf = Shelf(*SDK, "a-1 : python-dateutil>=2.8.2, b", "b-1")
    assert names(guarded(shelf, "a")) == ["python-dateutil", "six"]


@pytest.mark.parametrize("asked", NAMES)
def test_one_that_is_asked_for_by_name_keeps_all(asked: str) -> None:
    found = guarded(Shelf(*SDK, "a-1 : boto3"), "a", asked)
    assert not found.left_out
    assert not found.told


@pytest.mark.parametrize(
    ("requires", "why"),
    [
        (
            "botocore<1.44.6,>=1.44.3",
            "a 1 requires botocore<1.44.6,>=1.44.3, and python3.13 may have 1.38.36",
        ),
        ("boto3>=1.40", "a 1 requires boto3>=1.40, and python3.13 may have 1.38.36"),
        ("urllib3>=2", "a 1 requires urllib3>=2, and python3.13 may have 1.26.20"),
        ("boto3<1.99", "a 1 requires boto3<1.99, and python3.13 may have 1.x"),
        ("six!=1.17.0; extra == 'more'", "a 1 requires six!=1.17.0, and python3.13 may have 1.17.0"),
    ],
    ids=["a narrow range", "a newer one", "a newer major", "an end that AWS may pass", "an extra"],
)
def test_one_requirement_that_the_runtime_may_not_satisfy_keeps_all(requires: str, why: str) -> None:
    shelf = Shelf(*(line for line in SDK if not line.startswith("six")), "six-1.18.0")
    extras = ["more"] if "extra" in requires else []
    a = Shelf(f"a-1 : boto3, six, {requires}").releases[0]
    found = guarded(Shelf(*shelf.releases, replace(a, extras=extras)), "a[more]" if extras else "a")
    assert found.left_out == ()
    assert found.told == (f"{LISTED} stay in the layer: {why}",)


def test_a_constraint_counts_like_a_requirement() -> None:
    found = guarded(Shelf(*SDK, "a-1 : urllib3"), "a", constraints=["urllib3>=2.6"])
    assert found.told == (
        "urllib3 stays in the layer: a constraint allows only urllib3>=2.6, and python3.13 may have 1.26.20",
    )


def test_a_requirement_for_other_targets_is_none() -> None:
    shelf = Shelf(*SDK, "a-1 : boto3, boto3<1.40; python_version < '3.9'")
    assert names(guarded(shelf, "a")) == NAMES


def test_the_choice_may_be_made_by_hand() -> None:
    shelf = Shelf(*SDK, "a-1 : boto3>=1.44", "simplejson-1")
    assert names(guarded(shelf, "a", "simplejson", choice="exclude")) == sorted([*NAMES, "simplejson"])
    assert guarded(shelf, "a", choice="include").left_out == ()


def test_a_lock_that_does_not_tell_what_was_asked_for_keeps_all() -> None:
    lock = replace(Shelf(*SDK).resolve("boto3").lock, requirements=())
    found = guard_runtime_packages(lock, "auto", lambda _: pytest.fail("not asked"))
    assert found.left_out == ()
    assert "the lock does not tell what was asked for by name" in found.told[0]


def test_nothing_is_read_where_nothing_is_in_question() -> None:
    lock = Shelf("a-1 : b", "b-1").resolve("a").lock
    assert guard_runtime_packages(lock, "auto", lambda _: pytest.fail("not asked")).left_out == ()


@pytest.mark.parametrize("runtime", runtimes(), ids=[each.name for each in runtimes()])
def test_versions_were_seen_of_all_that_belongs_together(runtime: Runtime) -> None:
    assert set(runtime.together) <= set(runtime.seen) <= set(runtime.packages)
    assert "simplejson" not in runtime.seen


def serve_sdk(index: LocalIndex, requires: str) -> None:
    for draft in (
        WheelDraft(name="boto3", version="1.44.5", requires=["botocore<1.45,>=1.44.5", "s3transfer"]),
        WheelDraft(name="botocore", version="1.44.5", requires=["python-dateutil"]),
        WheelDraft(name="s3transfer", version="0.19.3", requires=["botocore"]),
        WheelDraft(name="python-dateutil", version="2.9.0", files={"dateutil/__init__.py": b"x = 1\n"}),
        WheelDraft(name="wrangler", files={"wrangler.py": b"import boto3\n"}, requires=[requires]),
    ):
        index.add(draft)


def test_left_out_wheels_are_locked_but_neither_fetched_nor_laid_out(
    layercraft: CommandLine, index: LocalIndex
) -> None:
    serve_sdk(index, "boto3>=1.20")
    ran = layercraft.must("build", "--require", "wrangler", "--json")
    (layer,) = ran.document["layers"]
    assert [pin["name"] for pin in layer["build"]["pins"]] == ["wrangler"]
    left = layer["build"]["left_out"]
    assert [each["name"] for each in left] == ["boto3", "botocore", "python-dateutil", "s3transfer"]
    assert left[0]["packed"] == len(index.files["boto3-1.44.5-py3-none-any.whl"].data)
    assert {(each["guard"], each["why"]) for each in left} == {("runtime", "python3.13 brings it")}
    lock = (layercraft.outputs / "pylock.wrangler_3_13_x86_64.toml").read_text()
    assert all(f'name = "{name}"' in lock for name in ("boto3", "botocore", "python-dateutil", "s3transfer"))
    cached = {path.stem for path in (layercraft.cache / "wheels").rglob("*.whl")}
    assert cached == {index.files["wrangler-1.0-py3-none-any.whl"].sha256}


def test_the_lock_builds_the_same_layer_even_with_another_cache(
    layercraft: CommandLine, index: LocalIndex
) -> None:
    serve_sdk(index, "boto3>=1.20")
    first = layercraft.must("build", "--require", "wrangler", "--json")
    lock = layercraft.outputs / "pylock.wrangler_3_13_x86_64.toml"
    again = layercraft.must(
        "build", "--lock", lock, "-o", "again", "--json", LAYERCRAFT_CACHE_DIR=str(layercraft.folder / "cold")
    )
    digests = [ran.document["layers"][0]["build"]["zip"]["sha256"] for ran in (first, again)]
    assert digests[0] == digests[1]
    assert (layercraft.folder / "again" / lock.name).read_bytes() == lock.read_bytes()


def test_verify_runs_a_layer_with_what_it_leaves_to_the_runtime(
    layercraft: CommandLine, index: LocalIndex
) -> None:
    serve_sdk(index, "boto3>=1.20")
    target = ("-r", HERE.markers["python_version"], "-a", HERE.architecture)
    layercraft.must("build", "--require", "wrangler", *target)
    layer = next(layercraft.outputs.glob("*.zip"))
    verify = ("verify", layer, "--engine", "native", "--python", PYTHON)
    ran = layercraft.must(*verify)
    assert "put what the layer leaves to the runtime on sys.path" in ran.out
    without = layercraft(*verify, "--offline", LAYERCRAFT_CACHE_DIR=str(layercraft.folder / "empty"))
    assert without.code == 3
    assert "brings is not at hand" in without.err


def test_options_and_recipes_choose_for_themselves(layercraft: CommandLine, index: LocalIndex) -> None:
    serve_sdk(index, "boto3>=1.40")

    def built(*arguments: str) -> list[str]:
        (layer,) = layercraft.must("build", *arguments, "--json").document["layers"]
        return [pin["name"] for pin in layer["build"]["pins"]]

    everything = ["boto3", "botocore", "python-dateutil", "s3transfer", "wrangler"]
    assert built("--require", "wrangler") == everything
    assert built("--require", "wrangler", "--runtime-packages", "exclude") == ["wrangler"]
    layercraft.write(
        {"layers/w/requirements.txt": "wrangler\n", "layers/w/layer.toml": 'runtime-packages = "exclude"\n'}
    )
    assert built("w") == ["wrangler"]
    assert built("w", "--runtime-packages", "include") == everything


def test_an_unknown_choice_is_refused_with_the_nearest(layercraft: CommandLine) -> None:
    ran = layercraft("build", "--require", "plain", "--runtime-packages", "exlude")
    assert ran.code == 2
    assert ran.lines == [
        "error: --runtime-packages exlude: no such choice; did you mean exclude?",
        "hint: take auto, include, exclude",
    ]


def test_a_layer_without_anything_left_is_refused(layercraft: CommandLine, index: LocalIndex) -> None:
    serve_sdk(index, "boto3")
    ran = layercraft("build", "--require", "boto3", "--runtime-packages", "exclude")
    assert ran.code == 1
    assert ran.lines[0] == "error: nothing is left to go into the layer boto3 for python3.13 x86_64"
