"""
The rules that ``tierlog r2 lifecycle`` prints are ones that a bucket takes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

from servers.moto_server import BUCKET
from tierlog.cli._r2 import rules
from tierlog.kinds import TIERS
from tierlog.retention import parse_retention


def test_a_bucket_takes_them_and_gives_them_back(moto):
    """
    What the command prints can be put into a bucket as it is.
    """
    command = [sys.executable, "-m", "tierlog.cli", "r2", "lifecycle", "--prefix", "logs", "--retention", "build=14d"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TIERLOG_")}
    printed = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60, env=environment).stdout)

    moto.client().put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration=printed)
    there = moto.client().get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]

    key = {"key": lambda rule: rule["ID"]}
    assert sorted(there, **key) == sorted(printed["Rules"], **key)
    assert {rule["ID"]: rule["Expiration"]["Days"] for rule in there} == {
        **{f"tierlog-{tier}": 30 for tier in TIERS},
        "tierlog-build": 14,
    }


def test_a_rule_concerns_its_tier_alone():
    """
    Each has the prefix of its tier's keys, below the bucket's; what is kept has none.
    """
    found = rules(parse_retention("r", {"deploy": None, "default": "36h"}), "/a/b/")["Rules"]

    assert {rule["Filter"]["Prefix"] for rule in found} == {"a/b/system/", "a/b/builds/", "a/b/projects/", "a/b/lifecycle/"}
    assert {rule["Expiration"]["Days"] for rule in found} == {2}
