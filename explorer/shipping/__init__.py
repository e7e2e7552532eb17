"""Workspaces that ship with the explorer: completing them, and packing them without photos."""
