"""Layers of wide use that work: the five recipes, and what people put into layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corpus.workshop import LayerDraft
from layercraft import find_recipe, shipped_layers

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Good:
    """A layer that works.

    Attributes:
        draft: how it is made, of the newest versions that its runtime takes.
        imports: what its users import; of a recipe, what it says itself.
        quick: it is small enough to be looked at in every run of the tests.
    """

    draft: LayerDraft
    imports: tuple[str, ...]
    quick: bool = False


def _good(requires: str, imports: str, runtime: str, *, quick: bool = False) -> Good:
    wanted = tuple(requires.split())
    name = f"good-{wanted[0].partition('[')[0]}"
    draft = LayerDraft(name=name, requires=wanted, runtime=runtime)
    return Good(draft=draft, imports=tuple(imports.split()), quick=quick)


_RECIPES = {
    "fastparquet": "3.11",
    "jinja": "3.13",
    "sklearn": "3.13",
    "sqlite_utils": "3.12",
    "xgboost": "3.12",
}
_OTHERS = (
    _good("flask requests", "flask requests", "3.11", quick=True),
    _good("fastapi pydantic mangum", "fastapi pydantic mangum", "3.12", quick=True),
    _good("cryptography pyjwt", "cryptography.fernet cryptography.x509 jwt", "3.11"),
    _good("lxml beautifulsoup4", "lxml.etree lxml.html bs4", "3.13"),
    _good("pillow", "PIL.Image PIL.ImageFont PIL.ImageDraw", "3.13"),
    _good("matplotlib", "matplotlib.pyplot", "3.12"),
    _good("scikit-image", "skimage skimage.filters skimage.measure", "3.12"),
    _good("sqlalchemy psycopg2-binary", "sqlalchemy sqlalchemy.dialects.postgresql psycopg2", "3.13"),
    _good("pyarrow", "pyarrow pyarrow.parquet pyarrow.dataset", "3.12"),
    _good("polars", "polars", "3.13"),
    _good("opencv-python-headless", "cv2", "3.12"),
    _good("boto3 aiobotocore", "boto3 aiobotocore.session", "3.12"),
    _good("shapely", "shapely shapely.geometry", "3.13"),
    _good("google-cloud-storage", "google.cloud.storage", "3.13"),
    _good("psutil pyyaml orjson", "psutil yaml orjson", "3.11", quick=True),
)
GOOD: Mapping[str, Good] = {
    name: Good(
        draft=LayerDraft(name=name, runtime=runtime),
        imports=find_recipe(name, [shipped_layers()]).verify.imports,
    )
    for name, runtime in _RECIPES.items()
} | {" ".join(each.draft.requires): each for each in _OTHERS}
