"""``python -m crucible_engine job.json``: runs one job."""

from crucible_engine.job.program import run_process

if __name__ == "__main__":
    run_process()
