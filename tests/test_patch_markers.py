from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from probed_layers import METADATA, zipped

from layercraft.formats.core_metadata import parse_core_metadata
from layercraft.target import Target
from layercraft.verification.patch_markers import patch_differences, read_metadata
from layercraft.verification.zip_contents import open_zip

if TYPE_CHECKING:
    from pathlib import Path

    from layercraft.verification.patch_markers import PatchDifference

TARGET = Target.parse("3.11")  # 3.11.18


def differences(*lines: str, here: str = "3.11.2") -> tuple[PatchDifference, ...]:
    """Give the differences of one distribution with these lines in its METADATA."""
    text = METADATA.format("redis", "8.1.0") + "".join(f"{line}\n" for line in lines)
    return patch_differences([parse_core_metadata(text.encode())], TARGET, here)


def test_a_dependency_that_only_an_old_patch_version_asks_for_is_told() -> None:
    (found,) = differences("Requires-Dist: async-timeout>=4; python_full_version < '3.11.3'")
    assert (found.name, found.version, found.dependency) == ("redis", "8.1.0", "async-timeout")
    assert found.why == (
        'redis 8.1.0 requires async-timeout if python_full_version < "3.11.3": '
        "true on Python 3.11.2 here, false on 3.11.18"
    )


@pytest.mark.parametrize(
    "line",
    [
        "Requires-Dist: async-timeout",
        "Requires-Dist: async-timeout; python_version < '3.12'",
        "Requires-Dist: async-timeout; python_full_version < '3.11.1'",
        "Requires-Dist: async-timeout; python_full_version < '3.11.3' and extra == 'x'",
        "Requires-Dist: async-timeout; python_full_version < 'three'; broken",
        "Requires-Python: >=3.8",
        "Requires-Python: words",
    ],
)
def test_what_is_the_same_on_both_is_no_difference(line: str) -> None:
    assert differences(line) == ()


def test_the_same_patch_version_makes_no_difference() -> None:
    line = "Requires-Dist: async-timeout; python_full_version < '3.11.3'"
    assert differences(line, here=TARGET.runtime.python_full_version) == ()


def test_a_distribution_that_refuses_this_python_is_told() -> None:
    (found,) = differences("Requires-Python: !=3.11.2,>=3.8")
    assert found.dependency == ""
    assert found.why == "redis 8.1.0 wants Python !=3.11.2,>=3.8, and Python 3.11.2 is here"


def test_metadata_are_read_from_the_zip_and_broken_ones_passed_over(tmp_path: Path) -> None:
    files = {
        "python/redis-8.1.0.dist-info/METADATA": METADATA.format("redis", "8.1.0"),
        "python/odd-1.0.dist-info/METADATA": "nothing",
        "python/redis/METADATA": "no metadata",
        "python/redis/_vendor/inner-1.0.dist-info/METADATA": METADATA.format("inner", "1.0"),
    }
    with open_zip(zipped(tmp_path / "layer.zip", files)) as contents:
        assert [each.name for each in read_metadata(contents)] == ["redis"]
