from __future__ import annotations

import threading
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Literal

import pytest
from packaging.utils import canonicalize_name
from wheelhouse import RawMember, RawZip, WheelDraft, raw_deflate

from layercraft.errors import BadWheelError
from layercraft.events import Progress, SilentReporter
from layercraft.formats.zip_records import Member, read_members
from layercraft.wheels.inspection import Wheel
from layercraft.wheels.integrity import IN_PIECES, checked
from layercraft.wheels.wheel_file import opened

if TYPE_CHECKING:
    from pathlib import Path

LARGE = bytes(IN_PIECES + 1)


class Counting(SilentReporter):
    """Keeps the totals that were announced and the amounts that were told."""

    def __init__(self) -> None:
        self.total: int | None = 0
        self.amounts: list[int] = []

    def progress(
        self, label: str, total: int | None, unit: Literal["bytes", "items"]
    ) -> AbstractContextManager[Progress]:
        """Count, whoever asks."""
        assert (label, unit) == ("checking wheels", "bytes")
        self.total = total
        return nullcontext(self)

    def advance(self, amount: int) -> None:
        """Count what was told."""
        self.amounts.append(amount)


def wheel_of(path: Path, data: bytes) -> Wheel:
    path.write_bytes(data)
    with opened(path, archive=path.name) as read_at:
        members = read_members(read_at, len(data), archive=path.name)
    return Wheel(
        path=path,
        filename=path.name,
        name=canonicalize_name("demo"),
        version="1.0",
        sha256="",
        members=members,
        texts={},
    )


def broken(name: bytes, data: bytes, packed: bytes, method: int = 8) -> bytes:
    """Give a zip in which `name` should hold `data` and holds `packed`."""
    fields = {"packed_size": len(packed)}
    liar = RawMember(name=name, data=data, method=method, packed=packed, local=fields, central=fields)
    return RawZip(members=[RawMember(name=b"a.py"), liar, RawMember(name=b"b.py")]).packed()


def test_wheels_come_in_their_order_and_every_plain_byte_is_told(tmp_path: Path) -> None:
    drafts = [
        WheelDraft(name=f"demo{number}", files={f"m{file}.py": bytes(file) for file in range(200)})
        for number in range(3)
    ]
    wheels = [wheel_of(tmp_path / draft.filename, draft.packed()) for draft in drafts]
    reporter = Counting()

    assert list(checked(wheels, reporter=reporter)) == wheels
    assert sum(reporter.amounts) == reporter.total
    assert reporter.total == sum(member.size for wheel in wheels for member in wheel.members)


def test_a_visitor_sees_the_bytes_of_every_member_once(tmp_path: Path) -> None:
    draft = WheelDraft(name="demo", files={"a.py": b"a" * 100, "empty": b"", "c.bin": b"c"}, stored=["c.bin"])
    wheel = wheel_of(tmp_path / draft.filename, draft.packed())
    seen: dict[str, bytes] = {}

    def visit(wheel: Wheel, member: Member, data: bytes | bytearray | memoryview) -> None:
        assert wheel.filename == draft.filename
        assert member.name not in seen
        seen[member.name] = bytes(data)

    list(checked([wheel], visit=visit))

    assert seen == draft.contents()


def test_large_members_go_through_memory_in_pieces(tmp_path: Path) -> None:
    draft = WheelDraft(name="demo", files={"large.bin": LARGE, "raw.bin": LARGE}, stored=["raw.bin"])
    wheel = wheel_of(tmp_path / draft.filename, draft.packed())
    seen: list[str] = []

    assert list(checked([wheel], visit=lambda _, member, __: seen.append(member.name))) == [wheel]
    assert seen
    assert not {"large.bin", "raw.bin"} & set(seen)


@pytest.mark.parametrize(
    ("zipped", "why"),
    [
        (broken(b"evil.py", b"aa", raw_deflate(b"ab")), "CRC"),
        (broken(b"evil.py", b"aa", raw_deflate(b"aaa")), "more than the 2 bytes"),
        (broken(b"evil.py", b"aa", raw_deflate(b"a")), "inflates to 1 bytes"),
        (broken(b"evil.py", b"aa", raw_deflate(b"aa")[:-1]), "cut short"),
        (broken(b"evil.py", b"aa", raw_deflate(b"aa") + b"x"), "bytes follow"),
        (broken(b"evil.py", b"aa", b"\xff\xff"), "broken"),
        (broken(b"evil.py", b"aa", b"ab", method=0), "CRC"),
        (broken(b"evil.bin", LARGE, raw_deflate(b"x" + LARGE[1:])), "CRC"),
        (broken(b"evil.bin", LARGE, b"x" + LARGE[1:], method=0), "CRC"),
        (broken(b"evil.bin", LARGE, raw_deflate(LARGE + b"x")), "more than the 16777217 bytes"),
        (broken(b"evil.bin", LARGE, raw_deflate(LARGE)[:-1]), "cut short"),
    ],
)
def test_a_broken_member_is_refused_with_wheel_and_name(tmp_path: Path, zipped: bytes, why: str) -> None:
    wheel = wheel_of(tmp_path / "demo.whl", zipped)

    with pytest.raises(BadWheelError, match=rf"^demo.whl: evil.(py|bin): .*{why}"):
        list(checked([wheel]))


def test_of_several_broken_wheels_the_first_is_named(tmp_path: Path) -> None:
    zipped = broken(b"evil.py", b"aa", raw_deflate(b"ab"))
    wheels = [wheel_of(tmp_path / f"demo{number}.whl", zipped) for number in range(9)]

    for _ in range(5):
        with pytest.raises(BadWheelError, match=r"^demo0.whl"):
            list(checked(wheels))


def test_wheels_before_a_broken_one_have_passed(tmp_path: Path) -> None:
    draft = WheelDraft(name="demo")
    good = wheel_of(tmp_path / draft.filename, draft.packed())
    bad = wheel_of(tmp_path / "bad.whl", broken(b"evil.py", b"aa", raw_deflate(b"ab")))
    passed = checked([good, bad])

    assert next(passed) == good
    with pytest.raises(BadWheelError):
        next(passed)


def test_threads_are_gone_when_the_check_is_over(tmp_path: Path) -> None:
    draft = WheelDraft(name="demo")
    wheel = wheel_of(tmp_path / draft.filename, draft.packed())
    before = threading.active_count()

    list(checked([wheel]))

    assert threading.active_count() == before


def test_a_wheel_that_vanished_is_refused(tmp_path: Path) -> None:
    draft = WheelDraft(name="demo")
    wheel = wheel_of(tmp_path / draft.filename, draft.packed())
    wheel.path.unlink()

    with pytest.raises(BadWheelError, match=r"demo-1.0-py3-none-any.whl: .* cannot be read: no such file"):
        list(checked([wheel]))
