"""What makes the formulas fast: number formats, kernels and Winograd's algorithm."""
