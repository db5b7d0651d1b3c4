"""Makes one image by hand, for a look at it."""

from __future__ import annotations

import sys
from pathlib import Path

from lambda_like.images import image_archive

version, architecture, folder = sys.argv[1:]
print(image_archive(version, architecture, Path(folder)))
