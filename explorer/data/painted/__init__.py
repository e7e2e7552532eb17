"""Painted birds: a synthetic data set in the layout of CUB, with known traits of their parts."""

from explorer.data.painted.dataset import PaintedSettings, paint_dataset

__all__ = ["PaintedSettings", "paint_dataset"]
