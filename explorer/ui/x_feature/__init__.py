"""Pieces of the X-feature page."""
