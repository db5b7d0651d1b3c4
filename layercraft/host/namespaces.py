"""A program that runs a command as Lambda would: nothing to write but /tmp, no network, no /dev/shm.

`python -I -S namespaces.py SETTINGS COMMAND…` on Linux; layercraft never imports it. It makes
namespaces(7) for users, mounts, processes, network and IPC, then becomes process 1 of them and runs
the command, without capabilities and as another user to its eyes. SETTINGS is a JSON document:

    token   a random word for the report
    parent  the process that must live as long as this one
    keep    folders and files that the command needs, should they lie in /tmp
    tmp     a folder that stands for /tmp where /tmp cannot be hidden
    folder  the working directory

Before the command runs, one line of JSON on stdout reports what could not be had: `confined` maps
read-only, network, shared-memory, tmp and processes to the reason, or to "" where all is well.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import signal
import socket
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

# From linux/sched.h, linux/mount.h, linux/prctl.h, linux/if.h and asm-generic/unistd.h.
NEW_MOUNTS, NEW_IPC, NEW_USER, NEW_PROCESSES, NEW_NETWORK = 1 << 17, 1 << 27, 1 << 28, 1 << 29, 1 << 30
READ_ONLY, NO_SUID, NO_DEVICES, NO_PROGRAMS, BIND, RECURSIVE, PRIVATE = 1, 2, 4, 8, 1 << 12, 1 << 14, 1 << 18
MOUNT_SETATTR, HERE, WITH_SUBTREE = 442, -100, 0x8000
DEATH_SIGNAL, DROP_CAPABILITY, NO_NEW_PRIVILEGES = 1, 24, 38
GET_FLAGS, SET_FLAGS, IS_UP = 0x8913, 0x8914, 1

LAMBDA_USER, LAMBDA_GROUP = 993, 990  # as in AWS's images; what runs may look at them
TMP_SIZE = "512m"  # Lambda's default for /tmp
MOST_CAPABILITIES = 64

_libc = ctypes.CDLL(None, use_errno=True)


def main() -> int:
    """Run the command; give its exit code, or 128 and the signal's number."""
    settings, command = json.loads(sys.argv[1]), sys.argv[2:]
    _die_with(settings["parent"])
    refused = _enter_namespaces()
    if refused:
        reasons = dict.fromkeys(("read-only", "network", "shared-memory", "tmp", "processes"), refused)
        return _become(command, settings, reasons)
    mine = os.getpid()
    child = os.fork()
    if not child:
        _die_with(mine, known_as=0)
        return _become(command, settings, _confine(settings))
    _, status = os.waitpid(child, 0)
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


def _die_with(parent: int, *, known_as: int | None = None) -> None:
    """Have the kernel kill this process when its parent dies, which may have happened already."""
    _libc.prctl(DEATH_SIGNAL, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() not in {parent, known_as}:
        sys.exit(128 + signal.SIGKILL)


def _enter_namespaces() -> str:
    """Enter all namespaces; give the reason why that is impossible, or ""."""
    user, group = os.geteuid(), os.getegid()
    try:
        _check(_libc.unshare(NEW_USER | NEW_MOUNTS | NEW_PROCESSES | NEW_NETWORK | NEW_IPC))
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{LAMBDA_USER} {user} 1"),
            ("gid_map", f"{LAMBDA_GROUP} {group} 1"),
        ):
            Path("/proc/self", name).write_text(text, encoding="ascii")
    except OSError as error:
        return _reason(error)
    return ""


def _confine(settings: dict[str, Any]) -> dict[str, str]:
    """Take away what Lambda has not; give the reasons where that failed."""
    return {
        "processes": _tried(lambda: _mount("proc", "/proc", "proc", NO_SUID | NO_DEVICES | NO_PROGRAMS)),
        "read-only": _tried(_write_protect),
        "tmp": _tried(lambda: _empty_tmp(settings["keep"])),
        "shared-memory": _tried(_hide_shared_memory),
        "network": _tried(_raise_loopback),
    }


def _tried(step: Callable[[], None]) -> str:
    try:
        step()
    except OSError as error:
        return _reason(error)
    return ""


def _write_protect() -> None:
    """Make all that is mounted read-only, and private to us, in one call (Linux 5.12)."""
    attributes = struct.pack("4Q", READ_ONLY, 0, PRIVATE, 0)
    _check(_libc.syscall(MOUNT_SETATTR, HERE, b"/", WITH_SUBTREE, attributes, len(attributes)))


def _empty_tmp(keep: list[str]) -> None:
    """Lay an empty folder over /tmp, and what the command needs into it again."""
    tmp = Path("/tmp").resolve()  # noqa: S108 (Lambda's own)
    kept = [Path(path) for path in keep if tmp in Path(path).parents]
    opened = [os.open(path, os.O_PATH) for path in kept]
    _mount("tmpfs", str(tmp), "tmpfs", NO_SUID | NO_DEVICES, f"size={TMP_SIZE},mode=1777")
    for path, descriptor in zip(kept, opened, strict=True):
        _make_place(path, folder=_is_folder(descriptor))
        _mount(f"/proc/self/fd/{descriptor}", str(path), None, BIND | RECURSIVE)
        os.close(descriptor)


def _is_folder(descriptor: int) -> bool:
    return os.path.isdir(f"/proc/self/fd/{descriptor}")  # noqa: PTH112 (a descriptor, no path)


def _make_place(path: Path, *, folder: bool) -> None:
    """Make what something can be mounted on; it may be seen already, inside of what was kept before."""
    if not path.exists():
        (path if folder else path.parent).mkdir(parents=True, exist_ok=True)
    if not folder and not path.exists():
        path.touch()


def _hide_shared_memory() -> None:
    shared = "/dev/shm"  # noqa: S108 (to be hidden, not used)
    if Path(shared).is_dir():
        _mount("tmpfs", shared, "tmpfs", READ_ONLY | NO_SUID | NO_DEVICES, "mode=0,size=4k")


def _raise_loopback() -> None:
    """Switch on 127.0.0.1, which a new network has, but asleep (netdevice(7))."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        name = b"lo".ljust(16, b"\0")
        flags = struct.unpack_from("H", fcntl.ioctl(asked, GET_FLAGS, name + bytes(24)), 16)[0]
        fcntl.ioctl(asked, SET_FLAGS, name + struct.pack("H", flags | IS_UP) + bytes(22))


def _become(command: list[str], settings: dict[str, Any], reasons: dict[str, str]) -> int:
    """Give up all privileges, report, and run the command in our place."""
    for capability in range(MOST_CAPABILITIES):
        _libc.prctl(DROP_CAPABILITY, capability, 0, 0, 0)
    _libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    if reasons["tmp"]:
        os.environ.update(TMPDIR=settings["tmp"], HOME=settings["tmp"])
    os.chdir(settings["folder"])
    sys.stdout.write(json.dumps({"token": settings["token"], "confined": reasons}) + "\n")
    sys.stdout.flush()
    try:
        os.execv(command[0], command)  # noqa: S606 (that is the purpose)
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {_reason(error)}\n")
        return 127


def _mount(source: str, target: str, kind: str | None, flags: int, data: str = "") -> None:
    _check(
        _libc.mount(
            source.encode(), target.encode(), kind.encode() if kind else None, flags, data.encode() or None
        )
    )


def _check(result: int) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


if __name__ == "__main__":
    sys.exit(main())
