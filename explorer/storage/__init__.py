"""How files are read and written: atomic writes, guarded reads, growing arrays and locks."""
