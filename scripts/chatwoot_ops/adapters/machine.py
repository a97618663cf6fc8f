"""What this machine has: cores, memory, disk, kernel settings, ports in use, and who is asking."""

from __future__ import annotations

import getpass
import os
import platform
import pwd
import shutil
import socket
from collections.abc import Iterable
from pathlib import Path


class Machine:
    """The machine the tool runs on. Everything here looks and never touches."""

    def user(self) -> str:
        """The name of the user who runs this."""
        return os.environ.get("SUDO_USER") or getpass.getuser()

    def account(self) -> str:
        """The name of the account whose rights this process has."""
        return _name_of(os.geteuid())

    def owner(self, path: Path) -> str:
        """The name of the account that a file belongs to, its number where it has no name."""
        return _name_of(path.stat().st_uid)

    def scheduler(self) -> str:
        """What runs tasks by itself here: systemd, cron, or "" for neither."""
        if Path("/run/systemd/system").is_dir():
            return "systemd"
        places = (Path(folder, name) for folder in ("/usr/sbin", "/usr/bin") for name in ("cron", "crond"))
        return "cron" if Path("/etc/cron.d").is_dir() and any(place.exists() for place in places) else ""

    def architecture(self) -> str:
        """The processor architecture, such as x86_64."""
        return platform.machine()

    def cores(self) -> int:
        """Cores that this process may use."""
        return len(os.sched_getaffinity(0))

    def memory(self) -> int:
        """Memory in bytes."""
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")

    def available_memory(self) -> int:
        """Bytes that programs can still have without anything being swapped out, by the kernel's own estimate."""
        text = Path("/proc/meminfo").read_text(encoding="ascii")
        line = next((line for line in text.splitlines() if line.startswith("MemAvailable:")), "0 0")
        return int(line.split()[1]) * 1024

    def free_disk(self, path: Path) -> int:
        """Bytes that can still be written below this path (or its nearest parent that exists)."""
        while not path.exists() and path != path.parent:
            path = path.parent
        return shutil.disk_usage(path).free

    def kernel_setting(self, name: str) -> str:
        """A sysctl's value by its dotted name, "" when the kernel does not have it."""
        try:
            return Path("/proc/sys", *name.split(".")).read_text(encoding="ascii").strip()
        except OSError:
            return ""

    def variables(self, names: Iterable[str]) -> dict[str, str]:
        """Those of these environment variables that are set to something."""
        return {name: value for name in names if (value := os.environ.get(name, ""))}

    def port_is_free(self, address: str, port: int) -> bool:
        """Whether a server could listen there now."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError:
                return False
        return True

    def free_port(self) -> int:
        """A port on the loopback address that is free now."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return int(probe.getsockname()[1])


def _name_of(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
