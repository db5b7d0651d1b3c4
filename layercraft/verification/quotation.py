"""What probed code, or its loader, said: as much of it as may stand in a report."""

from __future__ import annotations

_FEW_WORDS = 300  # characters
_MARGIN = 40
_GAP = "[...]"


def one_line(text: str) -> str:
    """Give a text as one line, with a space for each run of white space and of what cannot be printed.

    The layer's code chose the text: control characters would reach the terminal, lone surrogates
    would break the JSON.
    """
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


def beginning(text: str, most: int = _FEW_WORDS) -> str:
    """Give a text as one line of at most `most` characters; of a longer one the end is left out."""
    line = one_line(text)
    return line if len(line) <= most else f"{line[: most - _MARGIN].rstrip()} {_GAP}"


def last_line(output: str) -> str:
    """Give the last line that says something; of a long one the beginning is left out."""
    line = next(filter(None, map(one_line, reversed(output.splitlines()))), "")
    return line if len(line) <= _FEW_WORDS else f"{_GAP} {line[-_FEW_WORDS:].lstrip()}"
