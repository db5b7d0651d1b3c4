from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wheelhouse import WheelDraft

from layercraft.errors import BadWheelError
from layercraft.formats.record_file import Recorded, read_record, write_record

RECORD = b"""demo/__init__.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0
"demo/a, b.py",sha256=x,12
demo-1.0.dist-info/RECORD,,
"""


def test_a_record_tells_hash_and_size_of_each_path_in_its_order() -> None:
    files = read_record(RECORD, archive="demo.whl")

    assert list(files) == ["demo/__init__.py", "demo/a, b.py", "demo-1.0.dist-info/RECORD"]
    assert files["demo/__init__.py"] == Recorded.of(b"")
    assert files["demo/a, b.py"] == Recorded(hash="sha256=x", size=12)
    assert files["demo-1.0.dist-info/RECORD"] == Recorded()


def test_what_was_read_is_written_back_as_it_was() -> None:
    assert write_record(read_record(RECORD, archive="demo.whl")) == RECORD


def test_line_ends_of_every_system_are_read() -> None:
    windows = RECORD.replace(b"\n", b"\r\n") + b"\r\n"

    assert read_record(windows, archive="demo.whl") == read_record(RECORD, archive="demo.whl")


def test_lines_that_tell_less_are_read_as_far_as_they_go() -> None:
    assert read_record(b"a.py\nb.py,md5=x\n", archive="demo.whl") == {
        "a.py": Recorded(),
        "b.py": Recorded(hash="md5=x"),
    }


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
        st.builds(Recorded, hash=st.sampled_from(["", "sha256=abc"]), size=st.none() | st.integers(0, 2**40)),
    )
)
def test_any_paths_come_back(files: dict[str, Recorded]) -> None:
    assert read_record(write_record(files), archive="demo.whl") == files


def test_the_record_of_a_made_wheel_tells_the_truth() -> None:
    contents = WheelDraft(name="demo", data={"scripts/run": b"#!python\n"}).contents()

    recorded = read_record(contents["demo-1.0.dist-info/RECORD"], archive="demo.whl")

    assert recorded.pop("demo-1.0.dist-info/RECORD") == Recorded()
    assert recorded == {
        path: Recorded.of(data) for path, data in contents.items() if not path.endswith("RECORD")
    }


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"a\xff.py,,\n", "cannot be read"),
        (b'"a.py,,\n', "cannot be read"),
        (b"a.py,sha256=x,1,2\n", "'a.py' has 4 columns"),
        (b"a.py,sha256=x,many\n", "size of 'a.py' is no number: 'many'"),
        (b"a.py,sha256=x,-1\n", "size of 'a.py' is no number"),
        ("a.py,sha256=x,\u00b2\n".encode(), "size of 'a.py' is no number"),
        (b"a.py,sha256=x," + b"9" * 5000 + b"\n", "size of 'a.py' is no number"),
    ],
)
def test_a_broken_record_is_refused_with_wheel_and_line(text: bytes, why: str) -> None:
    with pytest.raises(BadWheelError, match=f"^demo.whl: RECORD.*{why}"):
        read_record(text, archive="demo.whl")


@given(st.binary())
def test_any_bytes_are_read_or_refused(text: bytes) -> None:
    try:
        read_record(text, archive="demo.whl")
    except BadWheelError as error:
        assert str(error).startswith("demo.whl: RECORD")  # noqa: PT017 (any bytes may also be fine)
