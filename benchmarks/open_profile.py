"""Make the benchmarks' own AiiDA profile.

Usage: python open_profile.py FOLDER
"""

import sys
from pathlib import Path

from aiida_crucible.demo.profile import open_profile

if __name__ == "__main__":
    open_profile(Path(sys.argv[1]))
