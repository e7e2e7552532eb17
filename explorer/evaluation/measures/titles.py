"""Titles of the tables that measures share."""

FAITHFULNESS = "Faithfulness and locality"
CONCEPTS = "X-features as different concepts"
CURVES = "Maps against scores, and over seeds"
CURVES_ALONE = "Maps against scores"
"""The same table without the columns that need several seeds."""
KNOWN_PARTS = "Known parts of painted birds"
FUNNY_BIRDS = "FunnyBirds protocols, adapted"
