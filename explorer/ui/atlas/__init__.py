"""Pieces of the Atlas page."""
