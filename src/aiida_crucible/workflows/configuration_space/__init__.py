"""Maps of configurations, and how much samplers overlap."""
