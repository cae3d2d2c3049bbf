"""
``tierlog serve``.
"""

from __future__ import annotations

import ipaddress
import os
import secrets
import signal
from pathlib import Path
from typing import Any

import click

from tierlog.cli._errors import WrongUse
from tierlog.cli._store_options import chosen, store_options
from tierlog.errors import ConfigError
from tierlog.handler import TierHandler
from tierlog.query import open_store


__all__ = ["serve"]

_ENV_SECRET = "TIERLOG_JWT_SECRET"  # noqa: S105 -- the variable's name
_LIFETIME = 7 * 86_400  # seconds
_NAME = "admin"


@click.command()
@store_options
@click.option(
    "--store", "stores", multiple=True, metavar="URL", help="Search this, too, such as r2://bucket/prefix?endpoint_url=https://…"
)
@click.option("--builds", metavar="URL", help="The database with project_build_metrics, as SQLAlchemy URL.")
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to listen on; others than loopback need a secret or keys."
)
@click.option(
    "--port", default=8321, show_default=True, type=click.IntRange(0, 65_535), help="Port to listen on; 0 for any free one."
)
@click.option(
    "--jwt-secret-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help=f"The secret that tokens are signed with; else ${_ENV_SECRET}.",
)
@click.option("--jwks-url", metavar="URL", help="Where the public keys are that tokens are checked by.")
@click.option("--jwt-audience", default="tierlog", show_default=True, help="What a token's aud must be.")
@click.option("--jwt-issuer", default="tierlog", show_default=True, help="What a token's iss must be.")
@click.option(
    "--id-format",
    type=click.Choice(["ulid", "slug"]),
    default="ulid",
    show_default=True,
    help="What ids of builds and projects are.",
)
@click.option(
    "--allow-origin",
    "allow_origins",
    multiple=True,
    metavar="ORIGIN",
    help="A web origin that may ask from a browser; may be repeated.",
)
@click.option("--rate-limit", default="300/minute", show_default=True, help="How often one subject may ask.")
@click.option(
    "--rate-storage", default="memory://", show_default=True, help="Where that is counted; redis://host for several servers."
)
@click.option("--max-listeners", default=200, show_default=True, type=click.IntRange(1), help="How many live tails there may be.")
@click.option("--trusted-proxies", metavar="ADDRESSES", help="Proxies whose X-Forwarded-For is believed, separated by commas.")
@click.option("--no-audit", is_flag=True, help="Don't write an event of every read into the root.")
def serve(
    *,
    stores: tuple[str, ...],
    builds: str | None,
    host: str,
    port: int,
    no_audit: bool,
    trusted_proxies: str | None,
    **given: Any,
) -> None:
    """
    Serve the logs over HTTP: an API, a live tail and a panel.

    Without a secret it makes one, prints a link with a token, and listens on this machine
    alone. Exit codes: 0 stopped; 2 wrong usage.
    """
    options = {
        name: given.pop(name)
        for name in (
            "jwks_url",
            "jwt_audience",
            "jwt_issuer",
            "id_format",
            "allow_origins",
            "rate_limit",
            "rate_storage",
            "max_listeners",
        )
    }
    secret_file: Path | None = given.pop("jwt_secret_file")
    secret = _secret(secret_file)
    about = chosen(**given)
    is_own = secret is None and options["jwks_url"] is None
    if is_own and not _is_loopback(host):
        raise ConfigError(
            "--host", f"{host} can be reached from elsewhere; give a --jwt-secret-file, ${_ENV_SECRET} or a --jwks-url"
        )
    from tierlog.admin import create_app  # noqa: PLC0415 -- an extra: only on demand
    from tierlog.admin._server import listen, run  # noqa: PLC0415

    if trusted_proxies is not None:
        _check_proxies(trusted_proxies)
    if builds is not None:
        _look_at(builds)
    if not about.root.is_dir():
        _note(f"there was no folder {about.root}; it is made, and is empty until a program writes to it")
        about.root.mkdir(parents=True, exist_ok=True)
    remote = about.store()
    where = [str(about.root), *([remote] if remote is not None else []), *stores]
    if not no_audit:
        sink = {"type": "segments", "root": str(about.root), "id_format": options["id_format"]}
        try:
            TierHandler(sink=sink, instance_name=_NAME, process_events=True)
        except ConfigError as e:
            raise ConfigError(e.setting, f"{e.problem}, or give --no-audit, to only read") from None
    secret = secret or (secrets.token_hex(32) if is_own else None)
    app = create_app(open_store(where, catalog=about.options.get("catalog")), builds=builds, jwt_secret=secret, **options)
    listening = listen(host, port)
    url = f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}/"
    link = f"{url}#token={_token(str(secret), options)}" if is_own else url
    signal.signal(signal.SIGTERM, lambda *_: None)  # the server ends by it, and raises it once more
    signal.signal(signal.SIGINT, lambda *_: None)
    run(app, listening, started=lambda: click.echo(f"tierlog: serving {about.root} at {link}"), trusted_proxies=trusted_proxies)


def _look_at(builds: str) -> None:
    """
    Refuse a URL that can't be one, and tell of a database that doesn't answer: it may come later.
    """
    from tierlog.lifecycle import DatabaseError  # noqa: PLC0415 -- an extra: only on demand
    from tierlog.query import builds as query_builds  # noqa: PLC0415

    kind, _, path = builds.partition("?")[0].partition(":///")
    if kind == "sqlite" and not path.startswith((":", "file:")) and not Path(path).is_file():
        raise ConfigError("--builds", f"there's no file '{path}', and an empty database isn't made; name the one with the builds")
    try:
        query_builds(builds, limit=1)
    except ConfigError as e:
        if e.setting == "engine":
            raise ConfigError("--builds", e.problem) from None
        _note(f"--builds: {e.problem}; builds aren't shown until there is one")
    except DatabaseError as e:
        _note(f"--builds: {e}; builds aren't shown until it answers")


def _check_proxies(addresses: str) -> None:
    """
    Refuse what isn't an address, which would be passed over, and what is all of them.
    """
    for one in addresses.split(","):
        try:
            is_all = ipaddress.ip_network(one.strip()).prefixlen == 0
        except ValueError:
            is_all = True
        if is_all:
            raise ConfigError(
                "--trusted-proxies",
                f"{one.strip()!r} isn't an address, or a network such as 10.0.0.0/8; name the proxies, separated by commas",
            )


def _note(text: str) -> None:
    click.echo(f"tierlog: {text}", err=True)


def _secret(path: Path | None) -> str | None:
    if path is None:
        return os.environ.get(_ENV_SECRET) or None
    try:
        secret = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as e:
        raise WrongUse(f"--jwt-secret-file: '{path}' can't be read ({e}), name a file with the secret") from e
    if not secret:
        raise WrongUse(f"--jwt-secret-file: '{path}' is empty, make a secret with 'openssl rand -hex 32'")
    return secret


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _token(secret: str, options: dict[str, Any]) -> str:
    from tierlog.admin import SCOPES, token  # noqa: PLC0415

    return token(
        secret, subject="local", scopes=SCOPES, lifetime=_LIFETIME, audience=options["jwt_audience"], issuer=options["jwt_issuer"]
    )
