"""The images themselves: made once, kept in a folder by what they were made of.

python -m lambda_like 3.12 x86_64 FOLDER    # prints the path of an archive for `docker load`
"""

from __future__ import annotations

import hashlib
import platform
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from lambda_like import debian_root, pyenv_root
from lambda_like.archive import write_archive
from lambda_like.packages import install_runtime_packages, place_emulator
from lambda_like.symbol_versions import AMAZON_LINUX_2, AMAZON_LINUX_2023, lower
from layercraft.target import Target

CEILINGS = {"3.11": AMAZON_LINUX_2, "3.12": AMAZON_LINUX_2023, "3.13": AMAZON_LINUX_2023}

_FILES = Path(__file__).with_name("files")
_EMPTY = (
    "dev",
    "etc",
    "opt",
    "proc",
    "root",
    "run",
    "sys",
    "tmp",
    "usr/local/bin",
    "var/task",
    "var/runtime",
)
_TEXTS = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nsbx_user1051:x:993:990::/home/sbx_user1051:/sbin/nologin\n",
    "etc/group": "root:x:0:\nsbx_user1051:x:990:\n",
    "etc/os-release": 'ID=lambda-like\nPRETTY_NAME="a stand-in for AWS Lambda"\n',
}


def image_archive(version: str, architecture: str, folder: Path) -> Path:
    """Give the archive of an image for a runtime ("3.12") and architecture, kept in `folder`.

    The image is named as AWS names the true one.
    """
    path = folder / f"python{version}-{architecture}-{_ingredients(version)}.tar"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder) as scratch:
            root = Path(scratch, "root")
            build_root(version, architecture, root)
            written = Path(scratch, "image.tar")
            write_archive(root, written, Target.parse(version, architecture).runtime.image, architecture)
            written.rename(path)
    return path


def build_root(version: str, architecture: str, root: Path) -> None:
    """Make a Lambda-like root file system in a folder that does not exist yet."""
    root.mkdir(mode=0o755)
    (pyenv_root if architecture == "x86_64" else debian_root).build(version, root)
    for name in _EMPTY:
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    for name, text in _TEXTS.items():
        (root / name).unlink(missing_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    packages = root / f"var/lang/lib/python{version}/site-packages"
    install_runtime_packages(packages, version, architecture)
    place_emulator(root / "usr/local/bin/aws-lambda-rie", architecture)
    _place("bootstrap", root / "var/runtime/bootstrap", version)
    _place("bootstrap.py.txt", root / "var/runtime/bootstrap.py", version)
    _place("lambda-entrypoint.sh", root / "lambda-entrypoint.sh", version)
    lower(root, CEILINGS[version])


def _place(name: str, path: Path, version: str) -> None:
    text = (_FILES / name).read_text(encoding="utf-8")
    path.write_text(text.replace("@VERSION@", version), encoding="utf-8")
    path.chmod(0o755)


@cache
def _ingredients(version: str) -> str:
    """Give a digest of all that decides an image: these sources, the Python, the machine's glibc."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            digest.update(path.read_bytes())
    digest.update(f"{pyenv_root.find_python(version)} {platform.libc_ver()}".encode())
    return digest.hexdigest()[:12]
