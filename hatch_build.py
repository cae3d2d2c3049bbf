"""
Builds what is in C into the wheel, if there is a compiler. A wheel without it does the same, slower.

One build is for all versions of Python from 3.11 on, as far as they have a global
interpreter lock. ``TIERLOG_PURE=1`` leaves it out.
"""

from __future__ import annotations

import os
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from setuptools import Distribution, Extension
from setuptools.command.build_ext import build_ext


SOURCE = "src/tierlog/_speedups.c"
MODULE = "tierlog._speedups"


class SpeedupsHook(BuildHookInterface[Any]):
    """
    What hatchling calls before it makes a wheel.
    """

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """
        Compile, and say what the wheel is for then.
        """
        if os.environ.get("TIERLOG_PURE") == "1" or sysconfig.get_config_var("Py_GIL_DISABLED"):
            return
        root = Path(self.root)
        self._folder = tempfile.TemporaryDirectory()
        library = _compiled(root / SOURCE, Path(self._folder.name))
        if library is None:
            self.app.display_warning(
                "tierlog: there's no C compiler that works; the wheel will be slower without, and do the same"
            )
            return
        if version == "editable":
            (root / "src/tierlog" / library.name).write_bytes(library.read_bytes())
        else:
            build_data["force_include"][str(library)] = f"tierlog/{library.name}"
        build_data["pure_python"] = False
        build_data["tag"] = f"cp311-abi3-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"


def _compiled(source: Path, folder: Path) -> Path | None:
    """
    Return the library; None if it can't be made.
    """
    extension = Extension(MODULE, [str(source)], py_limited_api=True)
    command = build_ext(Distribution({"ext_modules": [extension]}))
    command.build_lib, command.build_temp = str(folder), str(folder / "objects")
    try:
        command.ensure_finalized()
        command.run()
    except Exception:  # noqa: BLE001 -- as many kinds as there are compilers; it can be done without
        return None
    return Path(command.get_outputs()[0])
