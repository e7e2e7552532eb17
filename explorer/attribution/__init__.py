"""Excitation backprop: where on the photo a neuron's evidence lies."""

from explorer.attribution.excitation import AttributionError, contrastive_mwp, mwp

__all__ = ["AttributionError", "contrastive_mwp", "mwp"]
