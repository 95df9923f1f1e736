"""CalcJobs: what is computed, with as much work a job as one model load pays for."""
