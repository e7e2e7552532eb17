"""Excitation backprop: where on the photo a neuron's evidence lies."""
