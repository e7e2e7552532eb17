"""Data sets of photos with boxes and parts: reading, painting, uploading, transforming."""
