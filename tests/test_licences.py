from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from layer_zips import LayerDraft, distribution
from packaging.licenses import canonicalize_license_expression

from layercraft.aws.licences import UNKNOWN, all_of, licence_of, read_licences

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("fields", "licence"),
    [
        ({"license-expression": ["mit OR apache-2.0"], "license": ["BSD"]}, "MIT OR Apache-2.0"),
        ({"license": ["BSD-3-Clause"]}, "BSD-3-Clause"),
        ({"license": ["Apache License 2.0"]}, "Apache-2.0"),
        ({"license": ["Copyright (c) 2020 Somebody, all rights reserved"]}, UNKNOWN),
        (
            {"license": ["see LICENSE"], "classifier": ["License :: OSI Approved :: MIT License"]},
            "MIT",
        ),
        (
            {
                "classifier": [
                    "Programming Language :: Python",
                    "License :: OSI Approved",
                    "License :: OSI Approved :: BSD License",
                    "License :: OSI Approved :: Apache Software License",
                ]
            },
            "Apache-2.0 OR LicenseRef-BSD",
        ),
        ({}, UNKNOWN),
    ],
)
def test_a_licence_is_told_in_terms_of_spdx(fields: dict[str, list[str]], licence: str) -> None:
    assert licence_of(fields) == licence


def test_a_layers_licences_are_those_of_its_distributions_each_once(tmp_path: Path) -> None:
    files: dict[str, bytes] = {}
    for name, licence in (
        ("a", "MIT AND BSD-3-Clause"),
        ("b", "MIT"),
        ("c", "MIT OR GPL-2.0-only"),
        ("d", ""),
    ):
        files |= distribution(name, "1", {f"{name}.py": b""})
        line = f"License-Expression: {licence}\n" if licence else ""
        files[f"python/{name}-1.dist-info/METADATA"] = f"Name: {name}\n{line}\nLicense: none".encode()
    licences = read_licences(LayerDraft(files=files).write(tmp_path))
    assert licences == ("BSD-3-Clause", "MIT", "MIT OR GPL-2.0-only", UNKNOWN)
    assert all_of(licences, 512) == f"BSD-3-Clause AND MIT AND (MIT OR GPL-2.0-only) AND {UNKNOWN}"


@pytest.mark.parametrize("limit", [18, 60, 200, 512])
def test_what_has_no_room_is_told_as_unknown_in_an_expression_that_holds(limit: int) -> None:
    licences = [f"LicenseRef-{number}" for number in range(100)]
    text = all_of(licences, limit)
    assert len(text) <= limit
    assert text.endswith(UNKNOWN)
    assert canonicalize_license_expression(text) == text


def test_no_distribution_is_no_licence() -> None:
    assert all_of([], 512) == ""
