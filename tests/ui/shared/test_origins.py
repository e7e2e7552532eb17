import pytest
from streamlit import net_util
from streamlit.web.server.server_util import is_url_from_allowed_origins

from explorer.ui.shared.origins import disable_external_ip_lookup


def test_another_site_is_refused_without_a_question_to_anybody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(net_util, "_external_ip", None)
    monkeypatch.setattr(net_util, "_make_blocking_http_get", lambda url, **_: asked.append(url))
    monkeypatch.setattr(net_util, "get_external_ip", net_util.get_external_ip)
    disable_external_ip_lookup()
    assert not is_url_from_allowed_origins("https://example.org")
    assert is_url_from_allowed_origins("http://localhost:8501")
    assert asked == []
