"""Options of the test run."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--update``: write the fixes as they are into the pages of cases, to be read in the diff."""
    parser.addoption("--update", action="store_true", help="record the fixes in the pages of cases")
