"""What comes from the package index: awslambdaric, boto3, and AWS's Runtime Interface Emulator.

The emulator lies in the wheel of the SAM CLI, a static binary for each architecture.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

RUNTIME_PACKAGES = ("awslambdaric==4.2.2", "boto3==1.44.5", "botocore==1.44.5")
SAM_CLI = "aws-sam-cli==1.170.0"

_MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}
# uv takes its settings from the environment and from files: the machine's must not decide here.
_KEPT = ("PATH", "HOME", "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTPS_PROXY", "https_proxy", "NO_PROXY")


def install_runtime_packages(folder: Path, version: str, architecture: str) -> None:
    """Install awslambdaric and boto3 for a Python ("3.12") on Lambda's architecture into a folder.

    Raises:
        subprocess.CalledProcessError: the index does not answer, or has them no more.
    """
    platform = f"{_MACHINES[architecture]}-manylinux_2_28"
    _install(folder, *RUNTIME_PACKAGES, "--python-version", version, "--python-platform", platform)


def place_emulator(path: Path, architecture: str) -> None:
    """Put the emulator for an architecture at `path`, executable.

    Raises:
        subprocess.CalledProcessError: the index does not answer, or has it no more.
    """
    with TemporaryDirectory() as scratch:
        _install(Path(scratch), SAM_CLI, "--no-deps")
        shutil.copyfile(Path(scratch, "samcli/local/rapid", f"aws-lambda-rie-{architecture}"), path)
    path.chmod(0o755)


def _install(folder: Path, *arguments: str) -> None:
    uv = Path(sys.executable).with_name("uv")
    options = ["--quiet", "--no-config", "--only-binary=:all:", "--link-mode=copy"]
    where = ["--python", sys.executable, "--target", str(folder)]
    subprocess.run(
        [str(uv), "pip", "install", *options, *where, *arguments],
        env={name: os.environ[name] for name in _KEPT if name in os.environ},
        check=True,
    )
