"""Tests of what a mistyped name is taken for."""

from __future__ import annotations

from layercraft.spelling import nearest, suggestion

KNOWN = ["xgboost", "sklearn"]


def test_the_nearest_name_is_found_whatever_its_case() -> None:
    assert nearest("Sklearm", KNOWN) == "sklearn"
    assert nearest("tensorflow", KNOWN) is None


def test_a_suggestion_ends_a_message_or_is_nothing() -> None:
    assert suggestion("xgbost", KNOWN) == "; did you mean xgboost?"
    assert suggestion("tensorflow", KNOWN) == ""
