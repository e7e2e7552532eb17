"""Pieces of the Training page."""
