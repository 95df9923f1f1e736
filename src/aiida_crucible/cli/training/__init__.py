"""``aiida-crucible dataset`` and ``aiida-crucible train``."""
