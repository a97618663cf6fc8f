"""A Docker Engine of the tests' own, which may be killed: its own data, socket, containerd, mounts and network.

It shares nothing with the machine's engine: two daemons in one network namespace would flush each other's rules.
"""

import ctypes
import fcntl
import shutil
import signal
import socket
import struct
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stack.tools import docker, run, wait_for

CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS, IFF_UP = 0x8914, 1


def enter_network(path):
    """The network namespace of this process, and of all that it starts from now on."""
    with Path(path).open() as namespace:
        if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter {path}")


def loopback_up():
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh", b"lo", IFF_UP) + bytes(14))


@dataclass
class OwnEngine:
    """Its daemon is a child of the tests; `holder` keeps its namespaces while it is dead."""

    folder: Path
    holder: int
    daemon: subprocess.Popen | None = None

    @property
    def host(self):
        return f"unix://{self.folder}/docker.sock"

    def start(self):
        inside = ("nsenter", "--target", str(self.holder), "--net", "--mount")
        places = ("--pidfile", "docker.pid"), ("--exec-root", "exec"), ("--data-root", "data")
        own = [part for flag, name in places for part in (flag, str(self.folder / name))]
        # Left by a killed one, which would wait for a containerd that is gone; scripts/install-docker does the same.
        for left in ("docker.pid", "exec/containerd/containerd.pid"):
            (self.folder / left).unlink(missing_ok=True)
        with (self.folder / "dockerd.log").open("ab") as log:
            argv = (*inside, "dockerd", "--host", self.host, *own)
            self.daemon = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for(lambda: docker("version", check=False).code == 0, "the engine of the tests' own answers", 60)

    def ended(self):
        """Waits for the end of a daemon that somebody killed."""
        assert self.daemon.wait(30) == -signal.SIGKILL

    def remove(self):
        """Every container, the daemon, and the data: mounts are in a namespace that ends with its holder."""
        if self.daemon.poll() is None:
            if ids := docker("ps", "-aq", check=False).out.split():
                docker("rm", "-f", "-v", *ids, check=False)
            self.daemon.terminate()
            self.daemon.wait(60)


def bring_images(engine, names, shared):
    """From the machine's engine into this one."""
    script = 'docker --host "$0" save "$@" | docker --host "$DOCKER_HOST" load --quiet'
    run("bash", "-o", "pipefail", "-c", script, shared, *names, env={"DOCKER_HOST": engine.host}, check=True)


@contextmanager
def own_engine(folder, images, environment):
    """The engine that `docker` and every task speak to while the block runs, and the network that they are in."""
    shared = docker("context", "inspect", "--format", "{{.Endpoints.docker.Host}}").out.strip()
    here = Path("/proc/self/ns/net")
    with here.open() as before, subprocess.Popen(("unshare", "--net", "--mount", "sleep", "infinity")) as holder:
        engine = OwnEngine(folder, holder.pid)
        try:
            inside = Path(f"/proc/{holder.pid}/ns/net")
            wait_for(lambda: inside.readlink() != here.readlink(), "a network namespace", 10)
            enter_network(inside)
            loopback_up()
            environment.setenv("DOCKER_HOST", engine.host)
            engine.start()
            bring_images(engine, images, shared)
            yield engine
        finally:
            if engine.daemon:
                engine.remove()
            enter_network(f"/proc/self/fd/{before.fileno()}")
            holder.kill()
    shutil.rmtree(folder, ignore_errors=True)
