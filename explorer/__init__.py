"""SRAE explorer: see why a bird classifier says what it says."""

__version__ = "0.1.0"
