"""Words of strangers in a report: short, on one line, and nothing but words."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from layercraft.verification.quotation import beginning, last_line, one_line


@given(st.text(st.characters(), max_size=2000))
def test_whatever_is_said_fits_on_a_line_of_a_terminal_and_into_json(text: str) -> None:
    for line in (one_line(text), beginning(text), last_line(text)):
        assert line.isprintable()
        assert json.loads(json.dumps(line).encode("utf-8")) == line
        line.encode("utf-8")
    assert len(beginning(text)) <= 300
    assert len(last_line(text)) <= 310


def test_what_a_terminal_would_obey_is_taken_out() -> None:
    assert one_line("\x1b[2J\x1b]0;title\x07red\r\nnext\u202eline\ud800") == "[2J ]0;title red next line"


def test_of_a_long_text_the_begin_is_kept_and_of_a_long_line_the_end() -> None:
    assert beginning("word " * 100).endswith("word word [...]")
    assert beginning("word " * 100).startswith("word word ")
    assert last_line("first\n" + "word " * 100 + "end\n\n").startswith("[...] ")
    assert last_line("first\n" + "word " * 100 + "end\n \n").endswith(" word end")


def test_of_nothing_nothing_is_said() -> None:
    assert (one_line(""), beginning(""), last_line("\n \n")) == ("", "", "")
