"""How birds are spelt, where CUB-200-2011 spells their names for files.

Its class names have underscores for blanks and hyphens, no apostrophes, and a few slips.
"""

import re

# All names of CUB-200-2011 that are not spelt by putting in hyphens alone.
_SPELT = {
    "Anna Hummingbird": "Anna's Hummingbird",
    "Artic Tern": "Arctic Tern",
    "Baird Sparrow": "Baird's Sparrow",
    "Bewick Wren": "Bewick's Wren",
    "Brandt Cormorant": "Brandt's Cormorant",
    "Brewer Blackbird": "Brewer's Blackbird",
    "Brewer Sparrow": "Brewer's Sparrow",
    "Chuck-will Widow": "Chuck-will's-widow",
    "Clark Nutcracker": "Clark's Nutcracker",
    "Forsters Tern": "Forster's Tern",
    "Geococcyx": "Roadrunner",
    "Harris Sparrow": "Harris's Sparrow",
    "Heermann Gull": "Heermann's Gull",
    "Henslow Sparrow": "Henslow's Sparrow",
    "Le Conte Sparrow": "Le Conte's Sparrow",
    "Lincoln Sparrow": "Lincoln's Sparrow",
    "Nelson Sharp-tailed Sparrow": "Nelson's Sharp-tailed Sparrow",
    "Sayornis": "Phoebe",
    "Scott Oriole": "Scott's Oriole",
    "Swainson Warbler": "Swainson's Warbler",
    "Whip-poor Will": "Whip-poor-will",
    "Wilson Warbler": "Wilson's Warbler",
}


def spell_name(name: str) -> str:
    """Spell a class name without its number: ``Red_winged_Blackbird`` is a Red-winged Blackbird.

    A word that goes on in lower case hangs together with the one before it.
    """
    spelt = re.sub(r"(?<=\w)_(?=[a-z])", "-", name).replace("_", " ").strip()
    return _SPELT.get(spelt, spelt)


def simplify_name(text: str) -> str:
    """Return what counts in a search: small letters and single blanks, and no apostrophes."""
    return re.sub(r"[\W_]+", " ", re.sub("['’]", "", text.casefold())).strip()
