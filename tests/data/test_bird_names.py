from pathlib import Path

import pytest

from explorer.data.bird_names import spell_name
from explorer.data.cub import format_category, load_cub
from explorer.data.names import add_article


@pytest.mark.parametrize(
    ("written", "spelt"),
    [
        ("Cardinal", "Cardinal"),
        ("Painted_Bunting", "Painted Bunting"),
        ("Black_footed_Albatross", "Black-footed Albatross"),
        ("Black_and_white_Warbler", "Black-and-white Warbler"),
        ("American_Three_toed_Woodpecker", "American Three-toed Woodpecker"),
        ("Nelson_Sharp_tailed_Sparrow", "Nelson's Sharp-tailed Sparrow"),
        ("Le_Conte_Sparrow", "Le Conte's Sparrow"),
        ("Chuck_will_Widow", "Chuck-will's-widow"),
        ("Whip_poor_Will", "Whip-poor-will"),
        ("Artic_Tern", "Arctic Tern"),
        ("Forsters_Tern", "Forster's Tern"),
        ("Wilson_Phalarope", "Wilson Phalarope"),  # not in CUB: nothing is made up
        ("", ""),
    ],
)
def test_names_are_spelt_as_in_a_field_guide(written: str, spelt: str) -> None:
    assert spell_name(written) == spelt


def test_a_number_is_left_out_unless_there_is_nothing_else() -> None:
    assert format_category("010.Red_winged_Blackbird") == "Red-winged Blackbird"
    assert format_category("010.") == "010."
    assert add_article(format_category("067.Anna_Hummingbird")) == "an Anna's Hummingbird"


@pytest.fixture
def brewer(cub_folder: Path) -> Path:
    for name in ("classes.txt", "images.txt"):
        file = cub_folder / name
        file.write_text(file.read_text().replace("007.Red_Bird", "009.Brewer_Blackbird"))
    (cub_folder / "images" / "007.Red_Bird").rename(cub_folder / "images" / "009.Brewer_Blackbird")
    return cub_folder


@pytest.mark.parametrize(
    "text",
    [
        *("009.Brewer_Blackbird", "Brewer_Blackbird", "brewer blackbird", "Brewer's Blackbird"),
        *("brewer’s-blackbird", "BREWERS BLACKBIRD"),
    ],
)
def test_a_category_is_found_however_it_is_spelt(brewer: Path, text: str) -> None:
    assert load_cub(brewer).find_category(text) == "009.Brewer_Blackbird"
