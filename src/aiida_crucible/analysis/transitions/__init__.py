"""Transitions in a temperature sweep."""
