from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trees import inline, inline_tree

from layercraft.errors import OutputError, UsageError
from layercraft.layer.archive import write_zip
from layercraft.layer.change import Change, Reason
from layercraft.layer.record import (
    BuildRecord,
    RecordedChange,
    RecordedPin,
    RecordedTarget,
    RecordedZip,
    read_build_record,
    write_build_record,
)
from layercraft.layer.rules import Rule, clean
from layercraft.layer.zipped import ZippedSizes

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def record(tmp_path: Path) -> BuildRecord:
    tree = inline_tree({"python/a.py": b"1234", "python/a.pyi": b"56"}, owner="a")
    (change,) = clean(tree, [Rule.of_glob("*.pyi", source="layers/a/layer.toml")])
    archive = write_zip(change.tree, tmp_path / "a_3_13_arm64.zip")
    return BuildRecord(
        name="a",
        target=RecordedTarget(runtime="python3.13", architecture="arm64"),
        tool="0.1.0",
        inputs="00ff",
        pins=(RecordedPin(name="a", version="1.0", filename="a-1.0-py3-none-any.whl", sha256="ab"),),
        changes=(RecordedChange.of(change, ZippedSizes.of(change.tree, archive.members)),),
        zip=RecordedZip.of(archive),
        warnings=("mind the gap",),
    )


def test_a_record_tells_the_build_as_json(record: BuildRecord, tmp_path: Path) -> None:
    path = tmp_path / "new" / "a_3_13_arm64.json"
    write_build_record(record, path)
    told = json.loads(path.read_bytes())
    assert told["schema"] == 1
    assert told["target"] == {"runtime": "python3.13", "architecture": "arm64"}
    assert told["changes"] == [
        {
            "source": "layers/a/layer.toml",
            "rule": "*.pyi",
            "files": 1,
            "saved": 2,
            "saved_zipped": 2 + 76 + 2 * len("python/a.pyi"),
            "removed": ["python/a.pyi"],
        }
    ]
    assert told["zip"]["filename"] == "a_3_13_arm64.zip"
    assert (told["zip"]["unzipped"], told["zip"]["files"]) == (4, 1)
    assert told["zip"]["distributions"][0]["name"] == "a"
    assert str(tmp_path) not in path.read_text()


def test_a_record_is_read_as_it_was_written(record: BuildRecord, tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    write_build_record(record, path)
    assert read_build_record(path) == record


@given(warnings=st.lists(st.text()), saved=st.integers(-(2**62), 2**62))
def test_any_text_and_number_comes_back(
    warnings: list[str], saved: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    change = RecordedChange(source="", rule="", files=0, saved=saved)
    record = BuildRecord(
        name="",
        target=RecordedTarget(runtime="", architecture=""),
        tool="",
        inputs="",
        pins=(),
        changes=(change,),
        zip=RecordedZip(filename="", sha256="", size=0, unzipped=0, files=0, distributions=()),
        warnings=tuple(warnings),
    )
    path = tmp_path_factory.mktemp("record") / "record.json"
    write_build_record(record, path)
    assert read_build_record(path) == record


def test_added_files_count_as_negative_savings() -> None:
    tree = inline_tree({"a": b"1"})
    change = Change.between(tree, {**tree.entries, "b": inline("b", b"23")}, Reason(source="cleanup.sh"))
    recorded = RecordedChange.of(change, ZippedSizes(tree=tree, packed={}))
    assert (recorded.source, recorded.rule, recorded.files, recorded.saved) == ("cleanup.sh", "", 1, -2)
    assert recorded.saved_zipped == -2 - 76 - 2 * len("b")


def test_records_from_before_zipped_savings_were_told_are_still_read(
    record: BuildRecord, tmp_path: Path
) -> None:
    path = tmp_path / "record.json"
    write_build_record(record, path)
    told = json.loads(path.read_bytes())
    del told["changes"][0]["saved_zipped"]
    path.write_text(json.dumps(told))
    assert read_build_record(path).changes[0].saved_zipped is None


def test_unknown_keys_are_passed_over(record: BuildRecord, tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    write_build_record(record, path)
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "later": {"x": 1}}))
    assert read_build_record(path) == record


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "is no build record: "),
        ("[]", "is no build record: "),
        ("{}", "is no build record: it has no schema that is known"),
        ('{"schema": "1"}', "is no build record: it has no schema that is known"),
        ('{"schema": 2}', r"was written by a newer layercraft \(schema 2\)"),
        ('{"schema": 1, "name": "x"}', "is no build record: .*target"),
        ('{"schema": 1, "name": 5}', r"is no build record: .*\$\.name"),
    ],
)
def test_what_is_no_record_is_refused_with_its_path(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "record.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=complaint) as caught:
        read_build_record(path)
    assert caught.value.message.startswith(str(path))


def test_a_missing_record_and_an_unwritable_place_are_told(record: BuildRecord, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no\.json cannot be read: no such file"):
        read_build_record(tmp_path / "no.json")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="is a file, not a folder"):
        write_build_record(record, tmp_path / "file" / "record.json")


def test_the_old_record_stays_when_the_new_one_fails(record: BuildRecord, tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    write_build_record(record, path)
    broken = replace(record, warnings=(object(),))  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        write_build_record(broken, path)
    assert read_build_record(path) == record
