"""Excitation backprop: where in the photo the evidence for a neuron is."""

from explorer.attribution.excitation import contrastive_mwp, mwp
from explorer.attribution.rules import AttributionError

__all__ = ["AttributionError", "contrastive_mwp", "mwp"]
