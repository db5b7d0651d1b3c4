"""The table: what each engine says of each broken layer, told with its cause, or why it says nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corpus.expectations import CannotTell, Cell, Finds

if TYPE_CHECKING:
    from collections.abc import Mapping

PASSES: Cell = ()
"""The engine cannot see the defect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """What the engines say of one layer.

    `container` is None where it says what `native` says. The native engine lives on a machine that may
    have what Lambda lacks: where it has `unless_here`, it passes.
    """

    static: Cell
    native: Cell
    container: Cell | None = None
    unless_here: str = ""

    def of(self, engine: str) -> Cell:
        """Give the cell of one engine."""
        if engine == "static":
            return self.static
        return self.native if engine == "native" or self.container is None else self.container


def _taken(module: str, subjects: tuple[str, ...], by: str, *, at: str = "") -> Cell:
    where = f" (at python/{at}" if at else ""
    return tuple(Finds("removed-module", name, f"no module named {module}{where}", by) for name in subjects)


def _lacks(module: str, file: str, by: str) -> Finds:
    words = f"it imports {module}, which is not in the layer"
    return Finds("removed-module", f"python/{file}", words, by)


def _only_when_run(kind: str, module: str, words: str) -> Verdicts:
    return Verdicts(static=PASSES, native=(Finds(kind, module, words),))


_BY_SCRIPT = "removed by cleanup.sh"
_NO_METADATA = Finds("metadata-missing", "*", "importlib.metadata will not find it", _BY_SCRIPT)
_NO_DISTRIBUTION = Finds("metadata-missing", "*", "importlib.metadata ", _BY_SCRIPT)
_FORMATS = "removed by rule pandas/io/formats/ of layers/pandas/layer.toml"
_TESTS = "removed by rule numpy/_core/tests/ of layers/scipy/layer.toml"
_DATASETS = "removed by rule sklearn/datasets/ of layers/scikit/layer.toml"
_LIBS = "removed by rule numpy.libs/ of layers/no-libs/layer.toml"
_STUBS = "removed by rule *.pyi of layers/scikit-image/layer.toml"
_TESTING = "numpy/testing/_private/utils.py"
_CORE = "python/numpy/_core/_multiarray_umath"

