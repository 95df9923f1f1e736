"""AiiDA plugin that asks whether a machine-learning interatomic potential can be trusted at finite temperature."""

__version__ = "0.1.0"
