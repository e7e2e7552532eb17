"""The explanation methods that can be compared: one file and one object per method.

Nothing here imports torch, so that pages can list the methods before torch is imported.
"""
