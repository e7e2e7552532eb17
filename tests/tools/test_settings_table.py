import settings_table

from explorer.settings.declaring import Info, Setting


def test_the_settings_table_is_up_to_date() -> None:
    text = settings_table.README.read_text(encoding="utf-8")
    assert settings_table.fill(text) == text, "run `python tools/settings_table.py --write`"


def test_every_setting_has_a_row() -> None:
    rows = [line.split(" | ")[0] for line in settings_table.make_table().splitlines()]
    assert {"| `--beta`", "| `--widths`", "| `--patience`"} <= set(rows)
    assert len(set(rows)) == len(rows)


def test_a_row_shows_help_default_and_range() -> None:
    one = Setting("head_start", 0.5, Info("How far ahead.", low=0, high=2))
    assert settings_table.make_row(one, " (srae only)") == (
        "`--head-start`", "0.5", "0 to 2", "How far ahead. (srae only)",
    )  # fmt: skip


def test_ranges_are_written_briefly() -> None:
    assert settings_table.describe_values(Info("", choices=("a", "b"))) == "a, b"
    assert settings_table.describe_values(Info("", above=0, high=2**40)) == "> 0"
    assert settings_table.describe_values(Info("", low=0, below=1)) == "≥ 0, < 1"
    assert settings_table.describe_values(Info("")) == ""
