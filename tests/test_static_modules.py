from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from layer_zips import EXTENSION, LayerDraft, distribution
from wheelhouse import WheelDraft, sha256

from layercraft.host.cache import Cache

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from layercraft.verification.report import Outcome

RULE = "**/tests/"
BLAME = "removed by rule **/tests/ of layers/demo/layer.toml"
INIT = {"python/demo/__init__.py": b"", "python/demo/sub/__init__.py": b""}
HELPER = "python/demo/tests/helper.py"
TESTS = ["python/demo/tests/__init__.py", HELPER]


def outcome(folder: Path, files: Mapping[str, bytes], removed: Sequence[str] = TESTS) -> Outcome:
    """Judge a layer of which a rule took the `removed` files; other files are as empty as can be."""
    return LayerDraft(files={**INIT, **files}, removed={RULE: removed}).outcome(folder)


def kinds(folder: Path, files: Mapping[str, bytes], removed: Sequence[str] = TESTS) -> list[str]:
    return [each.kind for each in outcome(folder, files, removed).findings]


def test_what_functions_import_is_told_before_the_tests_that_are_left(tmp_path: Path) -> None:
    source = b"import demo.tests"
    users = ["python/demo/sub/tests/test_a.py", "python/demo/z.py"]

    (finding,) = outcome(tmp_path, dict.fromkeys(users, source)).findings

    assert finding.subject == "python/demo/z.py"
    assert finding.cause.endswith("; the same goes for test_a.py")


@pytest.mark.parametrize(
    ("path", "source", "missing"),
    [
        ("python/demo/a.py", b"import demo.tests", "demo.tests"),
        ("python/demo/a.py", b"import os, demo.tests.helper as h", "demo.tests.helper"),
        ("python/demo/a.py", b"from demo.tests import helper", "demo.tests"),
        ("python/demo/a.py", b"from demo.tests.helper import (\n    x,\n)", "demo.tests.helper"),
        ("python/demo/a.py", b"from .tests.helper import x", "demo.tests.helper"),
        ("python/demo/a.py", b"from . import sub, tests", "demo.tests"),
        ("python/demo/__init__.py", b"from .tests import x", "demo.tests"),
        ("python/demo/sub/__init__.py", b"from ..tests import x", "demo.tests"),
        ("python/demo/sub/a.py", b"from .. import tests as t", "demo.tests"),
        ("python/demo/sub/a.py", b"class A:\n    from demo import tests", "demo.tests"),
        ("python/other.py", b"type A[T] = int\nfrom demo import \\\n  tests", "demo.tests"),
        ("python/lib/python3.12/site-packages/other.py", b"import demo.tests", "demo.tests"),
    ],
)
def test_an_import_of_what_was_removed_is_found(
    tmp_path: Path, path: str, source: bytes, missing: str
) -> None:
    (finding,) = outcome(tmp_path, {path: source}).findings

    assert (finding.kind, finding.subject, finding.blame) == ("removed-module", path, BLAME)
    assert finding.cause == f"it imports {missing}, which is not in the layer"
    assert (finding.remedy or "").startswith("keep demo/tests/")


@pytest.mark.parametrize(
    "source",
    [
        b"try:\n    import demo.tests\nexcept ImportError:\n    pass",
        b"def f():\n    import demo.tests",
        b"if TYPE_CHECKING:\n    from demo.tests import x",
        b"if sys.version_info < (3, 9):\n    from demo.tests import x",
        b"'''\nimport demo.tests\n'''",
        b"# import demo.tests",
        b"tests = 'import demo.tests'",
        b"import demo.testsuite",
        b"from demo import sub",
        b"from ... import tests",
    ],
)
def test_what_does_not_fail_with_its_module_is_no_finding(tmp_path: Path, source: bytes) -> None:
    found = outcome(tmp_path, {"python/demo/a.py": source, "python/demo/testsuite.py": b""})

    assert (found.findings, found.unchecked) == ((), ())


def test_an_import_under_an_unknown_condition_is_not_judged(tmp_path: Path) -> None:
    source = b"if os.environ.get('DEMO'):\n    import demo.tests\n"

    found = outcome(tmp_path, {"python/demo/a.py": source})

    assert found.findings == ()
    (each,) = found.unchecked
    assert each.subject == "python/demo/a.py"
    assert each.why == f"it imports demo.tests on a condition; {TESTS[0]} is gone, {BLAME}"


