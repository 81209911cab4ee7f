"""Machines of our own: network namespaces on a bridge, each with a host name and process ids of its own."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.e2e.site import Supervisor
from tests.servers.site import OwnSite

PROGRAMS = ("ip", "unshare")
# The shell stays, as the first process of the machine, which has to outlive what it starts.
BOOT = 'hostname "$0" && "$@"; exit $?'


def missing() -> str | None:
    """Return what keeps this machine from having others within."""
    if os.geteuid() != 0:
        return "root, who may make network namespaces"
    return next((program for program in PROGRAMS if shutil.which(program) is None), None)


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"


class Network:
    """A bridge with an address of this machine; `address` is where the others find it."""

    def __init__(self) -> None:
        number = os.getpid()
        self.bridge = f"qb{number % 1_000_000}"
        self._prefix = f"10.{200 + number % 50}.{number // 50 % 250}"
        self.address = f"{self._prefix}.1"
        self.machines: list[Machine] = []
        _ip("link", "add", self.bridge, "type", "bridge")
        _ip("address", "add", f"{self.address}/24", "dev", self.bridge)
        _ip("link", "set", self.bridge, "up")

    def machine(self, host: str) -> "Machine":
        self.machines.append(Machine(self.bridge, host, len(self.machines) + 2, self._prefix))
        return self.machines[-1]

    def remove(self) -> None:
        for machine in self.machines:
            machine.remove()
        _ip("link", "delete", self.bridge)


class Machine:
    def __init__(self, bridge: str, host: str, number: int, prefix: str) -> None:
        self.host = host
        self.namespace = f"{bridge}-{host}"
        self._outside, inside = f"{bridge}o{number}", f"{bridge}i{number}"
        _ip("netns", "add", self.namespace)
        _ip("link", "add", self._outside, "type", "veth", "peer", "name", inside, "netns", self.namespace)
        _ip("link", "set", self._outside, "master", bridge, "up")
        _ip("-n", self.namespace, "address", "add", f"{prefix}.{number}/24", "dev", inside)
        _ip("-n", self.namespace, "link", "set", inside, "up")
        _ip("-n", self.namespace, "link", "set", "lo", "up")

    def cut(self) -> None:
        """Pull the cable."""
        _ip("link", "set", self._outside, "down")

    def join(self) -> None:
        _ip("link", "set", self._outside, "up")

    def remove(self) -> None:
        _ip("netns", "delete", self.namespace)  # the cable goes with it

    def start(self, site: OwnSite, *options: str, **environment: str) -> Supervisor:
        """Start a supervisor on this machine; its kill is the machine's."""
        return Guest(self, site).start(*options, **environment)


class Guest(OwnSite):
    """A site as a machine sees it: the same home, database and ledger, and commands that run there."""

    def __init__(self, machine: Machine, site: OwnSite) -> None:
        super().__init__(site.home, site.database)
        self.environment = site.environment
        self.supervisors = site.supervisors
        self._machine = machine

    def command(self, *words: str) -> list[str]:
        inside = ["ip", "netns", "exec", self._machine.namespace]
        alone = ["unshare", "--uts", "--pid", "--fork", "--mount-proc", "--kill-child"]
        return [*inside, *alone, "/bin/sh", "-c", BOOT, self._machine.host, *super().command(*words)]


def clock_shifter() -> Path | None:
    """Return the library that gives a process another time (Debian's faketime)."""
    return next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
