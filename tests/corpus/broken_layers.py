"""How each layer of the corpus came to be broken: by wheels, by rules, by scripts, by its own code.

All but the made ones are of real wheels, which are named by their versions: what is expected of
them must not change with the next release.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corpus.workshop import LayerDraft

if TYPE_CHECKING:
    from collections.abc import Mapping

# What the scripts of imperva/aws-lambda-layer take from every layer, named as those name it.
_TAKE = """
cd /tmp/layer/python
take() { find . \\( -path '*.dist-info/*' -o -path '*/tests/*' -o -path '*/test/*' \\
    -o -path '*/__pycache__/*' -o -name '*.pyc' "$@" \\) -delete; }
"""
_CLEAN_XGBOOST = f"""{_TAKE}
take -o -name '*.dat'
"""
_CLEAN_FASTPARQUET = f"""{_TAKE}
take -o -name '*.so.debug' -o -name '*.c' -o -name '*.h'
rm -r pandas/io/sas pandas/io/excel pandas/io/formats pandas/io/json/table_schema.py
find pandas -type d -name data -prune -exec rm -r {{}} +
"""
MANYLINUX2014 = (2, 17)


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    """A layer that does not work.

    Attributes:
        draft: how it is made.
        imports: what its users import.
        runtime: what it is used with, where that is not what it was built for.
        architecture: likewise.
        timeout: seconds for each import.
        quick: it is small enough to be looked at in every run of the tests.
    """

    draft: LayerDraft
    imports: tuple[str, ...]
    runtime: str = ""
    architecture: str = "x86_64"
    timeout: float = 60
    quick: bool = False


def _made(module: str, source: str, *, timeout: float = 60) -> Defect:
    draft = LayerDraft(name=module, made=source)
    return Defect(draft=draft, imports=(module,), timeout=timeout, quick=True)


_NUMPY = "numpy==2.2.6"
_FOR_ANY_GLIBC = LayerDraft(name="numpy-cp311", requires=("numpy==2.4.6",), runtime="3.11", glibc=(2, 34))

DEFECTS: Mapping[str, Defect] = {
    "wheels for another architecture": Defect(
        draft=LayerDraft(name="numpy-arm64", requires=("numpy==2.4.6",), architecture="arm64"),
        imports=("numpy",),
        quick=True,
    ),
    "a wheel for a newer glibc": Defect(draft=_FOR_ANY_GLIBC, imports=("numpy",), quick=True),
    "extensions for another Python": Defect(
        draft=_FOR_ANY_GLIBC, imports=("numpy",), runtime="3.12", quick=True
    ),
    "lightgbm without libgomp": Defect(
        draft=LayerDraft(name="lightgbm", requires=("lightgbm==4.6.0", "numpy<2.5", "scipy<1.18")),
        imports=("lightgbm",),
    ),
    "opencv without libGL": Defect(
        draft=LayerDraft(name="opencv", requires=("opencv-python==4.12.0.88",)), imports=("cv2",)
    ),
    "numpy without its tests, under scipy": Defect(
        draft=LayerDraft(name="scipy", requires=(_NUMPY, "scipy==1.15.3"), remove=("numpy/_core/tests/",)),
        imports=("scipy.sparse", "scipy.stats"),
    ),
    "pandas without its formats": Defect(
        draft=LayerDraft(name="pandas", requires=("pandas==2.3.3", _NUMPY), remove=("pandas/io/formats/",)),
        imports=("pandas",),
        quick=True,
    ),
    "scikit-learn without its datasets": Defect(
        draft=LayerDraft(
            name="scikit", requires=("scikit-learn==1.7.2", _NUMPY), remove=("sklearn/datasets/",)
        ),
        imports=("sklearn", "sklearn.datasets", "sklearn.utils.estimator_checks"),
    ),
    "all metadata removed": Defect(
        draft=LayerDraft(name="humanize", requires=("humanize==4.4.0",), script="rm -r python/*.dist-info\n"),
        imports=("humanize",),
        quick=True,
    ),
    "OpenBLAS stripped by binutils": Defect(
        draft=LayerDraft(
            name="stripped", requires=(_NUMPY,), script="find python -name '*.so*' -exec strip {} +\n"
        ),
        imports=("numpy",),
    ),
    "the folder of bundled libraries removed": Defect(
        draft=LayerDraft(name="no-libs", requires=(_NUMPY,), remove=("numpy.libs/",)),
        imports=("numpy",),
        quick=True,
    ),
    "files that only their owner may read": Defect(
        draft=LayerDraft(name="owned", requires=("markupsafe==3.0.2",), mode=0o600),
        imports=("markupsafe",),
        quick=True,
    ),
    "boto3 without botocore": Defect(
        draft=LayerDraft(name="boto3", requires=("boto3==1.40.0",), exclude=("botocore",)),
        imports=("boto3",),
        quick=True,
    ),
    "scikit-image without its stubs": Defect(
        draft=LayerDraft(name="scikit-image", requires=("scikit-image==0.25.2", _NUMPY), remove=("*.pyi",)),
        imports=("skimage", "skimage.filters"),
    ),
    "xgboost after the reference tool's cleanup": Defect(
        draft=LayerDraft(
            name="reference-xgboost",
            requires=("xgboost==3.0.5", _NUMPY, "scipy==1.16.3"),
            runtime="3.13",
            glibc=MANYLINUX2014,
            script=_CLEAN_XGBOOST,
        ),
        imports=("xgboost",),
        quick=True,
    ),
    "fastparquet after the reference tool's cleanup": Defect(
        draft=LayerDraft(
            name="reference-fastparquet",
            requires=("fastparquet==2026.9.0", _NUMPY, "pandas==2.3.2"),
            runtime="3.13",
            glibc=MANYLINUX2014,
            script=_CLEAN_FASTPARQUET,
        ),
        imports=("fastparquet", "pandas"),
        quick=True,
    ),
    "needs /dev/shm": _made("shares", "from multiprocessing import Lock\nlock = Lock()\n"),
    "writes beside itself": _made(
        "writes", "from pathlib import Path\nPath(__file__).with_name('cache.txt').write_text('x')\n"
    ),
    "sleeps for ever": _made("sleeps", "import time\nwhile True:\n    time.sleep(1)\n", timeout=2),
    "eats memory": _made("eats", "eaten = []\nwhile True:\n    eaten.append(bytearray(1 << 20))\n"),
    "segfaults": _made("segfaults", "import ctypes\nctypes.string_at(0)\n"),
    "calls os._exit(0)": _made("exits", "import os\nos._exit(0)\n"),
    "prints megabytes": _made("floods", "for _ in range(200_000):\n    print('spam ' * 20)\n"),
}
