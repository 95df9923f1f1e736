"""What can go wrong with an environment, each as one line."""

from __future__ import annotations

CUDA_REFUSED_STATUS = 12
"""Exit status of the recipe when it would download CUDA on a machine without a GPU and nobody agreed."""

ERROR_SIGN = "error:"
"""How uv and the recipe begin a line about an error; these end up in the exception instead of the progress."""


class ModelEnvironmentError(RuntimeError):
    """An environment cannot be had; the message is one line for the user."""


class CudaRefusedError(ModelEnvironmentError):
    """The plain index offers a CUDA build only, the machine has no GPU, and nobody has agreed to download it."""


_CAUSES = (
    ("No space left on device", "the disk is full: free some space, or set CRUCIBLE_ENVIRONMENTS to a larger disk"),
    ("Disk quota exceeded", "the disk quota is exceeded: set CRUCIBLE_ENVIRONMENTS to a place with more room"),
    ("Permission denied", "no permission to write there: set CRUCIBLE_ENVIRONMENTS to a folder of your own"),
    ("No interpreter found", "there is no such Python, and uv cannot fetch one: choose another with --python"),
    ("No solution found", "the lock cannot be installed on this platform"),
    ("invalid peer certificate", "the package index's certificate is not trusted there: set SSL_CERT_FILE"),
    ("dns error", "the package index cannot be reached: is there a network (or set UV_INDEX_URL, UV_FIND_LINKS)?"),
    ("error sending request", "the package index cannot be reached: is there a network, a proxy, UV_INDEX_URL?"),
    ("Network connectivity is disabled", "uv is told to stay off-line and its cache does not hold every package"),
)


def problem_from_log(folder: str, status: int, log: str) -> ModelEnvironmentError:
    """Return the problem behind a failed recipe.

    :param folder: name of the environment's folder.
    :param status: the recipe's exit status.
    :param log: what it wrote.
    """
    errors = [line.removeprefix(ERROR_SIGN).strip() for line in log.splitlines() if line.startswith(ERROR_SIGN)]
    # The last one is the recipe's, the first one the reason that uv gave for it.
    last_error = ": ".join(dict.fromkeys(errors[-1:] + errors[:1])) or f"the recipe ended with status {status}"
    if status == CUDA_REFUSED_STATUS:
        return CudaRefusedError(last_error)
    cause = next((meaning for sign, meaning in _CAUSES if sign in log), None)
    detail = last_error if cause is None else f"{cause} ({last_error})"
    return ModelEnvironmentError(f"environment {folder} was not created: {detail}")
