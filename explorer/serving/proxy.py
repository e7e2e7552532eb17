"""The configuration of nginx in front of several processes of the app.

A visitor stays with one process, where the session and the uploads are. A cookie says which; the
first answer sets it, and so does the process that takes over when another has died.
"""

from collections.abc import Sequence
from pathlib import Path

COOKIE = "srae_worker"
_MOST_UPLOAD_MEGABYTES = 26  # what the app itself allows, and the request around it


def make_config(folder: Path, listen: str, ports: Sequence[int]) -> str:
    """Return the configuration of an nginx that distributes visitors over processes of the app.

    Parameters
    ----------
    folder : Path
        Where nginx puts uploads on their way, and its process id.
    listen : str
        ``address:port`` that visitors reach.
    ports : sequence of int
        Of the processes, on this machine.

    Notes
    -----
    New visitors are spread at random. Where a process does not answer, the others are tried.
    """
    numbers = range(1, len(ports) + 1)
    share = 100 / len(ports)
    drawn = [f"{share:.2f}% {number};" for number in numbers[:-1]] + [f"* {numbers[-1]};"]
    chosen = [f'"{number}" {number};' for number in numbers]
    served = [f'"~127\\.0\\.0\\.1:{port}$" {number};' for number, port in enumerate(ports, 1)]
    upstreams = "\n".join(_make_upstream(number, ports) for number in numbers)
    places = "\n".join(
        f"  {kind}_temp_path {folder / kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return f"""\
daemon off;
pid {folder / "nginx.pid"};
error_log stderr error;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  server_tokens off;
  client_max_body_size {_MOST_UPLOAD_MEGABYTES}m;
{places}
  map $http_upgrade $connection_kind {{ default upgrade; "" close; }}
  split_clients $request_id $drawn {{ {" ".join(drawn)} }}
  map $cookie_{COOKIE} $worker {{ default $drawn; {" ".join(chosen)} }}
  map $upstream_addr $served {{ default ""; {" ".join(served)} }}
  map $served $sets_cookie {{
    default "{COOKIE}=$served; Path=/; HttpOnly; SameSite=Lax";
    "" "";
  }}
{upstreams}
  server {{
    listen {listen};
    location / {{
      proxy_pass http://worker$worker;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_kind;
      proxy_read_timeout 1h;
      proxy_connect_timeout 2s;
      add_header Set-Cookie $sets_cookie always;
    }}
  }}
}}
"""


def _make_upstream(number: int, ports: Sequence[int]) -> str:
    """Return the group of servers of one process: itself, and the others if it does not answer."""
    own = f"server 127.0.0.1:{ports[number - 1]} max_fails=1 fail_timeout=2s;"
    others = [f"server 127.0.0.1:{port} backup;" for n, port in enumerate(ports, 1) if n != number]
    return f"  upstream worker{number} {{ {' '.join([own, *others])} }}"
