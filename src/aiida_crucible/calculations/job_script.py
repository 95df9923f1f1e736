"""What the job script adds around the engine: signals that reach the shell alone are passed on.

SLURM ends a batch job with SIGTERM, and with SIGKILL half a minute later (``KillWait``). Where it tracks processes by
cgroups, as nearly everywhere, it sends SIGTERM only to the shell that runs the script, as it does with ``#SBATCH
--signal=B:…`` anywhere. Left alone that shell would die at once and take the engine with it, or hold the signal back
until the engine has ended. So the engine runs in the background, and the shell waits for it with traps set. The shell
commands are POSIX's.
"""

from __future__ import annotations

from aiida.common.datastructures import CalcInfo, CodeRunMode

from crucible_engine.job.process import SIGNALS

# The run line ends in `wait`, which says nothing of how the engine ended and returns at the first signal.
BEFORE = f"""\
wait() {{
    crucible_told=yes
    while [ "$crucible_told" ]; do
        crucible_told=
        command wait "$!"
        crucible_status=$?
    done
}}
for crucible_signal in {" ".join(name.removeprefix("SIG") for name in SIGNALS)}; do
    trap "crucible_told=yes; [ \\"\\$!\\" ] || exit 143; kill -s $crucible_signal \\$! 2>/dev/null" "$crucible_signal"
done"""
"""Comes before the engine's command; a signal before the engine has started ends the job."""


def pass_signals_on(info: CalcInfo, status_file: str) -> None:
    """Let the job script pass signals on to its only code, and write down how that ended.

    :param info: the job, with one code.
    :param status_file: name of the file that gets the exit status of the code's process; it is missing if the shell
        itself was ended.
    """
    info.codes_run_mode = CodeRunMode.PARALLEL
    info.prepend_text = BEFORE
    info.append_text = f'echo "$crucible_status" > {status_file}'
