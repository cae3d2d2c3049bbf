"""
The logs over HTTP: search, raw segments, live tail, builds, and a panel. Needs
``tierlog[admin]``.

A request's way: ``_app`` joins the parts and ``_routes`` finds the endpoint;
``_guard`` asks ``_rates`` whether it may be asked now, ``_tokens`` and ``_tickets`` who
asks and ``_parameters`` what for; ``_logs``, ``_segments``, ``_stream``, ``_builds`` and
``_about`` answer; ``_audit`` notes what was read. ``_server`` runs it alone.
"""

from __future__ import annotations

from tierlog.errors import MissingExtraError


try:
    from tierlog.admin._app import Admin, create_app
    from tierlog.admin._tokens import SCOPES, token
except ModuleNotFoundError as e:
    if (e.name or "").partition(".")[0] in {"cryptography", "jwt", "limits", "starlette"}:
        raise MissingExtraError("admin") from e
    raise


__all__ = ["SCOPES", "Admin", "create_app", "token"]