def test_a_source_that_is_no_python_is_told(tmp_path: Path) -> None:
    found = outcome(tmp_path, {"python/demo/a.py": b"import demo.tests\nx = '''"})

    assert found.findings == ()
    (each,) = found.unchecked
    assert each.why == "no Python that can be read: line 2: a string has no end"


@pytest.mark.parametrize("module", ["tests.py", "tests/__init__.pyc", f"tests{EXTENSION}", "tests.abi3.so"])
def test_a_module_that_is_there_in_another_form_is_not_missed(tmp_path: Path, module: str) -> None:
    files = {"python/demo/a.py": b"import demo.tests", f"python/demo/{module}": b""}

    assert "removed-module" not in kinds(tmp_path, files)


def test_a_package_whose_init_is_gone_can_be_imported_and_gives_nothing(tmp_path: Path) -> None:
    files = {
        "python/demo/tests/data.txt": b"",
        "python/demo/fine.py": b"import demo.tests",
        "python/demo/broken.py": b"from demo.tests import run",
        "python/demo/also.py": b"from demo.tests import helper",
    }

    found = outcome(tmp_path, files).findings

    assert {each.subject for each in found} == {"python/demo/broken.py", "python/demo/also.py"}


def test_modules_beside_a_removed_one_need_not_write_its_packages_name(tmp_path: Path) -> None:
    files = {"python/demo/tests/kept.py": b"from . import helper"}

    assert kinds(tmp_path, files) == ["removed-module"]


@pytest.mark.parametrize(
    ("init", "broken"),
    [
        (b"", True),
        (b"'''tests'''\n# tests", True),
        (b"tests = None", False),
        (b"from .sub import tests", False),
        (b"def tests(): pass", False),
        (b"globals()['te' + 'sts'] = 1", False),
        (b"x = '''", False),
    ],
)
def test_a_name_that_the_package_makes_itself_is_not_missed(
    tmp_path: Path, init: bytes, *, broken: bool
) -> None:
    files = {"python/demo/__init__.py": init, "python/other.py": b"from demo import tests"}

    found = outcome(tmp_path, files).findings

    assert ("python/other.py" in {each.subject for each in found}) is broken


def test_what_the_runtime_brings_is_not_missed(tmp_path: Path) -> None:
    removed = ["python/six.py", "python/dateutil/__init__.py", "python/unknown.py"]
    files = {"python/demo/a.py": b"import six, dateutil.parser\nfrom six import x"}

    assert kinds(tmp_path, files, removed) == []
    assert kinds(tmp_path, {"python/demo/a.py": b"import unknown"}, removed) == ["removed-module"]


def test_what_could_not_be_imported_before_is_not_broken(tmp_path: Path) -> None:
    files = {"python/demo/conftest.py": b"import pytest\nfrom demo.tests import helper"}

    found = outcome(tmp_path, files)
    assert (found.findings, found.unchecked) == ((), ())


def test_a_removed_test_is_no_loss_for_who_needs_it(tmp_path: Path) -> None:
    """Tests want pytest, so what imports them at its top did not work before either."""
    removed = ["python/demo/tests/__init__.py", "python/demo/tests/test_demo.py"]
    files = {"python/demo/generate.py": b"from demo.tests.test_demo import x"}

    found = outcome(tmp_path, files, removed)

    assert found.findings == ()
    assert "may have wanted pytest" in found.unchecked[0].why


@pytest.mark.parametrize(
    ("source", "broken"),
    [
        (b"import pytest", False),
        (b"from . import helper", False),
        (b"import os", True),
        (b"try:\n    import pytest\nexcept ImportError:\n    pytest = None", True),
    ],
)
def test_the_wheel_tells_what_a_removed_module_wanted(tmp_path: Path, source: bytes, *, broken: bool) -> None:
    names = ["demo/tests/__init__.py", "demo/tests/test_demo.py", "demo/tests/helper.py"]
    contents = dict(zip(names, [b"", source, b"import hypothesis"], strict=True))
    wheel = WheelDraft(name="demo", files=contents).write(tmp_path)
    digest = sha256(wheel.read_bytes())
    cache = Cache(tmp_path / "cache")
    with cache.temporary() as temporary:
        temporary.write_bytes(wheel.read_bytes())
        cache.adopt(temporary, digest)
    draft = LayerDraft(
        files={**distribution("demo", "1.0", {}), **INIT, "python/demo/a.py": b"import demo.tests.test_demo"},
        removed={RULE: [f"python/{name}" for name in names]},
        pins=[("demo", "1.0", digest)],
    )

    found = draft.outcome(tmp_path, cache)

    assert bool(found.findings) is broken
    assert found.unchecked == ()


