from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wheelhouse import RawMember, RawZip, WheelDraft, raw_deflate, sha256

from layercraft.errors import BadWheelError
from layercraft.formats.record_file import read_record
from layercraft.host.cache import Cache
from layercraft.wheels.inspection import Wheel, inspect, inspect_all

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def inspected(path: Path, cache: Cache, *, check: bool = True) -> Wheel:
    return inspect(path, path.name, sha256(path.read_bytes()), cache, check=check)


def broken_wheel(folder: Path) -> Path:
    """Write a wheel in which demo.py is not what its headers tell."""
    members = [
        RawMember(name=name.encode(), data=data) for name, data in WheelDraft(name="demo").contents().items()
    ]
    wrong = raw_deflate(members[0].data[::-1])
    fields = {"packed_size": len(wrong)}
    members[0] = RawMember(name=b"demo.py", packed=wrong, local=fields, central=fields)
    path = folder / "demo-1.0-py3-none-any.whl"
    path.write_bytes(RawZip(members=members).packed())
    return path


def test_a_wheel_tells_its_name_version_and_members(tmp_path: Path, cache: Cache) -> None:
    draft = WheelDraft(name="Zope.Interface", version="8.0.1", files={"zope/interface/__init__.py": b"x"})
    path = draft.write(tmp_path)

    wheel = inspected(path, cache)

    assert (wheel.name, wheel.version) == ("zope-interface", "8.0.1")
    assert (wheel.path, wheel.filename, wheel.sha256) == (path, path.name, sha256(path.read_bytes()))
    assert {member.name: member.size for member in wheel.members} == {
        name: len(data) for name, data in draft.contents().items()
    }


def test_name_and_version_come_from_the_file_name_on_the_index_not_from_the_path(
    tmp_path: Path, cache: Cache
) -> None:
    draft = WheelDraft(name="demo", version="2.0")
    path = draft.write(tmp_path).rename(tmp_path / "0123abcd.whl")

    wheel = inspect(path, draft.filename, sha256(draft.packed()), cache)

    assert (wheel.name, wheel.version) == ("demo", "2.0")


def test_texts_are_the_record_and_the_scripts_that_await_an_interpreter(tmp_path: Path, cache: Cache) -> None:
    scripts = {
        "scripts/run": b"#!python\nprint('hello')\n",
        "scripts/gui": b"#!pythonw\n",
        "scripts/shell": b"#!/bin/sh\n",
        "scripts/short": b"#!",
        "scripts/empty": b"",
        "scripts/program": b"\x7fELF" + bytes(10_000),
        "data/run": b"#!python\n",
    }
    draft = WheelDraft(name="demo", data=scripts, stored=["demo-1.0.data/scripts/gui"])

    wheel = inspected(draft.write(tmp_path), cache)

    assert wheel.texts == {
        "demo-1.0.data/scripts/run": scripts["scripts/run"],
        "demo-1.0.data/scripts/gui": scripts["scripts/gui"],
        "demo-1.0.dist-info/RECORD": draft.contents()["demo-1.0.dist-info/RECORD"],
    }
    recorded = read_record(wheel.texts["demo-1.0.dist-info/RECORD"], archive="demo")
    assert set(recorded) == {member.name for member in wheel.members}


def test_a_long_script_is_known_by_its_first_bytes(tmp_path: Path, cache: Cache) -> None:
    script = b"#!python\n" + b"".join(b"x%d = %d\n" % (n, n * n) for n in range(20_000))
    draft = WheelDraft(name="demo", data={"scripts/long": script})

    assert inspected(draft.write(tmp_path), cache).texts["demo-1.0.data/scripts/long"] == script


@pytest.mark.parametrize("folder", ["demo_pkg-1.0", "Demo.Pkg-1.0", "demo-pkg-1.0", "demo_pkg-1.0.0"])
def test_the_dist_info_folder_is_found_however_its_name_is_spelled(
    tmp_path: Path, cache: Cache, folder: str
) -> None:
    draft = WheelDraft(name="demo-pkg", dist_info=f"{folder}.dist-info")

    assert f"{folder}.dist-info/RECORD" in inspected(draft.write(tmp_path), cache).texts


def test_the_dist_info_of_vendored_distributions_is_not_the_wheels(tmp_path: Path, cache: Cache) -> None:
    vendored = {"demo/_vendor/six-1.0.dist-info/RECORD": b"", "six-1.0.dist-info/METADATA": b""}
    draft = WheelDraft(name="demo", files=vendored)

    assert list(inspected(draft.write(tmp_path), cache).texts) == ["demo-1.0.dist-info/RECORD"]


