from __future__ import annotations

import ast
import os
import time
import warnings
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layercraft.formats.python_conditions import outcome
from layercraft.formats.python_imports import (
    Import,
    When,
    mentioned_modules,
    mentions,
    read_imports,
    resolve,
)
from layercraft.formats.python_source import UnreadableSourceError, logical_lines

VERSION = (3, 12)
Plain = tuple[int, str, tuple[str, ...]]


def imports(source: str) -> dict[str, When]:
    return {each.module: each.when for each in read_imports(source.encode(), VERSION)}


def modules(source: str) -> list[str]:
    return [each.module for each in read_imports(source.encode(), VERSION)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import a", [("a", ())]),
        ("import a.b.c as d, e . f", [("a.b.c", ()), ("e.f", ())]),
        ("from a.b import c, d as e", [("a.b", ("c", "d"))]),
        ("from . import a", [(".", ("a",))]),
        ("from .import a", [(".", ("a",))]),
        ("from ...a.b import (c,\n  d, # e\n)", [("...a.b", ("c", "d"))]),
        ("from .. a import(b)", [("..a", ("b",))]),
        ("from a import *", [("a", ("*",))]),
        ("from a \\\n  import b, \\\n c", [("a", ("b", "c"))]),
        ("import a; import b;", [("a", ()), ("b", ())]),
        ("if x: import a; import b", [("a", ()), ("b", ())]),
        ("\ufeffimport a\r\nimport b\rimport c", [("a", ()), ("b", ()), ("c", ())]),
        ("x = 'import a'\n'''\nimport b\n'''\n# import c\n", []),
        ("importa = imports = from_a = 1\nimport_ (a)", []),
        ("from importlib import import_module", [("importlib", ("import_module",))]),
    ],
)
def test_each_form_of_an_import_is_read(source: str, expected: list[tuple[str, tuple[str, ...]]]) -> None:
    found = read_imports(source.encode(), VERSION)

    assert [(each.module, each.names) for each in found] == expected


def test_lines_are_those_where_the_statement_begins() -> None:
    found = read_imports(b"'''\n\n'''\nfrom a import (\n b,\n)\n\nimport c\n", VERSION)

    assert found == (Import(4, "a", ("b",), When.ALWAYS), Import(8, "c", (), When.ALWAYS))


GUARDED = "try:\n    import a\nexcept {}:\n    {}\n"


