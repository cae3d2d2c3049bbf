"""
A real Chromium, and what is wrong with a page as it sees it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from servers.install import chromium, put_file


_ARGUMENTS = (
    "--no-sandbox", "--no-zygote", "--headless=shell", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--font-render-hinting=none",
)  # fmt: skip
_FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>{home}/fonts</dir><dir>/usr/share/fonts</dir><cachedir>{home}/fonts-cache</cachedir>
  <match><test name="family"><string>system-ui</string></test><edit name="family" mode="assign" binding="strong"><string>Open Sans</string></edit></match>
  <alias><family>monospace</family><prefer><family>DejaVu Sans Mono</family></prefer></alias>
</fontconfig>
"""


@contextmanager
def browser() -> Iterator[Browser]:
    """
    Run an installed browser, with a font of its own: pages look the same everywhere.
    """
    home = chromium()
    fonts = home / "panel-fonts.conf"
    put_file(fonts, _FONTS.format(home=home))
    env: dict[str, str | float | bool] = {**os.environ, "LD_LIBRARY_PATH": str(home / "lib"), "FONTCONFIG_FILE": str(fonts)}
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=home / "chromium", args=list(_ARGUMENTS), env=env)
        try:
            yield running
        finally:
            running.close()


class Watched:
    """
    A page, and what it complains of.

    Attributes:
        page: The page.

        complaints: Errors on its console, broken policies, dialogs, and requests to elsewhere.
    """

    def __init__(self, context: BrowserContext, origin: str) -> None:
        self.complaints: list[str] = []
        self.page: Page = context.new_page()
        self.page.add_init_script(
            "document.addEventListener('securitypolicyviolation', e => console.error('policy: ' + e.violatedDirective + ' ' + e.blockedURI))"
        )
        self.page.on("console", lambda one: one.type in {"error", "warning"} and self.complaints.append(one.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        self.page.on(
            "request", lambda one: one.url.startswith((origin, "data:", "blob:")) or self.complaints.append(f"asks {one.url}")
        )


def kept(page: Page, name: str, folder: Path) -> Path:
    """
    Keep a picture of what can be seen.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.png"
    page.screenshot(path=path)
    return path
