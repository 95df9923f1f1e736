"""Figures, each described once and drawn three ways: by matplotlib for paper, by plotly for a page, and as CSV."""
