"""A real sshd on the loopback interface, which lets its own user in with a key made on the spot."""

from __future__ import annotations

import getpass
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from daemons import Daemons, UnavailableError, answers, find_program, free_ports

CONFIGURATION = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin yes
PermitUserEnvironment no
Subsystem sftp internal-sftp
"""


class LoopbackSshd:
    """An sshd with all of its files in one folder.

    :param folder: an empty folder.
    :param environment: variables that every session gets.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.environment = dict(environment or {})
        self.key = folder / "user"
        self.port = 0
        self._daemons = Daemons(folder)

    def start(self) -> None:
        """Start it.

        :raises UnavailableError: if this machine lacks what it takes.
        """
        sshd, keygen = find_program("sshd", "openssh-server"), find_program("ssh-keygen", "openssh-client")
        for name in ("host", "user"):
            command = [keygen, "-q", "-t", "rsa", "-N", "", "-m", "PEM", "-f", str(self.folder / name)]
            subprocess.run(command, check=True)
        (self.port,) = free_ports(1)
        lines = [CONFIGURATION.format(port=self.port, folder=self.folder)]
        if self.environment:
            lines.append("SetEnv " + " ".join(f'{name}="{value}"' for name, value in self.environment.items()))
        configuration = self.folder / "sshd_config"
        configuration.write_text("".join(lines) + "\n")
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        self._daemons.start("sshd", [sshd, "-D", "-e", "-f", str(configuration)], lambda: answers(self.port))

    def stop(self) -> None:
        """End it."""
        self._daemons.stop("sshd")

    def write_user_files(self, home: Path, host: str) -> None:
        """Write what a user has in ``~/.ssh`` to reach it by a name: ``config`` and ``known_hosts``.

        :param home: the user's home folder.
        :param host: the name.
        """
        if not self.port:
            raise UnavailableError("sshd has not been started")
        folder = home / ".ssh"
        folder.mkdir(mode=0o700, exist_ok=True)
        host_key = (self.folder / "host.pub").read_text()
        (folder / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {host_key}")
        (folder / "config").write_text(
            f"Host {host}\n  HostName 127.0.0.1\n  Port {self.port}\n  User {getpass.getuser()}\n"
            f"  IdentityFile {self.key}\n  IdentitiesOnly yes\n  UserKnownHostsFile {folder}/known_hosts\n"
        )
