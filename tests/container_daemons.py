"""Container engines of the tests' own: a docker daemon and a podman that share nothing with the machine's.

Each keeps all its state in one temporary folder, is reached only through `environment`, and takes
everything that it started or mounted with it when it is closed. Both need to be root.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

_PATIENCE = 30.0  # seconds that a daemon may take to start or to end

_CONTAINERS_CONF = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
tmp_dir = "{folder}/tmp"
[network]
network_config_dir = "{folder}/networks"
"""
_STORAGE_CONF = """
[storage]
driver = "overlay"
graphroot = "{folder}/data"
runroot = "{folder}/run"
"""
_REGISTRIES_CONF = """
[[registry]]
location = "127.0.0.1"
insecure = true
"""


class PrivateEngine:
    """What both have in common. `name` is the command, `environment` what leads it to this engine."""

    name = ""
    programs: tuple[str, ...] = ()

    def __init__(self) -> None:
        # Short and in /tmp: the path of a Unix socket has room for 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="lc-engine-", dir="/tmp"))
        self.environment: dict[str, str] = {}

    @classmethod
    def lacks(cls) -> str | None:
        """Tell why this engine cannot be had here; None when it can."""
        if os.name != "posix" or os.geteuid() != 0:
            return f"a private {cls.name} needs root"
        missing = [program for program in cls.programs if not _which(program)]
        return f"{', '.join(missing)} not installed; .ci/engines does it" if missing else None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start what has to run, and wait until it answers."""

    def __call__(self, *arguments: str | Path, check: bool = True) -> str:
        """Run the engine's command and give what it printed on stdout."""
        return subprocess.run(
            [self.name, *arguments],
            env=os.environ | self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=300,
            check=check,
        ).stdout

    def containers(self) -> list[str]:
        """Give the ids of all containers, ended ones too."""
        return self("ps", "--all", "--quiet").split()

    def mounts(self) -> list[str]:
        """Give the mount points in this engine's folder, outer ones first."""
        lines = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
        points = [line.split(" ")[1] for line in lines]
        return [point for point in points if point.startswith(f"{self.folder}/")]

    def close(self) -> None:
        """Remove every container, unmount and delete everything."""
        for mount in reversed(self.mounts()):
            subprocess.run(["umount", "--lazy", mount], check=False, capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)


class PrivateDocker(PrivateEngine):
    """A docker daemon without networks: containers reach nothing but themselves."""

    name = "docker"
    programs: tuple[str, ...] = ("docker", "dockerd", "containerd", "runc")
    bridge = "none"

    def __init__(self) -> None:
        super().__init__()
        self.environment = {
            "DOCKER_HOST": f"unix://{self.folder}/docker.sock",
            "DOCKER_CONFIG": str(self.folder / "config"),
        }
        self._daemon: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the daemon."""
        folder = self.folder
        command = [
            _which("dockerd") or "dockerd",
            *("--host", self.environment["DOCKER_HOST"]),
            *("--data-root", f"{folder}/data", "--exec-root", f"{folder}/run"),
            *("--pidfile", f"{folder}/docker.pid", "--config-file", f"{folder}/daemon.json"),
            *(f"--bridge={self.bridge}", "--iptables=false", "--ip6tables=false"),
            "--exec-opt=native.cgroupdriver=cgroupfs",
        ]
        (folder / "daemon.json").write_text("{}", encoding="utf-8")
        with (folder / "dockerd.log").open("wb") as log:
            # A group of its own: Ctrl-C in the tests' terminal must not end it before its containers.
            self._daemon = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + _PATIENCE
        while not self("version", check=False).count("Server:"):
            if self._daemon.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((folder / "dockerd.log").read_text(encoding="utf-8", errors="replace"))
            time.sleep(0.1)

    def close(self) -> None:
        """End the daemon, which ends its containers."""
        if self._daemon and self._daemon.poll() is None:
            with suppress(subprocess.SubprocessError):
                if containers := self.containers():
                    self("rm", "--force", *containers, check=False)
            self._daemon.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._daemon.wait(_PATIENCE)
            with suppress(ProcessLookupError):  # containerd, if the daemon could not end it
                os.killpg(self._daemon.pid, signal.SIGKILL)
            self._daemon.wait()
        super().close()


class BridgedDocker(PrivateDocker):
    """A docker daemon whose containers and this machine reach each other, and nothing else."""

    programs = (*PrivateDocker.programs, "ip", "docker-proxy")

    def __init__(self) -> None:
        super().__init__()
        self.bridge = f"lc{secrets.token_hex(4)}"

    def start(self) -> None:
        """Make the bridge, then start the daemon."""
        address = f"10.{secrets.randbelow(256)}.{secrets.randbelow(256)}.1/24"
        for words in (
            ("link", "add", self.bridge, "type", "bridge"),
            ("addr", "add", address, "dev", self.bridge),
            ("link", "set", self.bridge, "up"),
        ):
            subprocess.run([_which("ip") or "ip", *words], check=True, capture_output=True)
        super().start()

    def close(self) -> None:
        """End the daemon and remove the bridge."""
        super().close()
        command = [_which("ip") or "ip", "link", "del", self.bridge]
        subprocess.run(command, check=False, capture_output=True)


class PrivatePodman(PrivateEngine):
    """A podman with storage and configuration of its own, and runc, which knows every kind of cgroup."""

    name = "podman"
    programs = ("podman", "runc", "conmon")

    def __init__(self) -> None:
        super().__init__()
        for key, name, text in (
            ("CONTAINERS_CONF", "containers.conf", _CONTAINERS_CONF),
            ("CONTAINERS_STORAGE_CONF", "storage.conf", _STORAGE_CONF),
            ("CONTAINERS_REGISTRIES_CONF", "registries.conf", _REGISTRIES_CONF),
        ):
            path = self.folder / name
            path.write_text(text.format(folder=self.folder), encoding="utf-8")
            self.environment[key] = str(path)

    def close(self) -> None:
        """Remove the containers; podman has no daemon."""
        with suppress(subprocess.SubprocessError, OSError):
            self("rm", "--all", "--force", check=False)
        super().close()


def _which(program: str) -> str | None:
    return shutil.which(
        program, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin:/usr/libexec/podman"
    )
