"""Painted birds: a seeded data set in the layout of CUB, with known part-level traits."""

from explorer.data.painted.dataset import PaintedSettings, paint_dataset

__all__ = ["PaintedSettings", "paint_dataset"]
