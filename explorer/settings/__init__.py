"""How settings are declared, checked and read from text: once each, as fields of dataclasses."""
