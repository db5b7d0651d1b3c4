from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from layer_zips import PACKAGE, TARGET, LayerDraft, distribution
from wheelhouse import RawMember, RawZip

from layercraft.errors import UsageError
from layercraft.events import SILENT
from layercraft.verification.layer import LayerUnderTest, read_layer
from layercraft.verification.report import KINDS
from layercraft.verification.static import static

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from layercraft.verification.report import Finding

DEMO = distribution("demo", "1.0", {"demo/__init__.py": b"", "demo/data/A.txt": b"", "demo/data/a.txt": b""})
PIN = ("demo", "1.0", "ab" * 32)


def only(folder: Path, draft: LayerDraft) -> Finding:
    (finding,) = draft.outcome(folder).findings
    assert finding.kind in KINDS
    assert finding.engine == "static"
    return finding


def test_a_good_layer_passes_and_tells_what_was_looked_at(tmp_path: Path) -> None:
    outcome = LayerDraft(files=DEMO, pins=[PIN]).outcome(tmp_path)

    assert (outcome.findings, outcome.unchecked, outcome.imports) == ((), (), ())
    assert outcome.checked == (
        "6 files: size, folders, modes",
        "0 compiled files: machine, ABI, segments, needed libraries, symbol versions up to glibc 2.34",
        "0 removed files: whether anything imports them",
        "1 distributions: metadata",
    )
    assert not outcome.ran_imports