@pytest.mark.parametrize(
    ("source", "when"),
    [
        ("import a", When.ALWAYS),
        ("class A:\n    import a", When.ALWAYS),
        ("with x:\n    import a", When.ALWAYS),
        ("with suppress(ImportError):\n    import a", When.GUARDED),
        ("with contextlib.suppress(KeyError, ModuleNotFoundError) as x:\n    import a", When.GUARDED),
        ("with suppress(KeyError):\n    import a", When.ALWAYS),
        ("def f():\n    import a", When.CALLED),
        ("async def f(): import a", When.CALLED),
        ("class A:\n    def f(self):\n        if x:\n            import a", When.CALLED),
        ("lazy import a", When.CALLED),
        ("lazy from a import b", When.CALLED),
        ("for x in y:\n    import a", When.PERHAPS),
        ("while x: import a", When.PERHAPS),
        ("match x:\n    case 1:\n        import a", When.PERHAPS),
        (GUARDED.format("ImportError", "pass"), When.GUARDED),
        (GUARDED.format("(KeyError, ImportError) as error", "a = None"), When.GUARDED),
        (GUARDED.format("KeyError, ImportError", "a = None"), When.GUARDED),
        (GUARDED.format("* ModuleNotFoundError", "pass"), When.GUARDED),
        (GUARDED.format("Exception", "pass"), When.GUARDED),
        (GUARDED.format("", "pass"), When.GUARDED),
        (GUARDED.format("ImportError as error", "raise ImportError('no') from error"), When.ALWAYS),
        (GUARDED.format("ImportError", "if x:\n        raise\n    a = None"), When.GUARDED),
        (GUARDED.format("(KeyError, OSError)", "pass"), When.ALWAYS),
        (GUARDED.format("errors_of_mine", "pass"), When.PERHAPS),
        ("try:\n    x\nexcept ImportError:\n    import a", When.PERHAPS),
        ("try:\n    x\nexcept ImportError:\n    pass\nelse:\n    import a", When.PERHAPS),
        ("try:\n    x\nfinally:\n    import a", When.ALWAYS),
        ("try:\n    import a\nfinally:\n    pass", When.ALWAYS),
        ("if TYPE_CHECKING:\n    import a", When.NEVER),
        ("if not typing.TYPE_CHECKING:\n    import a", When.ALWAYS),
        ("if TYPE_CHECKING:\n    import b\nelse:\n    import a", When.ALWAYS),
        ('if __name__ == "__main__":\n    import a', When.NEVER),
        ("if sys.version_info >= (3, 11): import a", When.ALWAYS),
        ("if sys.version_info < (3, 11): import a", When.NEVER),
        ("if sys.version_info < (3, 9):\n    x\nelif x:\n    import a", When.PERHAPS),
        ("if sys.version_info < (3, 9):\n    x\nelse:\n    import a", When.ALWAYS),
        ("if x:\n    y\nelse:\n    import a", When.PERHAPS),
        ("if x:\n    y\nelif True:\n    z\nelse:\n    import a", When.NEVER),
        ("for x in y:\n    z\nelse:\n    import a", When.PERHAPS),
    ],
)
def test_when_an_import_runs_is_told(source: str, when: When) -> None:
    assert imports(source)["a"] is when


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("sys.version_info >= (3, 12)", True),
        ("sys.version_info > (3, 12)", True),
        ("sys.version_info <= (3, 12)", False),
        ("sys.version_info == (3, 12)", False),
        ("sys.version_info[:2] == (3, 12)", True),
        ("(sys.version_info[:2] != (3, 12))", False),
        ("sys.version_info >= (3, 12, 4)", None),
        ("sys.version_info >= (3, 11, 4)", True),
        ("sys.version_info[0] == 2", False),
        ("version_info.major >= 3", True),
        ("sys.version_info.minor < 9", False),
        ("six.PY2", False),
        ("PY3 and not PY2", True),
        ('sys.platform == "win32"', False),
        ('sys.platform.startswith("linux")', True),
        ('os.name != "nt"', True),
        ('platform.system() == "Darwin" or x', None),
        ('platform.system() == "Linux" or x', True),
        ("x and TYPE_CHECKING", False),
        ("not not TYPE_CHECKING", False),
        ("x", None),
        ("not x", None),
        ("not " * 50 + "False", False),
        ("sys.version_info >= (" + "9" * 5000 + ",)", None),
        ("x" * 10_000, None),
    ],
)
def test_conditions_end_as_they_do_on_lambda(condition: str, *, expected: bool | None) -> None:
    assert outcome(condition, VERSION) is expected


@pytest.mark.parametrize(
    "source",
    [
        "type A[T] = list[T]\n",
        "def f[T: (int, str) = int](x: T) -> T:\n    return x\n",
        "class A[*Ts, **P]: pass\n",
        "x = f'{a[\"(\"]} {b['{']} {'#'}'\n",
        'x = f"{f"{f"{1 + 1}"}"}"\n',
        "x = f'''{\n    a  # it's a comment\n    + b['''c''']\n}'''\n",
        "x = f'{x!r:{width}.{len('''a''')}}'\n",
        "x = rf'\\{x}\\\\' f'{{' F\"}}\"\n",
        "x = f'{(lambda y: y)(1):>{10}}' fR'{x:%H:%M \"}'\n",
        "x = f'\\N{LEFT CURLY BRACKET}'\n",
        "x = t'{name} \"{'nested'}\"'\n",
        "try:\n    x\nexcept A, B:\n    pass\n",
        "print 'a', \"b\"\nexec 'x' in y\nraise A, 'b'\n",
        "x = b'\\'' u\"\\\"\" '\\\\'\n",
        "x = '''a''' '''\\''' b''''  c'''\n",
    ],
)
def test_sources_of_any_python_are_read(source: str) -> None:
    assert modules(f"import before\n{source}from after import (\n    x\n)\n") == ["before", "after"]


