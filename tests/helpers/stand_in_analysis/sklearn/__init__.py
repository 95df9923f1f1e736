"""Stands in for scikit-learn where tests need its interface."""
