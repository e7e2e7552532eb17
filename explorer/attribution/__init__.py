"""Excitation backprop: where in the photo the evidence for a neuron is."""

from explorer.attribution.excitation import ExcitationBackprop, contrastive_mwp, mwp
from explorer.attribution.rules import AttributionError

__all__ = ["AttributionError", "ExcitationBackprop", "contrastive_mwp", "mwp"]
