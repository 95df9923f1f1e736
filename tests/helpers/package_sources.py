"""Where the tests with real packages find the source of one that is on no index."""

import os


def variable_of(family):
    """Return the environment variable that names the source."""
    return f"CRUCIBLE_TEST_{family.upper()}_SOURCE"


def source_of(family):
    """Return the path of the source of a family's package; ``None`` where none is named."""
    return os.environ.get(variable_of(family))
