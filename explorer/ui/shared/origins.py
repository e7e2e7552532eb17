"""Which sites may open a connection: decided here, without asking anybody outside."""

from streamlit import net_util


def ask_nobody_for_address() -> None:
    """Keep the server from asking a service on the internet for its own address.

    It would do so for every connection from a page of another site, and answer nobody meanwhile,
    for seconds where the service cannot be reached. An address that visitors use and that is not
    this machine's own is named in ``server.corsAllowedOrigins``.
    """
    net_util.get_external_ip = _know_no_address


def _know_no_address() -> None:
    return None
