"""The long run: ``python -m tests.differential --programs 100000 --seed 1``."""

from __future__ import annotations

import sys

from .campaign import main

sys.exit(main())
