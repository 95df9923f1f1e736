"""A cluster to play with: SLURM and sshd on the loopback interface, as the tests of the group ``cluster`` have them.

Run by root: ``python cluster/start.py FOLDER`` starts them and says how to use them; ``--stop`` ends them.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from daemons import UnavailableError
from loopback_slurm import LoopbackSlurm
from loopback_sshd import LoopbackSshd

INSTRUCTIONS = """\
SLURM and sshd run on the loopback interface. In a shell:

  export SLURM_CONF={folder}/slurm/slurm.conf
  sinfo
  ssh -F {folder}/.ssh/config cluster sinfo

To end them:  python {script} --stop {folder}"""


def main() -> int:
    """Do what the command line says; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a folder of a short path, to be made by this program")
    parser.add_argument("--stop", action="store_true", help="end what was started in that folder, and delete it")
    options = parser.parse_args()
    folder = options.folder.absolute()
    slurm = LoopbackSlurm(folder / "slurm")
    sshd = LoopbackSshd(folder / "sshd", slurm.environment)
    if options.stop:
        if not (slurm.folder / "slurm.conf").exists():
            print(f"{folder} holds no cluster of this program", file=sys.stderr)
            return 1
        _stop(folder, slurm, sshd)
        return 0
    try:
        for place in (slurm.folder, sshd.folder):
            place.mkdir(parents=True)
        slurm.start()
        sshd.start()
        sshd.write_user_files(folder, "cluster")
    except (UnavailableError, FileExistsError) as error:
        print(error, file=sys.stderr)
        if isinstance(error, UnavailableError):
            _stop(folder, slurm, sshd)
        return 1
    print(INSTRUCTIONS.format(folder=folder, script=Path(__file__)))
    return 0


def _stop(folder: Path, slurm: LoopbackSlurm, sshd: LoopbackSshd) -> None:
    sshd.stop()
    slurm.stop()
    shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
