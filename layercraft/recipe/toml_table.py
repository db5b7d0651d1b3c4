"""A TOML table that is read key by key, and that remembers all that is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from layercraft.spelling import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Check = Callable[[str], str | None]
    """Gives what is wrong with a text, as a sentence's end after its key; None when it is right."""

_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "a boolean"),  # before int, of which it is one
    (str, "a string"),
    (int, "an integer"),
    (float, "a float"),
    (list, "a list"),
    (dict, "a table"),
)


class TomlTable:
    """A table of decoded TOML.

    Each key that is asked for is thereby known; a value of the wrong type counts as absent and becomes a
    problem, a line that begins with the key's whole path (`cleanup.remove[2]`).
    """

    def __init__(self, values: Mapping[str, object], *, path: str = "", parent: Self | None = None) -> None:
        self._values = values
        self._path = path
        self._tables: list[TomlTable] = []
        self._known: list[str] = parent._known if parent else []  # noqa: SLF001 (its own class)
        self.problems: list[str] = parent.problems if parent else []
        """All that was found wrong so far, in this table and in those around and below it."""

    def keys(self) -> tuple[str, ...]:
        """Give all keys, in the order of the file, of a table whose keys are the user's own."""
        return tuple(self._values)

    def string_or_table(self, key: str, check: Check, *, expected: str) -> str | TomlTable | None:
        """Give a string or a table; None when it is absent or wrong."""
        value = self._value(key)
        if isinstance(value, dict):
            return self.table(key)
        if value is None or isinstance(value, str):
            return self.string(key, check)
        self.refuse(key, f"expected {expected}, got {kind_of(value)}")
        return None

    def string(self, key: str, check: Check, *, required: bool = False) -> str | None:
        """Give a string; None when it is absent, which is a problem where it is required, or wrong."""
        if required and key not in self._values:
            self.refuse(key, "missing")
        return self._checked(self._value(key), self._full(key), check)

    def strings(self, key: str, check: Check) -> tuple[str, ...]:
        """Give a list of strings, without the wrong ones; empty when it is absent."""
        value, full = self._value(key), self._full(key)
        if value is None:
            return ()
        if not isinstance(value, list):
            self.refuse(key, f"expected a list of strings, got {kind_of(value)}")
            return ()
        checked = (self._checked(item, f"{full}[{place}]", check) for place, item in enumerate(value))
        return tuple(item for item in checked if item is not None)

    def boolean(self, key: str) -> bool | None:
        """Give a boolean; None when it is absent or wrong."""
        value = self._value(key)
        if value is None or isinstance(value, bool):
            return value
        self.refuse(key, f"expected a boolean, got {kind_of(value)}")
        return None

    def table(self, key: str) -> TomlTable:
        """Give the table at `key`; an empty one when it is absent or none."""
        value = self._value(key)
        if value is not None and not isinstance(value, dict):
            self.refuse(key, f"expected a table, [{key}], got {kind_of(value)}")
            value = None
        table = TomlTable(value or {}, path=self._full(key), parent=self)
        self._tables.append(table)
        return table

    def number(self, key: str, parse: Callable[[str], int], *, expected: str) -> int | None:
        """Give an integer, or what `parse` makes of a string; a ValueError of it becomes the problem."""
        value = self._value(key)
        if value is None or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        if not isinstance(value, str):
            self.refuse(key, f"expected {expected}, got {kind_of(value)}")
            return None
        try:
            return parse(value)
        except ValueError:
            self.refuse(key, f'expected {expected}, got "{value}"')
            return None

    def refuse(self, key: str, reason: str) -> None:
        """Add a problem with the value at `key`."""
        self.problems.append(f"{self._full(key)}: {reason}")

    def refuse_unknown(self) -> None:
        """Add a problem for each key, here and below, that was never asked for. To be called last."""
        for key in self._values:
            if self._full(key) not in self._known:
                self.refuse(key, f"unknown key; {self._advice(key)}")
        for table in self._tables:
            table.refuse_unknown()

    def _advice(self, key: str) -> str:
        """Say which key may be meant: one of this name elsewhere, else a mistyped one of this table."""
        parted = [known.rpartition(".") for known in self._known]
        elsewhere = ["".join(known) for known in parted if known[2] == key]
        beside = [known[2] for known in parted if known[0] == self._path]
        meant = elsewhere[0] if elsewhere else nearest(key, beside)
        if meant is None:
            return f"known: {', '.join(map(self._full, sorted(beside)))}"
        return f"did you mean {meant if elsewhere else self._full(meant)}?"

    def _full(self, key: str) -> str:
        return f"{self._path}.{key}" if self._path else key

    def _value(self, key: str) -> object:
        self._known.append(self._full(key))
        return self._values.get(key)

    def _checked(self, value: object, full: str, check: Check) -> str | None:
        if value is None:
            return None
        problem = check(value) if isinstance(value, str) else f"expected a string, got {kind_of(value)}"
        if problem is None and isinstance(value, str):
            return value
        self.problems.append(f"{full}: {problem}")
        return None


def kind_of(value: object) -> str:
    """Name a decoded value's TOML type for a message: "a boolean", "a list"."""
    return next((name for kind, name in _KINDS if isinstance(value, kind)), "a date or time")
