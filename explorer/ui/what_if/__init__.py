"""The section of the photo pages that paints out a region of the photo."""
