import ast

from explorer.config import PAGES_DIR, REPOSITORY_ROOT

FILES = [*(REPOSITORY_ROOT / "explorer" / "ui").rglob("*.py"), *PAGES_DIR.glob("*.py")]


def test_expanders_keep_their_chevron() -> None:
    """An icon of its own replaces the chevron until the pointer is on it; one in the label not."""
    calls = [
        node
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "expander"
    ]
    assert len(calls) >= 5
    assert [call.lineno for call in calls if any(k.arg == "icon" for k in call.keywords)] == []
