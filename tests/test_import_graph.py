"""Which suspected files other modules need, by their sources alone."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import pytest
from trees import TARGET, inline_tree

from layercraft.host.cache import Cache
from layercraft.layer.import_graph import needed_files

if TYPE_CHECKING:
    from pathlib import Path

    from layercraft.layer.tree import Tree

SUITE = {
    "a/__init__.py": b"",
    "a/tests/__init__.py": b"",
    "a/tests/helper.py": b"from . import deeper",
    "a/tests/deeper.py": b"",
    "a/tests/test_x.py": b"from a.tests import helper",
    "a/tests/data/x.csv": b"",
}
HELPER = ["a/tests/__init__.py", "a/tests/deeper.py", "a/tests/helper.py"]
ALL = sorted(path for path in SUITE if path.startswith("a/tests/"))


def layer(files: dict[str, bytes]) -> Tree:
    return inline_tree({f"python/{path}": data for path, data in files.items()})


def needed(files: dict[str, bytes], *, cache: Cache | None = None, below: str = "a/tests/") -> list[str]:
    tree = layer(files)
    suspects = {path for path in tree.entries if path.startswith(f"python/{below}")}
    found = needed_files(tree, suspects, target=TARGET, cache=cache)
    return sorted(path.removeprefix("python/") for path in found)


@pytest.mark.parametrize(
    "source",
    [
        b"import a.tests.helper",
        b"import os, a.tests.helper as h",
        b"from a.tests import helper",
        b"from a.tests.helper import something",
        b"from .tests import helper",
        b"from .tests import (  # tests\n    other,\n    helper,\n)",
        b"from . \\\n  tests import helper",
        b"try:\n    from a.tests import helper\nexcept ImportError:\n    helper = None",
        b"import sys\nif sys.version_info >= (3, 8):\n    from a.tests import helper",
        b"class A:\n    from a.tests import helper",
        b"def f():\n    from a.tests import helper",
        b"import importlib\nhelper = importlib.import_module('a.tests.helper')",
        b"import_module('.tests.helper', __name__)",
        b"TABLE = {'helper': 'a.tests.helper'}",
        b"def f[T](x: T): from a.tests import helper",  # the grammar of 3.12
    ],
)
def test_whoever_imports_a_suspect_keeps_it_with_its_package_and_what_it_imports(source: bytes) -> None:
    assert needed(SUITE | {"a/core.py": source}) == HELPER


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b"# from a.tests import helper",
        b'"""\nfrom a.tests import helper\n"""',
        b"from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from a.tests import helper",
        b"if False:\n    import a.tests.helper",
        b"if __name__ == '__main__':\n    import a.tests.helper",
        b"import b.tests.helper",
        b"from b.tests import helper",
        b"config.add_subpackage('tests')",
    ],
)
def test_what_is_never_imported_is_not_needed(source: bytes) -> None:
    assert needed(SUITE | {"a/core.py": source}) == []


@pytest.mark.parametrize(
    "source",
    [
        b"__getattr__, __dir__, __all__ = lazy.attach(__name__, submodules=['core', 'tests'])",
        b"__all__ = ['core', 'tests']",
        b"import_module(f'.{name}', 'a')\nsubmodules = ['tests']",
    ],
)
def test_tables_of_lazy_loaders_keep_the_package_that_they_name(source: bytes) -> None:
    assert needed(SUITE | {"a/__init__.py": source}) == ["a/tests/__init__.py"]


def test_entry_points_keep_what_they_name() -> None:
    points = b"[console_scripts]\nx = a.core:main\n[plugins]\nloop = a.tests.helper:run\n"
    assert needed(SUITE | {"a-1.0.dist-info/entry_points.txt": points}) == HELPER


def test_all_of_a_folder_stays_for_an_import_of_all_and_for_a_compiled_module() -> None:
    assert needed(SUITE | {"a/core.py": b"from a.tests import *"}) == ALL
    compiled = SUITE | {"a/tests/fast.abi3.so": b"\x7fELF", "a/core.py": b"import a.tests.fast"}
    assert needed(compiled) == sorted([*ALL, "a/tests/fast.abi3.so"])


def test_a_needed_module_that_reads_files_keeps_the_data_of_its_folder() -> None:
    files = SUITE | {"a/core.py": b"import a.tests.helper", "a/tests/helper.py": b"open(__file__)"}
    assert needed(files) == ["a/tests/__init__.py", "a/tests/data/x.csv", "a/tests/helper.py"]


@pytest.mark.parametrize(
    "source",
    [
        b"from importlib.resources import files\nfiles('a') / 'tests' / 'data' / 'x.csv'",
        b"from importlib import resources\nresources.files(__package__).joinpath('tests/data/x.csv')",
        b"from os import path\nopen(path.join(path.dirname(__file__), '..', 'tests', 'data', 'x.csv'))",
        b"import pathlib\nDATA = pathlib.Path(__file__).parent / '../tests/data'",
        b"import pkgutil\npkgutil.get_data('a', 'tests/data/x.csv')",
        b"import pkgutil\npkgutil.get_data(__package__, 'tests/data/x.csv')",
        b"import os\nopen(f'{os.path.dirname(__file__)}/../tests/data/x.csv', 'r')",
        b"import os\nABOVE = __file__[:-9]\nopen(f'{ABOVE}tests/data/{name}.csv')",
        b"import os\nopen('%s/tests/data/%s.csv' % (os.path.dirname(os.path.dirname(__file__)), 'x'))",
        b"import os\nopen('%(up)s/tests/data/x.csv' % {'up': os.path.dirname(os.path.dirname(__file__))})",
        b"open(__file__.replace('b/core.py', 'tests/data/x.csv'), 'rb')",
        b"open(__file__.replace('b/core.py','tests/data/x.csv',1))",
        b"HERE = __file__[:-10]\nopen(HERE + '../tests/data/x.csv', 'r')",
    ],
)
def test_data_stays_whose_folder_is_named_by_a_source_that_reads_files(source: bytes) -> None:
    assert needed(SUITE | {"a/b/core.py": source}) == ["a/tests/data/x.csv"]
    assert needed(SUITE | {"b/core.py": source.replace(b"'a'", b"'b'")}) == []


def test_data_stays_alone_where_only_it_is_named() -> None:
    files = SUITE | {"a/tests/y.csv": b"", "a/tests/data/z.csv": b""}
    data = ["a/tests/data/x.csv", "a/tests/data/z.csv"]
    source = b"import os\nopen(os.path.join(os.path.dirname(__file__), %s))"
    assert needed(files | {"a/core.py": source % b"'tests/y.csv'"}) == ["a/tests/y.csv"]
    assert needed(files | {"a/core.py": source % b"'tests', 'data'"}) == data
    assert needed(files | {"a/core.py": source % b"f'tests/data/{name}'"}) == data
    assert needed(files | {"a/core.py": source % b"'tests', 'made', 'later'"}) == []
    assert needed(files | {"a/core.py": b'"""' + source % b"'tests', 'data'" + b'"""'}) == []


@pytest.mark.parametrize(
    "named",
    ["'tests', 'helper.py'", "'tests/helper.py'", "'x', 'tests/helper.py'", "f'{HERE}/tests/helper.py'"],
)
def test_a_source_that_is_named_by_its_path_stays_with_what_it_imports(named: str) -> None:
    source = f"import os, runpy\nrunpy.run_path(os.path.join(os.path.dirname(__file__), {named}))"
    assert needed(SUITE | {"a/core.py": source.encode()}) == HELPER
    assert needed(SUITE | {"a/core.py": source.replace("__file__", "path").encode()}) == []


def test_data_of_a_package_that_is_named_stays_with_it() -> None:
    source = b"from importlib import resources\nresources.files('a.tests').joinpath('data')"
    assert needed(SUITE | {"a/core.py": source}) == ["a/tests/__init__.py", "a/tests/data/x.csv"]


@pytest.mark.parametrize("name", ["f'a.tests.{name}'", "'a.tests.%s' % name", "'a.tests.' + name"])
def test_all_of_a_package_stays_of_which_a_module_is_imported_by_a_name_made_up(name: str) -> None:
    source = f"from importlib import import_module\nmodule = import_module({name})"
    assert needed(SUITE | {"a/core.py": source.encode()}) == ALL


def test_a_source_that_cannot_be_parsed_keeps_all_that_it_may_mean() -> None:
    broken = b'# from a.tests import helper\nx = ("""'
    assert needed(SUITE | {"a/core.py": broken}) == HELPER


