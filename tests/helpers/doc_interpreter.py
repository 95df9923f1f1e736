"""The Python of a reader: it runs one block after the other in the same names, until its input ends.

Each line of its input is a JSON object with ``source``, ``place`` (page and line, for tracebacks), ``folder`` (to be
in) and ``shell`` (whether the names of ``verdi shell`` are wanted). After each block it writes a line to a file that
its argument names: ``ok``, or ``failed`` with the traceback on its standard error.
"""

import json
import linecache
import os
import sys
import traceback
from pathlib import Path

if "MPLBACKEND" not in os.environ:
    os.environ["MPLBACKEND"] = "Agg"

sys.path.insert(0, "")
names = {"__name__": "__main__"}
answers = Path(sys.argv[1]).open("a", buffering=1, encoding="utf-8")  # noqa: SIM115
sys.argv = [""]
for line in sys.stdin:
    block = json.loads(line)
    os.chdir(block["folder"])
    if block["shell"]:
        from aiida import load_profile
        from aiida.cmdline.utils.shell import get_start_namespace

        load_profile()
        names.update({name: value for name, value in get_start_namespace().items() if name not in names})
    place, source = block["place"], block["source"]
    linecache.cache[place] = (len(source), None, source.splitlines(keepends=True), place)
    try:
        exec(compile(source, place, "exec"), names)
        answer = "ok"
    except BaseException:
        traceback.print_exc()
        answer = "failed"
    sys.stdout.flush()
    sys.stderr.flush()
    answers.write(answer + "\n")
