"""What strained cells say: equation of state and elastic tensor."""
