"""What is used of aiida-shell beyond its documented interface."""

from __future__ import annotations

from aiida_shell.launch import prepare_shell_job_inputs as prepare_shell_job_inputs
