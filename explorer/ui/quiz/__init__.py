"""Pieces of the Quiz page."""
