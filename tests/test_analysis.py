"""Every reveal mark: what is known at a point."""

from __future__ import annotations

import libcst as cst
import pytest

from flake8_nograd.analysis import facts_of
from flake8_nograd.facts import Reveal
from flake8_nograd.grad import GradMode
from flake8_nograd.source import Source
from tests.cases import Case, cases


def described(reveal: Reveal) -> dict[str, str]:
    value = reveal.value
    modes = [mode.name.lower() for mode in (GradMode.ON, GradMode.OFF, GradMode.INFERENCE) if reveal.grad & mode]
    return {
        "grad": "unknown" if reveal.grad is GradMode.UNKNOWN else "|".join(modes),
        "kind": value.kind.value,
        "requires_grad": value.requires_grad.name.lower(),
        "leaf": value.is_leaf.name.lower(),
        "inference": value.is_inference.name.lower(),
        "training": reveal.training.name.lower(),
        "cut": value.cut.how.value if value.cut else "none",
        "releafed": "no" if value.releafed is None else "yes",
    }


@pytest.mark.parametrize("case", cases("analysis"), ids=lambda case: case.name)
def test_facts_equal_reveals(case: Case) -> None:
    source = Source.of(case.code)
    facts = facts_of(source.module)
    claims = case.reveals
    assert claims
    seen = {}
    for reveal in facts.reveals:
        line = source.range_of(reveal.anchor).line
        known = described(reveal)
        seen[line] = {key: known[key] for key in claims.get(line, {})}
    assert seen == claims


def test_every_statement_has_a_visit() -> None:
    """A statement without one would be walked by LibCST, unordered and slowly."""
    from flake8_nograd.analysis.walk import Walk

    def leaves(base: type) -> set[type]:
        below = base.__subclasses__()
        return set().union(*(leaves(each) for each in below)) if below else {base}

    statements = leaves(cst.BaseCompoundStatement) | leaves(cst.BaseSmallStatement) | {cst.SimpleStatementLine}
    ours = {each for each in statements if each.__module__.startswith("libcst._nodes")}
    assert {each.__name__ for each in ours if f"visit_{each.__name__}" not in vars(Walk)} == set()
