from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from command_line import CommandLine


def test_rules_are_shown_with_their_globs_reasons_and_risks(layercraft: CommandLine) -> None:
    shown = layercraft.must("rules").out
    for text in ("none: every file", "safe: ", "small: ", "takes: __pycache__/  *.pyo", "why: ", "risk: "):
        assert text in shown
    assert max(map(len, shown.splitlines())) <= 110


def test_a_preset_is_shown_with_what_it_extends(layercraft: CommandLine) -> None:
    shown = layercraft.must("rules", "small").out
    assert shown.index("small: ") < shown.index("safe: ")
    assert "none: " not in shown
    assert "small: " not in layercraft.must("rules", "safe").out


def test_rules_are_a_document_for_programs(layercraft: CommandLine) -> None:
    small, safe = layercraft.must("rules", "small", "--json").document["presets"]
    assert (small["name"], small["extends"], safe["name"], safe["extends"]) == ("small", "safe", "safe", None)
    assert all({"name", "globs", "why", "risk"} <= rule.keys() for rule in small["rules"] + safe["rules"])


def test_an_unknown_preset_is_refused_with_the_nearest(layercraft: CommandLine) -> None:
    ran = layercraft("rules", "smal")
    assert ran.code == 2
    assert "unknown preset 'smal'; did you mean small?" in ran.err
