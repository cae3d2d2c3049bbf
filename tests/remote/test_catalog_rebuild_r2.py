"""
``tierlog catalog rebuild`` with a bucket.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tierlog.catalog import Catalog, sqlite_url
from tierlog.context import EMPTY
from tierlog.handler import TierHandler
from tierlog.r2 import ship


@pytest.mark.parametrize("compression", [None, "zstd"])
def test_what_is_in_the_bucket_is_entered(r2, tmp_path, compression):
    """
    After the catalog is lost, the command finds all that was shipped, in every field.
    """
    handler = TierHandler(sink={"type": "segments", "root": str(tmp_path), "max_bytes": 2_000}, instance_name="web")
    for n in range(40):
        handler.pipeline.event(1_790_000_000_000 + n, EMPTY, "info", "app", f"record {n}")
    handler.close()
    assert ship(tmp_path, compression=compression, **r2).pending == 0
    catalog = Catalog(sqlite_url(tmp_path))
    before = list(catalog.find())
    catalog.close()
    catalog.path.unlink()

    secrets = {"TIERLOG_ACCESS_KEY_ID": r2["access_key_id"], "TIERLOG_SECRET_ACCESS_KEY": r2["secret_access_key"]}
    command = [sys.executable, "-m", "tierlog.cli", "catalog", "rebuild", "--root", str(tmp_path), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **secrets})

    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert (report["shipped"], report["local"], report["unreadable"]) == (len(before), 0, {})
    assert list(catalog.find()) == before
    assert len(before) > 2
    catalog.close()
