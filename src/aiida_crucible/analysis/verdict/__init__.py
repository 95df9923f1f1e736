"""Questions, answers, and what the answers rest on."""
