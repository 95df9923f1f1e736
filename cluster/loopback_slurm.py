"""A real SLURM of one node on the loopback interface, with a munge of its own."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

from daemons import Daemons, UnavailableError, answers, find_program, free_ports, wait_until

# What differs from SLURM's defaults, and why:
# proctrack/pgid needs no cgroups and, as they do and proctrack/linuxproc does not, leaves no process of a job behind.
# OverMemoryKill stands for the limit that cgroups would set.
# config_overrides lets a small machine have as many processors as the tests ask for.
# The node's graphics card exists on paper only, so that --gres has something to be granted.
CONFIGURATION = """\
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/controller
SlurmdSpoolDir={folder}/node
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=1,batch_sched_delay=1
ReturnToService=2
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={processors} RealMemory={megabytes} Gres=gpu:1 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES State=UP
PartitionName=gpu Nodes={host} State=UP
PartitionName=short Nodes={host} MaxTime=1 DefaultTime=1 State=UP
"""


class LoopbackSlurm:
    """A SLURM with all of its files in one folder: one node with one graphics card.

    Its partitions are ``main``, ``gpu`` and ``short``, where a minute is the limit that nobody has to ask for.


    :param folder: an empty folder, which everybody may enter; its path has to be short, as a socket lies in it.
    :param processors: how many the node seems to have.
    :param megabytes: its memory.
    """

    def __init__(self, folder: Path, processors: int = 8, megabytes: int = 2000) -> None:
        self.folder = folder
        self.processors = processors
        self.megabytes = megabytes
        self._daemons = Daemons(folder)

    @property
    def environment(self) -> dict[str, str]:
        """The variable that tells SLURM's commands of this cluster."""
        return {"SLURM_CONF": str(self.folder / "slurm.conf")}

    def start(self) -> None:
        """Start it.

        :raises UnavailableError: if this machine lacks what it takes.
        """
        if os.geteuid() != 0:
            raise UnavailableError("SLURM's daemons have to be started by root")
        munged, controller = find_program("munged", "munge"), find_program("slurmctld", "slurmctld")
        node, _ = find_program("slurmd", "slurmd"), find_program("sbatch", "slurm-client")
        self._write_files()
        self._daemons.start("munged", self._munge_command(munged), (self.folder / "munge.socket").exists)
        configuration = self.environment["SLURM_CONF"]
        self._controller_port, node_port = self._ports
        command = [controller, "-D", "-f", configuration]
        self._daemons.start("slurmctld", command, lambda: answers(self._controller_port))
        self._daemons.start("slurmd", [node, "-D", "-f", configuration], lambda: answers(node_port))
        if not wait_until(lambda: self.run("sinfo", "--noheader", "--format=%t").split()[:1] == ["idle"], 30, 0.2):
            raise UnavailableError(f"SLURM's node does not become idle: {self.run('sinfo', '--long').strip()}")

    def stop(self) -> None:
        """End it, and the jobs that still run."""
        if self._daemons.is_running("slurmctld"):
            for job in self.jobs():
                self.run("scancel", "--signal=KILL", "--full", job)
            wait_until(lambda: not self.jobs(), 20, 0.2)
        for name in ("slurmd", "slurmctld", "munged"):
            self._daemons.stop(name)

    def run(self, program: str, *arguments: str) -> str:
        """Run one of SLURM's commands and return what it writes.

        :raises subprocess.CalledProcessError: if it fails.
        """
        done = subprocess.run(
            [program, *arguments], env={**os.environ, **self.environment}, capture_output=True, text=True, check=True
        )
        return done.stdout

    def jobs(self) -> list[str]:
        """Return the ids of the jobs that wait or run."""
        return self.run("squeue", "--noheader", "--format=%i").split()

    def running_jobs(self) -> list[str]:
        """Return the ids of the jobs that run, or have not quite ended."""
        return self.run("squeue", "--noheader", "--states=RUNNING,COMPLETING", "--format=%i").split()

    def describe(self, job: str) -> dict[str, str]:
        """Return what ``scontrol show job`` tells, by its keys; SLURM forgets a job five minutes after its end."""
        words = self.run("scontrol", "show", "job", "--oneliner", job).split()
        return dict(word.split("=", 1) for word in words if "=" in word)

    def _write_files(self) -> None:
        for name in ("controller", "node"):
            (self.folder / name).mkdir()
        key = self.folder / "munge.key"
        key.touch(0o600)
        key.write_bytes(secrets.token_bytes(128))
        self._ports = free_ports(2)
        (self.folder / "slurm.conf").write_text(
            CONFIGURATION.format(
                host=socket.gethostname().split(".")[0],
                controller_port=self._ports[0],
                node_port=self._ports[1],
                folder=self.folder,
                processors=self.processors,
                megabytes=self.megabytes,
            )
        )
        (self.folder / "gres.conf").write_text("Name=gpu Count=1 File=/dev/null\n")

    def _munge_command(self, munged: str) -> Sequence[str]:
        place = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        return [munged, "--foreground", *(f"--{option}={self.folder}/munge.{end}" for option, end in place.items())]
