"""Excitation backprop: where on the photo a neuron's evidence lies."""

from explorer.attribution.excitation import contrastive_mwp, mwp
from explorer.attribution.rules import AttributionError

__all__ = ["AttributionError", "contrastive_mwp", "mwp"]
