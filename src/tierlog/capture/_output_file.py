"""
What wrangler says of itself: a file of ND-JSON beside its output.

https://github.com/cloudflare/workers-sdk/blob/main/packages/wrangler/src/output.ts
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from tierlog.capture._process import checked_path
from tierlog.capture._target import Records
from tierlog.report import report


__all__ = ["OutputFile", "output_file"]

_VARIABLE = "WRANGLER_OUTPUT_FILE_PATH"
_FOLDER = "WRANGLER_OUTPUT_FILE_DIRECTORY"
_MAX_BYTES = 4_194_304
_FAILED = "command-failed"


def output_file(given: Any, src: str | None, env: Mapping[str, str]) -> OutputFile | None:
    """
    Return the file that a command is to write, None for none.

    Args:
        given: Its path; True for one of our own; None for one if *src* is
            ``wrangler``.

        src: The producer.

        env: The command's environment, which may name the file already.

    Raises:
        ConfigError: It can't be the path of a file.
    """
    if given is False or (given is None and src != "wrangler"):
        return None
    if given is not None and given is not True:
        return OutputFile(checked_path("merge_output_file", given))
    folder = env.get(_FOLDER)
    if folder and not env.get(_VARIABLE):  # somebody else will look for it there, under such a name
        return OutputFile(os.path.join(folder, f"wrangler-output-{os.urandom(8).hex()}.json"))
    try:
        return OutputFile(env.get(_VARIABLE) or None)
    except OSError as e:  # there's no folder for temporary files, or it is full: the command matters more
        report("output-file", f"what a command says of itself won't be logged: there's no place for it ({e})")
        return None


class OutputFile:
    """
    A file to which a command appends entries, each a line of JSON.

    Args:
        path: The file; None for a temporary one.
    """

    def __init__(self, path: str | None) -> None:
        self._is_own = path is None
        if path is None:
            handle, path = tempfile.mkstemp(prefix="tierlog-", suffix=".ndjson")
            os.close(handle)
        self._path = os.path.abspath(path)
        self._start = os.path.getsize(path) if os.path.exists(path) else 0
        self._left = 0  # bytes that are too many
        self.variables = {_VARIABLE: self._path}

    def merge(self, records: Records) -> int:
        """
        Make an event of each entry that was appended, and return how many there are.
        """
        count = 0
        try:
            for entry in self._entries():
                count += 1
                records.event("error" if entry.get("type") == _FAILED else "info", _summary(entry), entry, kind="deploy")
            if self._left:
                cut = {"event": "output_file_cut", "dropped_bytes": self._left}
                records.event("warn", f"{self._left} bytes of what the command says of itself aren't logged: it is too much", cut)
        except OSError as e:
            report("output-file", f"what a command says of itself can't be read ({e})")
        return count

    def remove(self) -> None:
        """
        Take the file away if it is a temporary one.
        """
        if self._is_own:
            try:
                os.unlink(self._path)
            except OSError:
                return

    def _entries(self) -> Iterator[dict[str, Any]]:
        if not os.path.exists(self._path):
            return
        with open(self._path, "rb") as file:
            file.seek(self._start)
            content = file.read(_MAX_BYTES)
            self._left = max(0, os.fstat(file.fileno()).st_size - file.tell())
            if self._left:
                whole = content.rfind(b"\n") + 1
                self._left += len(content) - whole
                content = content[:whole]
            for line in content.split(b"\n"):
                try:
                    entry = orjson.loads(line)
                except ValueError:  # empty, cut or not ours
                    continue
                if type(entry) is dict:
                    yield entry


def _summary(entry: Mapping[str, Any]) -> str:
    """
    Return an entry in one line: its type, and what one looks for first.
    """
    targets = entry.get("targets")
    found = [entry.get(name) for name in ("type", "worker_name", "version_id", "deployment_id", "preview_url", "url", "message")]
    return " ".join(str(one) for one in [*found, *(targets if isinstance(targets, list) else [])] if one)
