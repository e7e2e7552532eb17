"""Fast implementations of the formulas: memory layouts, number formats, Winograd's algorithm."""