def test_nothing_is_left_on_disk(tmp_path: Path) -> None:
    LayerDraft(files=DEMO).outcome(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["demo.zip"]


def test_what_is_no_zip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "demo.zip"
    path.write_bytes(b"no zip at all")

    with pytest.raises(UsageError, match="cannot be read as a layer's zip"):
        static(LayerUnderTest(zip=path, target=TARGET), None, SILENT)


def without(*names: str) -> Mapping[str, bytes]:
    return {path: data for path, data in DEMO.items() if path.rpartition("/")[2] not in names}


def test_metadata_that_is_gone_is_missed_and_told_by_whom(tmp_path: Path) -> None:
    info = "python/demo-1.0.dist-info"
    files = without("METADATA", "RECORD", "WHEEL")
    removed = {"*.dist-info/": [f"{info}/{name}" for name in ("METADATA", "RECORD", "WHEEL")]}

    finding = only(tmp_path, LayerDraft(files=files, removed=removed, pins=[PIN]))

    assert (finding.kind, finding.subject) == ("metadata-missing", "demo")
    assert finding.cause == "importlib.metadata will not find it"
    assert finding.blame == "removed by rule *.dist-info/ of layers/demo/layer.toml"


def test_a_folder_without_metadata_is_a_distribution_without_a_version(tmp_path: Path) -> None:
    """Expected or not: importlib.metadata lists it, and its version is None."""
    finding = only(tmp_path, LayerDraft(files=without("METADATA")))

    assert (finding.kind, finding.subject) == ("metadata-missing", "demo")
    assert "its version will be None" in finding.cause


def test_an_empty_folder_is_one_too(tmp_path: Path) -> None:
    folder = "python/other-2.0.dist-info/"
    draft = LayerDraft(files={**DEMO, folder: b""}, modes={folder: 0o40755})

    assert only(tmp_path, draft).subject == "other"


def test_another_version_than_the_pinned_one_is_found(tmp_path: Path) -> None:
    finding = only(tmp_path, LayerDraft(files=DEMO, pins=[("demo", "1.1", "ab" * 32)]))

    assert finding.kind == "metadata-version"
    assert finding.cause == "importlib.metadata will say 1.0, and 1.1 went into the layer"


def test_versions_are_the_same_however_they_are_written(tmp_path: Path) -> None:
    outcome = LayerDraft(files=DEMO, pins=[("demo", "1.0.0", "ab" * 32)]).outcome(tmp_path)

    assert outcome.findings == ()


def test_metadata_in_the_folder_of_a_version_is_found(tmp_path: Path) -> None:
    files = {
        path.replace("python/", "python/lib/python3.12/site-packages/", 1): data
        for path, data in DEMO.items()
    }

    assert LayerDraft(files=files, pins=[PIN]).outcome(tmp_path).findings == ()


def test_a_layer_without_any_metadata_is_told(tmp_path: Path) -> None:
    (each,) = LayerDraft(files=PACKAGE).outcome(tmp_path).unchecked

    assert each.subject == "demo.zip"
    assert "which distributions it should have" in each.why


def sdk(*names: str) -> dict[str, bytes]:
    return {f"python/{name}/__init__.py": b"" for name in names} | DEMO


@pytest.mark.parametrize(
    ("names", "rest"),
    [
        (["boto3", "s3transfer"], "botocore"),
        (["botocore"], "boto3 and s3transfer"),
        (["boto3", "botocore"], "s3transfer"),
    ],
)
def test_a_part_of_the_sdk_is_found(tmp_path: Path, names: list[str], rest: str) -> None:
    finding = only(tmp_path, LayerDraft(files=sdk(*names)))

    assert (finding.kind, finding.subject) == ("partial-runtime-sdk", " and ".join(names))
    assert finding.cause == f"it would run with {rest} of python3.12, of another release"


@pytest.mark.parametrize("names", [["boto3", "botocore", "s3transfer"], [], ["urllib3", "six", "dateutil"]])
def test_the_whole_sdk_or_none_of_it_is_fine(tmp_path: Path, names: list[str]) -> None:
    assert LayerDraft(files=sdk(*names)).outcome(tmp_path).findings == ()


def test_files_that_others_may_not_read_are_found_once(tmp_path: Path) -> None:
    finding = only(tmp_path, LayerDraft(files=DEMO, modes=dict.fromkeys(DEMO, 0o100600)))

    assert finding.kind == "bad-mode"
    assert finding.cause.startswith("its mode is 0600")
    assert finding.cause.endswith("and 2 more")


def test_folders_that_others_may_not_enter_are_found(tmp_path: Path) -> None:
    draft = LayerDraft(files={"python/demo/": b"", **DEMO}, modes={"python/demo/": 0o40744})

    assert only(tmp_path, draft).subject == "python/demo"


@pytest.mark.parametrize("mode", [0o100644, 0o100755, 0o100444, 0o100666])
def test_other_modes_are_fine(tmp_path: Path, mode: int) -> None:
    assert LayerDraft(files=DEMO, modes=dict.fromkeys(DEMO, mode)).outcome(tmp_path).findings == ()


def test_a_zip_that_tells_no_modes_is_fine(tmp_path: Path) -> None:
    path = tmp_path / "demo.zip"
    members = [
        RawMember(name=name.encode(), data=data, central={"external": 0}) for name, data in DEMO.items()
    ]
    path.write_bytes(RawZip(members=members).packed())

    assert static(read_layer(path, TARGET), None, SILENT).findings == ()


@pytest.mark.parametrize(
    ("prefix", "new", "why"),
    [
        ("python/", "", "no folder python/ at its top"),
        ("python/", "layer/python/", "everything lies in layer/"),
        ("python/", "python/python/", "one folder too deep"),
        ("python/", "python/lib/python3.11/site-packages/", "python/lib/python3.12/site-packages"),
    ],
)
def test_files_in_the_wrong_place_are_found(tmp_path: Path, prefix: str, new: str, why: str) -> None:
    files = {path.replace(prefix, new, 1): data for path, data in DEMO.items()}

    finding = only(tmp_path, LayerDraft(files=files))

    assert finding.kind == "wrong-layout"
    assert why in finding.cause


@pytest.mark.parametrize("path", ["lib/libdemo.so.1", "bin/tool"])
def test_a_layer_of_libraries_or_programs_is_fine(tmp_path: Path, path: str) -> None:
    assert LayerDraft(files={path: b""}).outcome(tmp_path).findings == ()


def test_a_layer_over_the_limit_is_found(tmp_path: Path) -> None:
    path = tmp_path / "demo.zip"
    packed = bytes(300_000)
    size = {"size": 262_144_001, "packed_size": len(packed)}
    large = RawMember(name=b"python/large.bin", packed=packed, central=size)
    path.write_bytes(RawZip(members=[large]).packed())

    (finding,) = static(read_layer(path, TARGET), None, SILENT).findings

    assert finding.kind == "too-large"
    assert finding.cause == "unzipped it has 262,144,001 bytes, and Lambda takes 262,144,000"
