"""
The run of the demo, from the first process to the last proof.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson

from tierlog.demo import _secrets
from tierlog.demo._evidence import Evidence
from tierlog.demo._facts import BuildLog, Claim, Example, Facts, Process
from tierlog.demo._processes import Child, News, wait_for
from tierlog.demo._text import spaced
from tierlog.kinds import TIERS
from tierlog.runtime import recover


__all__ = ["ENOUGH", "prove", "run"]

ENOUGH = 3_000
"""How many records the process that is killed has acknowledged by then, at least."""

_NAMES = ("web", "builder-a", "builder-b", "deployer")
_KILLED = "builder-b"
_IDS = ("shop", "docs", "site", "broken", "shared", "cut")
_TIMEOUT = 60.0
_BEFORE, _AFTER = 4, 7

OnProgress = Callable[[str, int], None]


def run(root: Path, on_progress: OnProgress = lambda _stage, _records: None) -> Facts:
    """
    Let several processes log below *root*, kill one, recover and prove.

    Args:
        root: An empty folder.

        on_progress: Called now and then with what happens, and with how many
            records are acknowledged by then.

    Raises:
        DemoError: It could not be run to its end.
    """
    from ulid import ULID  # noqa: PLC0415 -- 30 ms, and only here

    started = time.monotonic()
    ids = {name: str(ULID()) for name in _IDS}
    secrets = {name: _secrets.make() for name in _NAMES}
    children = _let_log(root, ids, secrets, on_progress)
    on_progress("recovering what the killed process left", _acknowledged(children))
    recovered = recover(root)._asdict()
    on_progress("looking for every record and every secret", _acknowledged(children))
    evidence = Evidence(root, [needle for values in secrets.values() for needle in _secrets.needles(values)])
    processes = [
        Process(
            name=child.name,
            instance=child.instance,
            pid=child.pid,
            ended=child.outcome,
            acknowledged=len(child.acknowledged),
            found=evidence.found_of(child.instance, child.acknowledged),
        )
        for child in children
    ]
    planted = sum(map(len, secrets.values()))
    redactions = sum((Counter(child.redactions) for child in children), Counter())
    return Facts(
        root=str(root),
        seconds=round(time.monotonic() - started, 2),
        processes=processes,
        killed=_KILLED,
        tiers={tier: evidence.tiers().get(tier, 0) for tier in TIERS},
        files=evidence.files,
        recovered=recovered,
        sequence=_sequence(evidence),
        secrets={"planted": planted, "found": evidence.found},
        redactions=dict(redactions.most_common()),
        examples=_examples(evidence.events, secrets[_KILLED], processes),
        build=_build_log(evidence, ids["shared"], processes),
        claims=prove(evidence, processes, recovered, planted),
    )


def _let_log(root: Path, ids: Mapping[str, str], secrets: Mapping[str, Any], on_progress: OnProgress) -> list[Child]:
    """
    Run all processes, and kill one of them in the middle of its work.
    """
    news: News = News()
    deadline = time.monotonic() + _TIMEOUT
    children: list[Child] = []

    def wait(what: str, who: list[Child], stage: str) -> None:
        wait_for(what, who, news, deadline, lambda: on_progress(stage, _acknowledged(children)))

    try:
        for name in _NAMES:
            # One by one, so that those there are end if the next can't be started.
            children.append(Child(name, {"root": str(root), "ids": ids, "secrets": secrets[name]}, news, ENOUGH))  # noqa: PERF401
        wait("ready", children, "starting processes")
        for child in children:
            child.tell(b"go")
        killed = next(child for child in children if child.name == _KILLED)
        wait("enough", [killed], "processes are logging")
        killed.kill()
        others = [child for child in children if child is not killed]
        for child in others:
            child.tell(b"finish")
        wait("ended", others, f"{_KILLED} is killed, the others go on")
    finally:
        for child in children:
            child.close()
    return children


def prove(evidence: Evidence, processes: list[Process], recovered: Mapping[str, int], planted: int) -> list[Claim]:
    """
    Return what was to be proved, and whether it is so.

    Args:
        evidence: What the files say.

        processes: What the processes said.

        recovered: What the recovery did.

        planted: How many secrets there were.
    """
    killed = next(process for process in processes if process.name == _KILLED)
    others = [process for process in processes if process is not killed]
    sequence, tiers = _sequence(evidence), evidence.tiers()
    missing_tiers = [tier for tier in TIERS if tier not in tiers]
    size = sum(file.bytes for file in evidence.files)
    return [
        Claim(
            "killed",
            killed.ended == "killed" and killed.acknowledged >= ENOUGH,
            f"{killed.name} (pid {killed.pid}) was killed with SIGKILL in the middle of its work",
        ),
        _kept("acknowledged before the kill", [killed]),
        _kept("acknowledged by the others", others),
        Claim(
            "ended",
            all(process.ended == "clean" for process in others),
            f"the other {len(others)} processes ended as they should",
        ),
        Claim(
            "sequence",
            not sequence["missing"] and not sequence["doubled"] and sequence["instances"] == len(processes),
            f"seq of {sequence['instances']} instances, {spaced(sequence['records'])} records: "
            f"{spaced(sequence['missing'])} missing, {spaced(sequence['doubled'])} doubled",
        ),
        Claim(
            "recovered",
            recovered["segments"] > 0 and not recovered["live"] and not recovered["failed"] and not evidence.strange,
            f"recovered {recovered['segments']} files that the kill left open; torn lines: {recovered['torn']}, "
            f"lines that are not valid: {evidence.strange}",
        ),
        Claim(
            "secrets",
            not evidence.found,
            f"secrets logged: {planted}, parts of them in {spaced(size)} bytes of files: {evidence.found}",
        ),
        Claim(
            "tiers",
            not missing_tiers,
            "all five tiers were written" if not missing_tiers else f"no record in: {', '.join(missing_tiers)}",
        ),
    ]


def _kept(what: str, processes: list[Process]) -> Claim:
    acknowledged, found = sum(one.acknowledged for one in processes), sum(one.found for one in processes)
    lost = acknowledged - found
    return Claim(
        what.replace(" ", "-"), not lost, f"{what}: {spaced(acknowledged)}, found: {spaced(found)}, lost: {spaced(lost)}"
    )


def _sequence(evidence: Evidence) -> dict[str, int]:
    return {
        "instances": len(evidence.numbers),
        "records": len(evidence.events),
        "missing": evidence.missing(),
        "doubled": evidence.doubled(),
    }


def _examples(events: list[dict[str, Any]], values: Mapping[str, str], processes: list[Process]) -> list[Example]:
    """
    Return, of the process that was killed, what it logged and what was written.
    """
    instance = next(process.instance for process in processes if process.name == _KILLED)
    written = {
        event["data"]["planted"]: event for event in events if event["instanceId"] == instance and "planted" in event["data"]
    }
    examples = []
    for one in _secrets.planted(values):
        if one.name in written:
            event, short = written[one.name], one.shortened(values)
            data = {key: event["data"].get(key) for key in one.data}
            examples.append(Example(one.name, _as_text(short.msg % short.args, short.data), _as_text(event["msg"], data)))
    return examples


def _as_text(msg: str, data: Mapping[str, Any]) -> str:
    return f"{msg} {orjson.dumps(dict(data)).decode()}" if data else msg


def _build_log(evidence: Evidence, build_id: str, processes: list[Process]) -> BuildLog:
    """
    Return the shared build's log, around the kill.
    """
    instance = next(process.instance for process in processes if process.name == _KILLED)
    file = next((file for file in evidence.files if file.path.endswith(f"/{build_id}.ndjson")), None)
    events = [event for event in evidence.events if event["buildId"] == build_id and event["tier"] == "build"]
    cut = max((at for at in range(len(events)) if events[at]["instanceId"] == instance), default=-1) + 1
    step = next((at for at in range(cut, len(events)) if "ms" in events[at]["data"]), len(events))
    before = [event for event in events[:cut] if event["msg"].strip()][-_BEFORE:]
    after = [event for event in events[step:] if event["msg"].strip()][:_AFTER]
    shown_to = events.index(after[-1]) + 1 if after else step
    return BuildLog(
        id=build_id,
        path=file.path if file else "",
        lines=file.lines if file else 0,
        before=before,
        skipped=step - cut,
        after=after,
        rest=len(events) - shown_to,
    )


def _acknowledged(children: list[Child]) -> int:
    return sum(len(child.acknowledged) for child in children)