VERDICTS: Mapping[str, Verdicts] = {
    "wheels for another architecture": Verdicts(
        static=(Finds("wrong-machine", "python/numpy*", "for aarch64, and the layer is for x86_64"),),
        native=(
            Finds(
                "wrong-machine",
                "numpy",
                f"{_CORE}.cpython-312-aarch64-linux-gnu.so is not for python3.12 x86_64",
            ),
        ),
    ),
    "a wheel for a newer glibc": Verdicts(
        static=(
            Finds(
                "glibc-too-new",
                "python/numpy/_core/*",
                "GLIBC_2.27 of libm.so.6, and python3.11 has glibc 2.26",
            ),
        ),
        native=(),
        container=(
            Finds(
                "glibc-too-new",
                "numpy",
                f"{_CORE}.cpython-311-x86_64-linux-gnu.so needs GLIBC_2.27, and python3.11 has 2.26",
            ),
        ),
    ),
    "extensions for another Python": Verdicts(
        static=(
            Finds("foreign-abi", "python/numpy/*", "looks for the suffix .cpython-312-x86_64-linux-gnu.so"),
        ),
        native=(
            Finds(
                "foreign-abi",
                "numpy",
                f"{_CORE}.cpython-311-x86_64-linux-gnu.so is not for python3.12 x86_64",
            ),
        ),
    ),
    "lightgbm without libgomp": Verdicts(
        static=(Finds("missing-library", "python/lightgbm/lib/lib_lightgbm.so", "it needs libgomp.so.1"),),
        native=(Finds("missing-library", "lightgbm", "libgomp.so.1 is neither in the layer nor on Lambda"),),
        unless_here="libgomp.so.1",
    ),
    "opencv without libGL": Verdicts(
        static=(
            Finds("missing-library", "python/opencv_python.libs/libQt5Gui-*", "it needs libGL.so.1"),
            Finds("missing-library", "python/opencv_python.libs/libQt5Core-*", "it needs libgthread-2.0.so"),
            Finds("missing-library", "python/opencv_python.libs/libQt5Core-*", "it needs libglib-2.0.so.0"),
        ),
        native=(Finds("missing-library", "cv2", "libGL.so.1 is neither in the layer nor on Lambda"),),
        unless_here="libGL.so.1",
    ),
    "numpy without its tests, under scipy": Verdicts(
        static=(_lacks("numpy._core.tests._natype", _TESTING, _TESTS),),
        native=_taken("numpy._core.tests", ("scipy.sparse", "scipy.stats"), _TESTS, at=_TESTING),
    ),
    "pandas without its formats": Verdicts(
        static=(
            _lacks("pandas.io.formats.format", "pandas/core/*", _FORMATS),
            _lacks("pandas.io.formats", "pandas/core/*", _FORMATS),
            _lacks("pandas.io.formats.info", "pandas/core/*", _FORMATS),
            _lacks("pandas.io.formats.printing", "pandas/*", _FORMATS),
        ),
        native=_taken("pandas.io.formats", ("pandas",), _FORMATS, at="pandas/core/"),
    ),
    "scikit-learn without its datasets": Verdicts(
        static=(_lacks("sklearn.datasets", "sklearn/utils/estimator_checks.py", _DATASETS),),
        native=(
            *_taken("sklearn.datasets", ("sklearn.datasets",), _DATASETS),
            *_taken(
                "sklearn.datasets",
                ("sklearn.utils.estimator_checks",),
                _DATASETS,
                at="sklearn/utils/estimator_checks.py",
            ),
        ),
    ),
    "all metadata removed": Verdicts(
        static=(_NO_METADATA,),
        native=(
            Finds("metadata-missing", "humanize", "knows no humanize (at python/humanize/__", _BY_SCRIPT),
            _NO_DISTRIBUTION,
        ),
    ),
    "OpenBLAS stripped by binutils": Verdicts(
        static=(Finds("misaligned-segment", "python/numpy.libs/*", "ELF load command address/offset not"),),
        native=(Finds("misaligned-segment", "numpy", "the loader refuses libscipy_openblas64_-"),),
    ),
    "the folder of bundled libraries removed": Verdicts(
        static=(Finds("missing-library", f"{_CORE}*", "it needs libscipy_openblas64_-", _LIBS),),
        native=(Finds("missing-library", "numpy", "libscipy_openblas64_-", _LIBS),),
    ),
    "files that only their owner may read": Verdicts(
        static=(Finds("bad-mode", "python/*", "its mode is 0600, and functions run as another user"),),
        native=(
            Finds("bad-mode", "markupsafe", "python/markupsafe/__init__.py has mode 0600"),
            Finds("bad-mode", "markupsafe", "dist-info/METADATA has mode 0600, so Lambda cannot read it"),
        ),
    ),
    "boto3 without botocore": Verdicts(
        static=(
            Finds("partial-runtime-sdk", "boto3 and s3transfer", "it would run with botocore of python3.12"),
        ),
        native=(CannotTell("boto3", "it imports botocore, which Lambda's python3.12 brings"),),
        container=PASSES,  # as long as the image's botocore happens to fit
    ),
    "scikit-image without its stubs": Verdicts(
        static=(Finds("removed-file", "python/skimage/__init__.py", "it reads its type stub", _STUBS),),
        native=(
            Finds("removed-file", "skimage", "python/skimage/__init__.pyi is missing", _STUBS),
            Finds("removed-file", "skimage.filters", "python/skimage/__init__.pyi is missing", _STUBS),
        ),
    ),
    "xgboost after the reference tool's cleanup": Verdicts(
        static=(_lacks("numpy._core.tests._natype", _TESTING, _BY_SCRIPT), _NO_METADATA),
        native=(*_taken("numpy._core.tests", ("xgboost",), _BY_SCRIPT, at=_TESTING), _NO_DISTRIBUTION),
    ),
    "fastparquet after the reference tool's cleanup": Verdicts(
        static=(
            _lacks("numpy._core.tests._natype", _TESTING, _BY_SCRIPT),
            _lacks("pandas.io.formats", "pandas/core/*", _BY_SCRIPT),
            _lacks("pandas.io.formats.format", "pandas/core/*", _BY_SCRIPT),
            _lacks("pandas.io.formats.info", "pandas/core/*", _BY_SCRIPT),
            _lacks("pandas.io.formats.printing", "pandas/*", _BY_SCRIPT),
            _lacks("pandas.io.excel", "pandas/io/api.py", _BY_SCRIPT),
            _lacks("pandas.io.sas", "pandas/io/api.py", _BY_SCRIPT),
            _NO_METADATA,
        ),
        native=(
            *_taken("pandas.io.formats", ("fastparquet", "pandas"), _BY_SCRIPT, at="pandas/core/"),
            _NO_DISTRIBUTION,
        ),
    ),
    "needs /dev/shm": _only_when_run("no-shared-memory", "shares", "it needs /dev/shm, which Lambda has not"),
    "writes beside itself": _only_when_run("read-only", "writes", "it writes python/cache.txt (at python/wr"),
    "sleeps for ever": _only_when_run("import-timeout", "sleeps", "it does not end within 2 seconds, at"),
    "eats memory": _only_when_run("out-of-memory", "eats", "it takes more than 512 MB of memory"),
    "segfaults": _only_when_run("import-crashed", "segfaults", "SIGSEGV, at python/segfaults.py, line 2"),
    "calls os._exit(0)": _only_when_run("import-exited", "exits", "it ends the process with exit code 0"),
    "prints megabytes": _only_when_run("import-flooded", "floods", "it prints without end: spam spam"),
}
