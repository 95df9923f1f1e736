"""Named settings: how carefully a WorkChain works, as YAML, and what turns a name into its inputs."""
