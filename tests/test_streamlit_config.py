import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from explorer.config import REPOSITORY_ROOT

READ_OPTIONS = """
import json
from streamlit import config
names = json.loads(input())
print(json.dumps({name: config.get_option(name) for name in names}))
"""


def read_options(names: list[str], folder: Path) -> dict[str, object]:
    """Read options of Streamlit in a new process started in `folder`."""
    done = subprocess.run(
        [sys.executable, "-c", READ_OPTIONS],
        input=json.dumps(names),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    # Streamlit only warns about a misspelt option in the theme file.
    assert "invalid" not in done.stderr.lower()
    found: dict[str, object] = json.loads(done.stdout)
    return found


def flatten(table: dict, prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in table.items():
        path = f"{prefix}{name}"
        flat |= flatten(value, f"{path}.") if isinstance(value, dict) else {path: value}
    return flat


def test_every_line_of_the_theme_is_in_effect() -> None:
    theme = flatten(tomllib.loads((REPOSITORY_ROOT / "streamlit_config.toml").read_text()))
    assert {name.split(".")[0] for name in theme} == {"theme"}
    assert theme["theme.light.backgroundColor"] != theme["theme.dark.backgroundColor"]
    assert read_options(list(theme), REPOSITORY_ROOT) == theme


def test_every_other_setting_is_in_effect() -> None:
    settings = flatten(tomllib.loads((REPOSITORY_ROOT / ".streamlit" / "config.toml").read_text()))
    assert settings.pop("theme.base") == "streamlit_config.toml"
    assert settings["browser.gatherUsageStats"] is False
    assert settings["client.showErrorDetails"] == "none"
    assert read_options(list(settings), REPOSITORY_ROOT) == settings


def compute_luminance(colour: str) -> float:
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "name",
    ["textColor", "linkColor", "codeTextColor", "primaryColor"]
    + [f"{hue}TextColor" for hue in ("blue", "orange", "green", "red", "gray")],
)
def test_text_has_enough_contrast(scheme: str, name: str) -> None:
    theme = tomllib.loads((REPOSITORY_ROOT / "streamlit_config.toml").read_text())["theme"][scheme]
    for ground in (theme, theme["sidebar"]):
        pair = sorted(
            (compute_luminance(theme[name]), compute_luminance(ground["backgroundColor"]))
        )
        assert (pair[1] + 0.05) / (pair[0] + 0.05) >= 4.5
