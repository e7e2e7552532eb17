import pytest

from explorer.data.names import add_article


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Cardinal", "a Cardinal"),
        ("Indigo Bunting", "an Indigo Bunting"),
        ("American Crow", "an American Crow"),
        ("ovenbird", "an ovenbird"),
        ("European Goldfinch", "a European Goldfinch"),
        ("Unicorn", "a Unicorn"),
        ("Umbrellabird", "an Umbrellabird"),
        ("", "a "),
    ],
)
def test_the_article_follows_the_sound(name: str, expected: str) -> None:
    assert add_article(name) == expected
