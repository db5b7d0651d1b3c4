from __future__ import annotations

import json
import string
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from published_layers import built, draft

from layercraft.aws.layer_version import described
from layercraft.recipe.layer_toml import DESCRIPTION_LIMIT

if TYPE_CHECKING:
    from command_line import CommandLine

SHA256 = "ab" * 32


def test_a_description_tells_packages_and_digest() -> None:
    assert (
        described(["numpy 2.5.5", "pandas 3.1.1"], SHA256)
        == f"numpy 2.5.5, pandas 3.1.1; sha256 {SHA256[:16]}"
    )
    assert described([], SHA256) == f"sha256 {SHA256[:16]}"


@given(st.lists(st.text(string.printable, min_size=1, max_size=300), max_size=60))
def test_a_description_fits_and_ends_with_the_digest(packages: list[str]) -> None:
    text = described(packages, SHA256)
    assert len(text) <= DESCRIPTION_LIMIT
    assert text.endswith(f"sha256 {SHA256[:16]}")


def test_what_has_no_room_is_counted() -> None:
    text = described([f"package-{number} 1.0" for number in range(40)], SHA256)
    assert text.startswith("package-0 1.0, package-1 1.0, ")
    assert " more; sha256" in text
    assert len(text) > DESCRIPTION_LIMIT - 20


def test_the_licence_is_the_recipes_where_it_names_one(layercraft: CommandLine) -> None:
    layercraft.write(
        {"layers/own/requirements.txt": "plain\n", "layers/own/layer.toml": 'license = "MIT-0"\n'}
    )
    layercraft.must("build", "own", "-r", "3.12")
    path = layercraft.outputs / "own_3_12_x86_64.zip"
    assert draft(path).license == "MIT-0"
    path.with_suffix(".json").unlink()
    assert draft(path).license == "LicenseRef-unknown"


def test_the_request_is_as_long_as_it_is_told(layercraft: CommandLine) -> None:
    import base64

    read = draft(built(layercraft, "plain"))
    body = {
        "Description": read.description,
        "Content": {"ZipFile": base64.b64encode(read.zip.read_bytes()).decode()},
        "CompatibleRuntimes": read.runtimes,
        "CompatibleArchitectures": read.architectures,
        "LicenseInfo": read.license,
    }
    assert len(json.dumps(body)) == read.request_size
