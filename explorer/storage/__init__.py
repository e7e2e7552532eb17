"""Reading and writing files: atomic writes, safe reads, growing arrays and locks."""
