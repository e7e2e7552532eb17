"""Measures of the comparison, one file each, and their registry."""
