"""AiiDA's own fixtures: every test sees a temporary profile without services, never the user's."""

pytest_plugins = ["aiida.tools.pytest_fixtures"]
