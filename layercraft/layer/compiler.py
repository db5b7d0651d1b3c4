"""Compiles sources to bytecode: a program of its own, run by the Python that shall read the result.

    python -s -S -B compiler.py SOURCES RESULTS PROCESSES < paths

Each line of stdin, ended by a line feed alone, is a path below both folders. What cannot be compiled is
passed over. It runs none of the code, and prints the seconds of CPU that this took. Needs Python 3.8.

Whether marshal writes an object as one that is used again depends on what else the process holds, so
each file is compiled in a process forked from one that has never compiled any: the same source gives the
same bytes, whatever was compiled beside it. The order of sets depends on PYTHONHASHSEED.
"""

from __future__ import annotations

import importlib.util
import marshal
import os
import sys
import warnings
from pathlib import Path

UNCHECKED_HASH = 1  # flags of a .pyc whose source is never looked at (PEP 552)


def compile_file(source: Path, result: Path, name: str) -> None:
    """Write the bytecode of one file, with the name that tracebacks shall show; nothing if it has none."""
    data = source.read_bytes()
    try:
        code = compile(data, name, "exec", dont_inherit=True, optimize=0)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    head = importlib.util.MAGIC_NUMBER + UNCHECKED_HASH.to_bytes(4, "little")
    result.parent.mkdir(parents=True, exist_ok=True)
    result.write_bytes(head + importlib.util.source_hash(data) + marshal.dumps(code))


def is_below(path: str) -> bool:
    """Tell whether a path stays below the folder that it is joined to."""
    return bool(path) and not Path(path).is_absolute() and ".." not in path.split("/")


def compile_all(paths: list[str], sources: Path, results: Path) -> None:
    """Compile one file after the other; where there is fork, each in a process of its own."""
    for path in paths:
        job = (sources / path, results / (path + "c"), "/opt/" + path)
        if not hasattr(os, "fork"):
            compile_file(*job)
            continue
        child = os.fork()
        if not child:
            try:
                compile_file(*job)
            finally:
                os._exit(0)
        os.waitpid(child, 0)


def main(sources: Path, results: Path, processes: int) -> None:
    """Share the paths on stdin out among processes."""
    warnings.simplefilter("ignore")
    paths = list(filter(is_below, sys.stdin.buffer.read().decode("utf-8").split("\n")))
    if not hasattr(os, "fork"):
        processes = 1
    children = []
    for share in range(1, processes):
        child = os.fork()
        if not child:
            try:
                compile_all(paths[share::processes], sources, results)
            finally:
                os._exit(0)
        children.append(child)
    compile_all(paths[::processes], sources, results)
    for child in children:
        os.waitpid(child, 0)
    used = os.times()
    sys.stdout.write(f"{used.user + used.children_user:.3f}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
