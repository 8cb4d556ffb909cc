"""Generated programs, analysed and run on torch: a short run. CONTRIBUTING says how to make a long one."""

from __future__ import annotations

import random

import pytest

from .differential.campaign import Summary, campaign, kinds_of
from .differential.reducing import reduced

PROGRAMS = 150
"""Of each batch."""
MENDED = (5000,)
"""Seeds of batches on which no claim is wrong any more."""
TOLERATED = 0.03
"""The share of new programs that may show a wrong claim, until long runs find none; a broken fact shows in more.

Long runs find 0.1 to 0.3 %: with that, chance alone exceeds it once in some ten thousand runs.
"""


@pytest.mark.parametrize("number", MENDED)
def test_no_claim_is_wrong(number: int) -> None:
    """The same programs in every run."""
    done = campaign(PROGRAMS, number)
    assert not done.wrong, _report(done)
    assert not done.defects, next(iter(done.defects.values()))
    assert done.programs == PROGRAMS
    assert done.points > PROGRAMS, "the programs reach their points"


def test_few_claims_are_wrong_on_new_programs() -> None:
    """Other programs in every run."""
    number = random.SystemRandom().randrange(10_000, 1_000_000_000)
    print(f"seed {number}")
    done = campaign(PROGRAMS, number)
    assert done.wrong_programs <= TOLERATED * PROGRAMS, f"seed {number}\n{_report(done)}"


def _report(done: Summary) -> str:
    shown = kinds_of(done.wrong)[:2]
    return "\n\n".join(f"{wrong} ({count} times)\n{reduced(program, wrong)!r}" for program, wrong, count in shown)