@pytest.mark.parametrize(
    ("source", "kept"),
    [
        (b"from a.tests import helper", ["helper.py"]),
        (b"from a.tests.helper import something", ["helper.py"]),
        (b"import a.tests", ["helper.py", "other.py", "x.txt"]),
        (b"from a import tests", ["helper.py", "other.py", "x.txt"]),
        (b"from a.tests import *", ["helper.py", "other.py", "x.txt"]),
    ],
)
def test_a_folder_without_an_init_is_a_package_too(source: bytes, kept: list[str]) -> None:
    files = dict.fromkeys(["a/tests/helper.py", "a/tests/other.py", "a/tests/x.txt"], b"")
    assert needed(files | {"a/__init__.py": source}) == [f"a/tests/{name}" for name in kept]


def test_a_suspect_in_a_folder_that_stays_is_known_by_its_own_name() -> None:
    files = {"a/__init__.py": b"", "a/conftest.py": b"open(__file__)", "a/b.txt": b""}
    assert needed(files | {"a/core.py": b"from a import conftest"}, below="a/conftest") == ["a/conftest.py"]
    assert needed(files | {"a/core.py": b"NAMES = {'conftest'}"}, below="a/conftest") == []


def test_the_cache_remembers_the_answer_for_these_very_files(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    files = SUITE | {"a/core.py": b"import a.tests.helper"}
    assert needed(files, cache=cache) == HELPER
    (entry,) = tmp_path.glob("needed/*/*")
    inode = entry.stat().st_ino
    assert needed(files, cache=cache) == HELPER
    assert entry.stat().st_ino == inode
    assert needed(SUITE | {"a/core.py": b"import a.tests.other_"}, cache=cache) == ["a/tests/__init__.py"]
    assert needed(SUITE, cache=cache) == []
    assert needed(SUITE, cache=cache) == []


@pytest.mark.parametrize("name", ["a\u2028b.txt", "a\nb.txt", "a\x85b.txt"])
def test_the_cache_remembers_names_whole(tmp_path: Path, name: str) -> None:
    files = {
        "a/__init__.py": b"from a.tests import helper",
        "a/tests/__init__.py": b"",
        "a/tests/helper.py": b"open(__file__)",
        f"a/tests/{name}": b"",
    }
    cache = Cache(tmp_path)
    first = needed(files, cache=cache)
    assert f"a/tests/{name}" in first
    assert needed(files, cache=cache) == first
    assert needed({"a/__init__.py": b"", "a/tests/x.py": b""}, cache=cache) == []
    assert needed({"a/__init__.py": b"", "a/tests/x.py": b""}, cache=cache) == []


def test_a_table_of_many_names_takes_no_more_than_its_length() -> None:
    names = ", ".join(f"'tests/data/{number:05}.txt'" for number in range(20_000))
    source = f"import os\nHERE = os.path.dirname(__file__)\nTABLE = [{names}]".encode()
    tracemalloc.start()
    found = needed({"a/__init__.py": source, "a/tests/data/00007.txt": b"", "a/tests/data/x.txt": b""})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == ["a/tests/data/00007.txt"]
    assert peak < 200 << 20