@pytest.mark.parametrize(
    ("draft", "why"),
    [
        (WheelDraft(name="demo", dist_info="other-1.0.dist-info"), "of demo, but other-1.0.dist-info"),
        (WheelDraft(name="demo", dist_info="demo-1.0.egg-info"), "of demo, but none"),
        (
            WheelDraft(name="demo", files={"demo-2.0.dist-info/RECORD": b""}),
            "but demo-1.0.dist-info, demo-2.0",
        ),
        (WheelDraft(name="demo", without=["RECORD"]), "demo-1.0.dist-info/RECORD missing"),
        (WheelDraft(name="demo", without=["WHEEL"]), "demo-1.0.dist-info/WHEEL missing"),
        (WheelDraft(name="demo", without=["METADATA", "WHEEL"]), "METADATA and .*WHEEL missing"),
    ],
)
def test_a_zip_that_is_no_wheel_is_refused_with_its_name(
    tmp_path: Path, cache: Cache, draft: WheelDraft, why: str
) -> None:
    with pytest.raises(BadWheelError, match=rf"^demo-1.0-py3-none-any.whl: .*{why}"):
        inspected(draft.write(tmp_path), cache)


@pytest.mark.parametrize("filename", ["demo.whl", "demo-1.0.tar.gz", "demo-one-py3-none-any.whl", ""])
def test_a_file_name_that_is_no_wheels_is_refused(tmp_path: Path, cache: Cache, filename: str) -> None:
    path = WheelDraft(name="demo").write(tmp_path)

    with pytest.raises(BadWheelError, match=f"^{filename}: no file name of a wheel"):
        inspect(path, filename, "0" * 64, cache)


def test_a_missing_file_is_refused(tmp_path: Path, cache: Cache) -> None:
    with pytest.raises(BadWheelError, match=r"^demo-1.0-py3-none-any.whl: .* cannot be read"):
        inspect(tmp_path / "none.whl", "demo-1.0-py3-none-any.whl", "0" * 64, cache)


def test_a_broken_member_is_refused_unless_the_check_is_left_out(tmp_path: Path, cache: Cache) -> None:
    path = broken_wheel(tmp_path)

    assert inspected(path, cache, check=False).name == "demo"
    with pytest.raises(BadWheelError, match=r"^demo-1.0-py3-none-any.whl: demo.py: .*CRC"):
        inspected(path, cache)
    assert cache.read("checked", sha256(path.read_bytes())) is None


def test_a_wheel_is_checked_once_for_its_sha256(tmp_path: Path, cache: Cache) -> None:
    good = WheelDraft(name="demo").packed()
    inspected(WheelDraft(name="demo").write(tmp_path), cache)

    # The broken twin under the good one's sha256 shows that its bytes are not looked at again.
    assert inspect(broken_wheel(tmp_path), "demo-1.0-py3-none-any.whl", sha256(good), cache).name == "demo"


def test_without_the_check_nothing_is_remembered(tmp_path: Path, cache: Cache) -> None:
    inspected(WheelDraft(name="demo").write(tmp_path), cache, check=False)

    assert not cache.root.exists()


def test_all_wheels_are_inspected_at_once_in_their_order(tmp_path: Path, cache: Cache) -> None:
    paths = [WheelDraft(name=name).write(tmp_path) for name in ("zeta", "alpha", "mid")]
    files = [(path, path.name, sha256(path.read_bytes())) for path in paths]

    assert [wheel.name for wheel in inspect_all(files, cache)] == ["zeta", "alpha", "mid"]
    assert all(cache.read("checked", digest) for _, _, digest in files)
    assert inspect_all([], cache) == ()


WHEEL = WheelDraft(
    name="demo", files={"demo/__init__.py": b"x = 1\n" * 30}, data={"scripts/run": b"#!python\n"}
).packed()


@settings(deadline=None)  # it writes files
@given(damage=st.dictionaries(st.integers(0, len(WHEEL) - 1), st.integers(0, 255), min_size=1, max_size=6))
def test_a_damaged_wheel_is_read_or_refused_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, damage: Mapping[int, int]
) -> None:
    data = bytearray(WHEEL)
    for position, value in damage.items():
        data[position] = value
    folder = tmp_path_factory.mktemp("damaged", numbered=True)
    path = folder / "demo-1.0-py3-none-any.whl"
    path.write_bytes(data)
    try:
        wheel = inspect(path, path.name, sha256(bytes(data)), Cache(folder / "cache"))
        assert wheel.name == "demo"
    except BadWheelError as error:
        assert str(error).startswith(path.name)  # noqa: PT017 (damage may also go unnoticed, in a date)
