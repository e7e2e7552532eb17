"""Measures on plain arrays: Voronoi parts, locality, faithfulness and others."""
