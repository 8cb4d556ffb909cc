"""Generated programs, analysed and run on torch: a short run. CONTRIBUTING says how to make a long one."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from .differential.campaign import Summary, campaign, kinds_of
from .differential.constructs import EXPECTED, constructs_of
from .differential.grammar import Program, programs
from .differential.reducing import reduced

PROGRAMS = 150
"""Of each batch."""
MENDED = (5000,)
"""Seeds of batches on which no claim is wrong any more."""
OCCURRING = 9
"""The seed of the programs in which every construct has to occur."""
TOLERATED = 0.03
"""How many kinds of wrong claims new programs may show, as a share of them, until long runs find none.

Kinds, because one cause may show in many programs of a batch. Of 1,250
programs (`--seed 81006`) there were five kinds, 0.6 in a batch; with that, and kinds that come independently,
chance alone exceeds four once in some 2,500 runs.
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
    assert len(kinds_of(done.wrong)) <= TOLERATED * PROGRAMS, f"seed {number}\n{_report(done)}"


def test_every_construct_occurs() -> None:
    """Of what the programs are meant to have, nothing has gone missing: they are generated, not run."""
    missing = set(EXPECTED)

    @seed(OCCURRING)
    @settings(
        max_examples=800, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(programs())
    def one(program: Program) -> None:
        missing.difference_update(constructs_of(program.text))

    one()
    assert not missing


def _report(done: Summary) -> str:
    shown = kinds_of(done.wrong)[:2]
    return "\n\n".join(f"{wrong} ({count} times)\n{reduced(program, wrong)!r}" for program, wrong, count in shown)
