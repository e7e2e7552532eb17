"""Measures over plain arrays: Voronoi parts, locality, faithfulness."""
