"""Fast convolutions and forward passes on a processor: memory layouts, Winograd's algorithm."""
