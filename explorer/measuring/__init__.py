"""What is measured of a photo, a module or a classifier, and the records that keep it."""
