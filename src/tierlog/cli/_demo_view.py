"""
The demo's report for a person.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from importlib.util import find_spec
from textwrap import wrap
from typing import Any

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from tierlog._version import __version__
from tierlog.cli._terminal import LEVEL_STYLES, clock, log_text, process_name, size, spaced
from tierlog.demo import Facts, File


__all__ = ["show"]

_GUIDE = 4  # columns of a tree's guide
_NAME = 54  # columns of a segment's name, three levels deep
_SIZE = 9  # columns of a size
_WITH_SIZES = 88  # columns of a terminal that has room for sizes, too
_EXAMPLES = 3


def show(facts: Facts, console: Console, *, is_kept: bool) -> None:
    """
    Show what was written, what was redacted, what is proved, and what to do next.
    """
    records = spaced(facts.sequence["records"])
    said = f"{len(facts.processes)} processes logged {records} records in {facts.seconds:.1f} s, and one of them was killed"
    console.print(Text.assemble((f"tierlog {__version__}", "bold"), "  ", (said, "dim")))
    _show_tree(facts, console)
    _show_build(facts, console)
    _show_redactions(facts, console)
    _show_claims(facts, console)
    _show_next_steps(facts, console, is_kept=is_kept)


def _heading(console: Console, title: str, note: str = "") -> None:
    console.print()
    _line(console, Text.assemble((title, "bold cyan"), (f"  {note}" if note else "", "dim")))


def _line(console: Console, text: Text) -> None:
    console.print(text, no_wrap=True, overflow="ellipsis")


def _show_tree(facts: Facts, console: Console) -> None:
    _heading(console, "What was written", ", ".join(f"{tier} {spaced(count)}" for tier, count in facts.tiers.items()))
    tree = Tree(Text(f"{facts.root}/", "bold"), guide_style="dim")
    branches: dict[str, Tree] = {}
    for file in facts.files:
        tier, day, *ids, name = file.path.split("/")
        branch = _branch(branches, tree, f"{tier}/{day}/")
        for id_ in ids:
            branch = _branch(branches, branch, f"{id_}/", f"{tier}/{id_}")
        # Where the name doesn't say who wrote the file, the writers stand behind it.
        who = "" if ids or tier == "system" else "  " + " + ".join(map(process_name, file.writers))
        leaf = _leaf(file, name, who, _NAME + _GUIDE * (1 - len(ids)))
        branch.add(leaf if console.width >= _WITH_SIZES else leaf[:-_SIZE])
    console.print(tree, no_wrap=True, overflow="ellipsis")


def _branch(branches: dict[str, Tree], parent: Tree, label: str, path: str = "") -> Tree:
    key = path or label
    if key not in branches:
        branches[key] = parent.add(Text(label, "blue"))
    return branches[key]


def _leaf(file: File, name: str, who: str, width: int) -> Text:
    lines = f"{spaced(file.lines):>6} {'lines' if file.lines > 1 else 'line '}"
    text = Text(name, no_wrap=True, overflow="ellipsis")
    return text.append(who.ljust(width - len(name)), "yellow").append(lines).append(f"{size(file.bytes):>{_SIZE}}", "dim")


def _show_build(facts: Facts, console: Console) -> None:
    build = facts.build
    _heading(console, "One build's log", f"{build.path}; times are UTC")
    _show_gap(console, build.lines - len(build.before) - build.skipped - len(build.after) - build.rest)
    for event in build.before:
        _show_event(console, event)
    killed = f"{'':15}{'kill':6}{facts.killed:10}SIGKILL, the other process goes on"
    _line(console, Text(killed, "bold magenta"))
    _show_gap(console, build.skipped)
    for event in build.after:
        _show_event(console, event)
    _show_gap(console, build.rest)


def _show_event(console: Console, event: dict[str, Any]) -> None:
    level = (f"{event['lvl']:6}", LEVEL_STYLES[event["lvl"]])
    who, src = process_name(event["instanceId"]), event["src"]
    row = Text.assemble("  ", (f"{clock(event['ts'])} ", "dim"), level, f"{who:10}", (f"{src:7}", "dim"))
    _line(console, row.append_text(log_text(event["msg"])))


def _show_gap(console: Console, lines: int) -> None:
    if lines > 0:
        _line(console, Text(f"{'':38}⋮ {spaced(lines)} more", "dim"))


def _show_redactions(facts: Facts, console: Console) -> None:
    _heading(console, "What was redacted", f"{sum(facts.redactions.values())} times, as the processes counted")
    counts = ", ".join(f"{rule} {count}" for rule, count in facts.redactions.items())
    for line in wrap(counts, console.width - 2, break_on_hyphens=False):
        console.print(Text(f"  {line}"))
    for example in facts.examples[:_EXAMPLES]:
        written = log_text(example.written)
        written.highlight_regex(r"\[REDACTED:[\w-]+\]", "bold yellow")
        _line(console, Text.assemble(("  logged   ", "dim"), log_text(example.logged)))
        _line(console, Text.assemble(("  written  ", "dim"), written))


def _show_claims(facts: Facts, console: Console) -> None:
    _heading(console, "What is NOT proved" if facts.failures else "What is proved", "by reading every line of the files")
    for claim in facts.claims:
        mark, style = ("✓", "green") if claim.holds else ("✗", "bold red")
        console.print(Text.assemble("  ", (mark, style), " ", (claim.text, "" if claim.holds else style)))


def _show_next_steps(facts: Facts, console: Console, *, is_kept: bool) -> None:
    if not is_kept:
        _heading(console, "What to type next", "the files are gone; without --no-keep they stay, to be looked at")
        return
    project = next((file.path.split("/")[2] for file in facts.files if file.path.startswith("projects/")), "PROJECT")
    own = "tierlog" if shutil.which("tierlog") else shlex.quote(os.path.join(os.path.dirname(sys.executable), "tierlog"))
    steps = {
        "": f"cd {shlex.quote(facts.root)}",
        "that build, as it printed": f"{own} build {facts.build.id} --root .",
        "what went wrong, everywhere": f"{own} search --level error --root .",
        "what happened in one project": f"{own} timeline {project} --root .",
        "with other tools: errors by tier": """grep -rhF '"lvl":"error"' . | jq -r .tier | sort | uniq -c""",
        "in your own program": """import tierlog; tierlog.configure(root="logs")  # then: tierlog tail -f""",
    }
    if find_spec("uvicorn") is not None:
        steps["all of it in a browser"] = f"{own} serve --root ."
    _heading(console, "What to type next")
    for what, command in steps.items():
        if what:
            console.print(Text(f"  # {what}", "dim"))
        console.print(Text(f"  {command}"), soft_wrap=True)
