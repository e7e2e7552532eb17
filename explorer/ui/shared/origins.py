"""Which sites may connect to the server: decided without a request to an outside service."""

from streamlit import net_util


def disable_external_ip_lookup() -> None:
    """Keep the server from asking an internet service for its own public address.

    Streamlit does so for every connection from a page of another site, and blocks all sessions
    until the service answers or the request times out. Public addresses of the server belong in
    ``server.corsAllowedOrigins``.
    """
    net_util.get_external_ip = _return_no_address


def _return_no_address() -> None:
    return None
