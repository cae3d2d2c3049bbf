"""
Many processes and threads on one root; and the checker that judges the result.
"""

from __future__ import annotations

import json

import pytest

from checker import KEYS, check
from children import FOLDER, run


@pytest.mark.parametrize("writer", ["append", "mmap"])
def test_processes_and_threads_on_one_root(tmp_path, writer):
    """
    Three forked processes of four threads each, in all tiers: every line whole, in its place, numbered without gap.
    """
    finished = run(FOLDER / "stress.py", tmp_path / "logs", writer, 1_500)

    assert finished.returncode == 0, finished.err
    checked = check(tmp_path / "logs")
    assert checked.findings == []
    assert sorted(map(len, checked.instances.values())) == [6_000] * 3
    assert len(set(checked.messages)) == 18_000


class TestChecker:
    """
    The checker finds what it is to find.
    """

    PROJECT = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
    PATH = f"projects/2024-05-01/{PROJECT}/a-0-01BX5ZZKBKACTAV9WEVGEMMVS0.ndjson"

    @staticmethod
    def event(**changes):
        """
        Return a valid event of the action tier, with changes.
        """
        values = [1_714_564_800_000, "a-0", "action", "action", "info", TestChecker.PROJECT, None, None, None, 0, "app", "m", {}]
        return {**dict(zip(KEYS, values, strict=True)), **changes}

    def lay(self, root, content, path=PATH):
        """
        Write a file of lines, or of bytes, and check the root.
        """
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else b"".join(json.dumps(one).encode() + b"\n" for one in content))
        return check(root)

    def test_a_good_root_has_no_findings(self, tmp_path):
        """
        What is right is found right.
        """
        assert self.lay(tmp_path, [self.event(), self.event(seq=1)]).findings == []

    @pytest.mark.parametrize(
        ("code", "changes"),
        [
            pytest.param("keys", {"more": 1}, id="one-key-more"),
            pytest.param("type", {"seq": "0"}, id="seq-is-text"),
            pytest.param("type", {"seq": True}, id="seq-is-a-bool"),
            pytest.param("type", {"ts": 1.5}, id="ts-is-a-float"),
            pytest.param("type", {"lvl": "warning"}, id="lvl"),
            pytest.param("type", {"kind": "Odd Kind"}, id="kind"),
            pytest.param("type", {"tier": "audit"}, id="tier"),
            pytest.param("type", {"data": []}, id="data-is-a-list"),
            pytest.param("type", {"msg": "x" * 262_145}, id="msg-too-long"),
            pytest.param("path", {"tier": "lifecycle"}, id="another-tiers-folder"),
            pytest.param("path", {"projectId": None}, id="another-projects-folder"),
            pytest.param("path", {"instanceId": "b-0"}, id="another-instances-file"),
            pytest.param("day", {"ts": 1_714_608_000_000}, id="another-days-folder"),
        ],
    )
    def test_a_wrong_line(self, tmp_path, code, changes):
        """
        A line with anything wrong is found, by its code.
        """
        assert list(self.lay(tmp_path, [self.event(**changes)]).codes()) == [code]

    def test_keys_in_another_order(self, tmp_path):
        """
        The order of the keys is part of the envelope.
        """
        turned = dict(reversed(self.event().items()))

        assert list(self.lay(tmp_path, [turned]).codes()) == ["keys"]

    @pytest.mark.parametrize(
        ("code", "numbers"),
        [("gap", [0, 2]), ("gap", [1]), ("double", [0, 0]), ("order", [1, 0])],
    )
    def test_wrong_numbers(self, tmp_path, code, numbers):
        """
        A number that is missing, doubled or out of order is found.
        """
        assert code in self.lay(tmp_path, [self.event(seq=number) for number in numbers]).codes()

    def test_gaps_may_be_right(self, tmp_path):
        """
        Where records were counted as dropped, a gap is no finding.
        """
        self.lay(tmp_path, [self.event(seq=1)])

        assert check(tmp_path, may_miss=True).findings == []

    @pytest.mark.parametrize(
        ("code", "content"),
        [
            ("empty", b""),
            ("torn", b'{"ts":1'),
            ("blank", b"\n"),
            ("json", b"{}}\n"),
            ("json", b'{"ts":NaN}\n'),
            ("json", b'{"ts":1,"ts":1}\n'),
            ("json", b"\xff\n"),
            ("keys", b"[]\n"),
        ],
    )
    def test_what_is_no_line(self, tmp_path, code, content):
        """
        What isn't strict JSON on a line of its own is found.
        """
        assert list(self.lay(tmp_path, content).codes()) == [code]

    @pytest.mark.parametrize("path", ["x.ndjson", "system/2024-05-01/x.tmp", "builds/2024-05-01/a/b.ndjson", "projects/x"])
    def test_a_file_that_has_no_place(self, tmp_path, path):
        """
        A file that no tier has a place for is found.
        """
        assert list(self.lay(tmp_path, [self.event()], path).codes()) == ["stray"]
