"""What Lambda's images are like inside, and what was not as expected when one did not start.

Folders and variables are those of the AWS Lambda developer guide ("Defined runtime environment
variables", "Working with layers for Python Lambda functions") and of the runtime's own bootstrap.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from layercraft.errors import EngineError
from layercraft.verification.sandbox import lambda_environment

if TYPE_CHECKING:
    from layercraft.target import Target
    from layercraft.verification.container_engines import Client

LAYER, TASK = "/opt", "/var/task"
PYTHON = "/var/lang/bin/python3"

_PATH = "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin"
_LIBRARY_PATH = (
    "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib"
)


def search_path(target: Target) -> tuple[str, ...]:
    """Give what the runtime puts in front of sys.path, in its order."""
    packages = "lib/python{}.{}/site-packages".format(*target.runtime.version)
    return (TASK, f"{LAYER}/python/{packages}", f"{LAYER}/python", f"/var/lang/{packages}")


def site_folders(target: Target) -> tuple[str, ...]:
    """Give the folders whose `.pth` files the runtime lets run."""
    return search_path(target)[:3]


def function_environment(target: Target, memory: int) -> dict[str, str]:
    """Give the variables that a function finds, `memory` in bytes; PYTHONPATH is not among them.

    The runtime sets PYTHONPATH only once it has laid sys.path: a function that brings one gets no layer.
    """
    return {
        **lambda_environment(target, Path(LAYER)),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory >> 20),
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "LAMBDA_TASK_ROOT": TASK,
        "LD_LIBRARY_PATH": _LIBRARY_PATH,
        "PATH": _PATH,
    }


def start_error(client: Client, image: str, target: Target, said: str) -> EngineError:
    """Give the error for a container that exists and does not start, from the engine's last words."""
    if "exec format error" in said.casefold():
        return EngineError(
            f"{client.name} cannot run programs for {target.architecture} here",
            hint="emulate it: `apt install qemu-user-static`, or "
            f"`{client.name} run --privileged --rm tonistiigi/binfmt --install {target.architecture}`",
        )
    if PYTHON in said and "no such file" in said.casefold():
        return EngineError(
            f"the image {image} has no {PYTHON}: it is none of Lambda's Python images",
            hint="name one with --image, or leave the option out",
        )
    return EngineError(f"{client.name} cannot run {image}: {said}")
