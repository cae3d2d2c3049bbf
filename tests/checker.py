"""
What must hold of every log root, looked at from outside.

It knows the envelope and the layout by itself and uses nothing of the package, so
that a mistake there can't hide here. Also a command: ``python checker.py ROOT``.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple


__all__ = ["Checked", "Finding", "check"]

KEYS = [
    *("ts", "instanceId", "tier", "kind", "lvl", "projectId", "buildId", "userId", "reqId", "seq", "src", "msg", "data"),
]
_TIERS = {"system": "system", "builds": "build", "deploys": "deploy", "projects": "action", "lifecycle": "lifecycle"}
_OWN_FOLDERS = (".tierlog", "quarantine")
_DAY = r"(?P<day>\d{4}-\d\d-\d\d)"
_SEGMENT = r"(?P<instance>[^/]+)-(?P<ulid>[0-7][0-9A-HJKMNP-TV-Z]{25})\.ndjson"
_PATHS = [
    re.compile(rf"(?P<folder>system)/{_DAY}/{_SEGMENT}"),
    re.compile(rf"(?P<folder>builds|deploys)/{_DAY}/(?P<build>[\w-]{{1,64}})\.ndjson", re.ASCII),
    re.compile(
        rf"(?P<folder>builds|deploys)/{_DAY}/(?P<build>[\w-]{{1,64}})/[^/]+-[0-7][0-9A-HJKMNP-TV-Z]{{25}}\.ndjson", re.ASCII
    ),
    re.compile(rf"(?P<folder>projects|lifecycle)/{_DAY}/(?P<project>[\w-]{{1,64}})/{_SEGMENT}", re.ASCII),
]
_KIND = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
_MSG_MAX_BYTES = 262_144
_LINE_MAX_BYTES = 2_097_152


class Finding(NamedTuple):
    """
    Something that must not be.

    Attributes:
        code: What: ``stray`` or ``empty`` of a file; ``torn``, ``blank``, ``json``,
            ``keys``, ``type``, ``long``, ``path``, ``day``, ``order`` of a line;
            ``gap`` or ``double`` of an instance.

        where: The file and line, or the instance.

        detail: More of it.
    """

    code: str
    where: str
    detail: str = ""


class Checked(NamedTuple):
    """
    What was found below a root.

    Attributes:
        findings: What must not be; empty if all is well.

        events: The events, file by file, in the files' order.

        files: Paths of the files, below the root.
    """

    findings: list[Finding]
    events: list[dict[str, Any]]
    files: list[str]

    @property
    def messages(self) -> list[str]:
        """
        The messages of all events.
        """
        return [event["msg"] for event in self.events]

    @property
    def instances(self) -> dict[str, list[int]]:
        """
        The sorted numbers that each instance wrote.
        """
        found: dict[str, list[int]] = defaultdict(list)
        for event in self.events:
            found[event["instanceId"]].append(event["seq"])
        return {instance: sorted(numbers) for instance, numbers in found.items()}

    def codes(self) -> Counter[str]:
        """
        Return how often each code was found.
        """
        return Counter(finding.code for finding in self.findings)


def check(root: Path | str, *, may_miss: bool = False) -> Checked:
    """
    Look at every file and line below *root*.

    Args:
        root: A log root that nobody writes at this moment.

        may_miss: Whether gaps in ``seq`` are right, because records were counted
            as dropped.
    """
    root = Path(root)
    findings: list[Finding] = []
    events: list[dict[str, Any]] = []
    files = []
    for path in sorted(one for one in root.rglob("*") if not one.is_dir() or one.is_symlink()):
        relative = path.relative_to(root).as_posix()
        if relative.split("/")[0] in _OWN_FOLDERS:
            continue
        files.append(relative)
        place = next((match.groupdict() for pattern in _PATHS if (match := pattern.fullmatch(relative))), None)
        if place is None or path.is_symlink() or not path.is_file():
            findings.append(Finding("stray", relative))
            continue
        events += _check_file(relative, path.read_bytes(), place, findings)
    checked = Checked(findings, events, files)
    for instance, numbers in checked.instances.items():
        findings += _check_numbers(instance, numbers, may_miss=may_miss)
    return checked


def _check_file(relative: str, content: bytes, place: dict[str, str], findings: list[Finding]) -> list[dict[str, Any]]:
    if not content:
        findings.append(Finding("empty", relative))
    *lines, rest = content.split(b"\n")
    if rest:
        findings.append(Finding("torn", relative, repr(rest[-60:])))
    events = []
    last: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        where = f"{relative}:{number}"
        if not line.strip():
            findings.append(Finding("blank", where))
            continue
        try:
            event = json.loads(line.decode(), parse_constant=_refuse, object_pairs_hook=_without_doubles)
        except ValueError as e:
            findings.append(Finding("json", where, f"{e}: {line[:60]!r}"))
            continue
        problems = [Finding(code, where, detail) for code, detail in _problems(event, line, place)]
        findings += problems
        if any(problem.code in {"keys", "type"} for problem in problems):
            continue
        before = last.get(event["instanceId"], -1)
        if event["seq"] <= before:
            findings.append(Finding("order", where, f"{event['seq']} after {before}"))
        last[event["instanceId"]] = event["seq"]
        events.append(event)
    return events


def _problems(event: Any, line: bytes, place: dict[str, str]) -> list[tuple[str, str]]:
    if not isinstance(event, dict) or list(event) != KEYS:
        return [("keys", repr(event)[:200])]
    found = [("type", f"{key}={event[key]!r}"[:200]) for key, is_right in _types(event) if not is_right]
    if found:
        return found
    if len(line) >= _LINE_MAX_BYTES:
        found.append(("long", f"{len(line)} bytes"))
    if event["tier"] != _TIERS[place["folder"]]:
        found.append(("path", f"{event['tier']} in {place['folder']}"))
    for name, key in (("instance", "instanceId"), ("build", "buildId"), ("project", "projectId")):
        if place.get(name) is not None and event[key] != place[name]:
            found.append(("path", f"{event[key]} in {place[name]}"))
    day = datetime.fromtimestamp(event["ts"] // 1000, UTC).date().isoformat()
    if day != place["day"]:
        found.append(("day", f"{day} in {place['day']}"))
    return found


def _types(event: dict[str, Any]) -> list[tuple[str, bool]]:
    return [
        ("ts", type(event["ts"]) is int and event["ts"] >= 0),
        ("instanceId", type(event["instanceId"]) is str and bool(event["instanceId"])),
        ("tier", event["tier"] in _TIERS.values()),
        ("kind", type(event["kind"]) is str and bool(_KIND.fullmatch(event["kind"]))),
        ("lvl", event["lvl"] in {"debug", "info", "warn", "error"}),
        *((key, event[key] is None or type(event[key]) is str) for key in ("projectId", "buildId", "userId", "reqId")),
        ("seq", type(event["seq"]) is int and event["seq"] >= 0),
        ("src", type(event["src"]) is str),
        ("msg", type(event["msg"]) is str and len(event["msg"].encode("utf-8", "surrogatepass")) <= _MSG_MAX_BYTES),
        ("data", type(event["data"]) is dict),
    ]


def _check_numbers(instance: str, numbers: list[int], *, may_miss: bool) -> list[Finding]:
    found = []
    doubled = [number for number, count in Counter(numbers).items() if count > 1]
    if doubled:
        found.append(Finding("double", instance, f"{len(doubled)}, the first is {doubled[0]}"))
    missing = numbers[-1] + 1 - len(set(numbers))
    if missing and not may_miss:
        found.append(Finding("gap", instance, f"{missing} of {numbers[-1] + 1}"))
    return found


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} isn't JSON")


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def main() -> int:
    """
    Check the roots given on the command line.
    """
    failed = False
    for root in sys.argv[1:]:
        checked = check(root)
        for finding in checked.findings[:20]:
            print(*finding)
        print(f"{root}: {len(checked.events)} events in {len(checked.files)} files, {len(checked.findings)} findings")
        failed |= bool(checked.findings)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