def test_scripts_are_no_modules(tmp_path: Path) -> None:
    files = {"python/bin/tool.py": b"import demo.tests"}

    assert kinds(tmp_path, files, [*TESTS, "python/bin/other.py"]) == []


STUB = b"import lazy_loader as lazy\n\n__getattr__, __dir__, _ = lazy.attach_stub(__name__, __file__)\n"


def test_a_stub_that_a_package_reads_at_import_is_missed(tmp_path: Path) -> None:
    removed = ["python/demo/__init__.pyi", "python/demo/sub/__init__.pyi", "python/demo/a.pyi"]
    files = {"python/demo/__init__.py": STUB, "python/demo/sub/__init__.py": STUB, "python/demo/a.py": b""}

    (finding,) = outcome(tmp_path, files, removed).findings

    assert (finding.kind, finding.subject) == ("removed-file", "python/demo/__init__.py")
    assert (finding.remedy, finding.blame) == ("keep the .pyi files of demo", BLAME)
    assert finding.cause.endswith("the same goes for sub/__init__.py")


def test_other_stubs_are_not_missed(tmp_path: Path) -> None:
    files = {"python/demo/__init__.py": b"# attach_stub(__name__, __file__)\ndef attach_stub(): pass\n"}

    assert kinds(tmp_path, files, ["python/demo/__init__.pyi"]) == []


def test_without_a_record_of_the_build_the_records_of_wheels_tell(tmp_path: Path) -> None:
    names = ["demo/__init__.py", "demo/tests/__init__.py"]
    files = distribution("demo", "1", {**dict.fromkeys(names, b""), "demo/a.py": b"import demo.tests"})
    del files["python/demo/tests/__init__.py"]

    (finding,) = LayerDraft(files=files).outcome(tmp_path).findings

    assert (finding.kind, finding.subject, finding.blame) == ("removed-module", "python/demo/a.py", None)


def test_without_any_record_what_a_package_imports_of_itself_tells(tmp_path: Path) -> None:
    files = {
        **INIT,
        "python/demo/__init__.py": b"from . import core",
        "python/demo/core.py": b"from .formats import x",
        "python/demo/optional.py": b"import demo._cuda",
        "python/demo/foreign.py": b"import demo.gone, pytest",
        "python/demo/guarded.py": b"try:\n    import demo.gone\nexcept ImportError:\n    pass",
    }

    found = LayerDraft(files=files).outcome(tmp_path)

    assert [(each.kind, each.subject) for each in found.findings] == [
        ("removed-module", "python/demo/core.py")
    ]
    assert [each.subject for each in found.unchecked] == ["python/demo/optional.py", "demo.zip"]


@pytest.mark.parametrize(
    ("init", "broken"),
    [(b"from . import a", True), (b"from . import a\nsys.modules[__name__ + '.gone'] = x", False)],
)
def test_modules_that_a_package_makes_at_run_time_are_not_missed(
    tmp_path: Path, init: bytes, *, broken: bool
) -> None:
    files = {"python/demo/__init__.py": init, "python/demo/a.py": b"import demo.gone"}

    assert bool(LayerDraft(files=files).outcome(tmp_path).findings) is broken


def test_modules_of_a_module_are_not_missed(tmp_path: Path) -> None:
    """Such as six.moves, and what a compiled module makes."""
    files = {
        "python/six.py": b"",
        "python/demo/__init__.py": b"import six.moves.urllib\nimport demo.fast.inner",
        "python/demo/fast.so": b"",
    }

    assert LayerDraft(files=files).outcome(tmp_path).findings == ()


def test_a_folder_that_someone_emptied_tells(tmp_path: Path) -> None:
    files = {
        **INIT,
        "python/demo/tests/": b"",
        "python/demo/a.py": b"from demo.tests.helper import x",
        "python/demo/b.py": b"from demo.tests.test_b import x",
    }
    draft = LayerDraft(files=files, modes={"python/demo/tests/": 0o40755})

    assert [each.subject for each in draft.outcome(tmp_path).findings] == ["python/demo/a.py"]


def test_a_stub_is_missed_without_any_record(tmp_path: Path) -> None:
    assert LayerDraft(files={"python/demo/__init__.py": STUB}).kinds(tmp_path) == {
        "removed-file": "python/demo/__init__.py"
    }
