"""
``python -m tierlog.cli`` is ``tierlog``.
"""

from __future__ import annotations

from tierlog.cli import main


if __name__ == "__main__":
    main()
