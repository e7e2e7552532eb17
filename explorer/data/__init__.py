"""Photos, boxes and parts: readers, the painted birds, and image transforms."""
