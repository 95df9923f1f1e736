"""What the engine says where it refuses something, for tests within the environments of families."""

from crucible_engine.wire.schema import EngineError


def said(action):
    """Return the condition and the message of a refusal; ``None``, if there was none."""
    try:
        action()
    except EngineError as error:
        return [error.condition.name, error.message]
    return None