@pytest.mark.parametrize("source", ["x = (", "x = '''a", "x = 'a\nb'", 'x = f"{a', 'f"{a:{b"', "x = [\n\n"])
def test_what_has_no_end_is_no_python(source: str) -> None:
    with pytest.raises(UnreadableSourceError, match=r"line 2: a (string|bracket) has no end"):
        read_imports(f"\n{source}".encode(), VERSION)


def test_sources_in_other_encodings_are_read() -> None:
    assert modules("# -*- coding: latin-1 -*-\nx = 'é'\nimport a") == ["a"]
    found = read_imports("# -*- coding: latin-1 -*-\nx = 'é'\nimport a".encode("latin-1"), VERSION)
    assert [each.module for each in found] == ["a"]


@given(st.text(alphabet=st.sampled_from("abif \n\t:;#'\"\\()[]{}=fr,.*import"), max_size=200))
def test_no_text_raises_anything_else(text: str) -> None:
    with suppress(UnreadableSourceError):
        read_imports(text.encode(), VERSION)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 100_000,
        "import " * 50_000,
        "f'{" * 30_000,
        "if a:" * 50_000,
        "\n".join(" " * depth + "if a:" for depth in range(2000)),
        "'" * 99_999,
        'f"{x:' * 20_000,
        "\\\n" * 100_000,
        "from a import (" * 20_000,
        "x = '" + "a" * 1_000_000 + "'\n" + "y = '''" + "\\'" * 300_000,
    ],
    ids=lambda text: text[:12],
)
def test_hostile_sources_end_soon(text: str) -> None:
    start = time.perf_counter()
    list(mentions(text.encode()))
    with suppress(UnreadableSourceError):
        read_imports(text.encode(), VERSION)

    assert time.perf_counter() - start < 2


def standard_library() -> list[Path]:
    folder = Path(os.__file__).parent
    return sorted([*folder.glob("*.py"), *folder.glob("asyncio/*.py"), *folder.glob("email/*.py")])


def read_by_ast(source: bytes) -> list[Plain]:
    found: list[Plain] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of invalid escapes, in what it reads
        tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name, ()) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = tuple(alias.name for alias in node.names)
            found.append((node.lineno, "." * node.level + (node.module or ""), names))
    return sorted(found)


def test_the_standard_library_reads_as_ast_reads_it() -> None:
    for path in standard_library():
        source = path.read_bytes()
        found = sorted((each.line, each.module, each.names) for each in read_imports(source, VERSION))
        assert found == read_by_ast(source), path.name


def test_no_import_goes_without_mention() -> None:
    for path in standard_library():
        source = path.read_bytes()
        texts = list(mentions(source))
        for each in read_imports(source, VERSION):
            words = [word for name in (each.module, *each.names) for word in name.split(".") if word]
            fits = [text for text in texts if all(word.encode() in text for word in words)]
            assert fits, (path.name, each)


def test_lines_join_where_python_joins_them() -> None:
    lines = [line.text for line in logical_lines("a = (1,\n  2)  # x\n\nb = 'x' + \\\n  \"y z\"\n")]

    assert lines == ["a = (1,   2)", 'b = "x" +    ""']


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"from a.b import c, d", ["a.b", "a.b.c", "a.b.d"]),
        (b"from . import a", [".", ".a"]),
        (b"from ..a \\\n import (b,\n c)", ["..a", "..a.b", "..a.c"]),
        (b"import a.b, c", ["a.b", "c"]),
    ],
)
def test_a_mention_tells_its_modules(text: bytes, expected: list[str]) -> None:
    assert list(mentioned_modules(text)) == expected


@pytest.mark.parametrize(
    ("module", "package", "expected"),
    [
        ("a.b", "x.y", "a.b"),
        (".", "x.y", "x.y"),
        (".a", "x.y", "x.y.a"),
        ("..a", "x.y", "x.a"),
        ("...a", "x.y", None),
        (".a", "", None),
    ],
)
def test_relative_imports_are_resolved(module: str, package: str, expected: str | None) -> None:
    assert resolve(module, package) == expected
