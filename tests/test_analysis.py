"""Every reveal mark: what the facts say of a line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum, Flag

import libcst as cst
import pytest

from flake8_nograd.analysis import facts_of
from flake8_nograd.grad import Answer
from flake8_nograd.source import Source
from tests.cases import Case, cases
from tests.reveals import Shown, claims, columns, every_column, resolved, row_types, seen

PAGES = cases("analysis")


@pytest.mark.parametrize("case", PAGES, ids=lambda case: case.name)
def test_facts_equal_reveals(case: Case) -> None:
    source = Source.of(case.code)
    facts = facts_of(source.module, case.settings)
    shown = Shown(source, facts)
    claimed = claims(case.code)
    assert claimed
    assert {line: {name: shown.of(line, name) for name in names} for line, names in claimed.items()} == claimed
    assert {source.range_of(each.anchor).line for each in facts.reveals} <= claimed.keys()


@pytest.mark.parametrize("name", ["write", "writes.taget", "writes.target.knd", "knd", "forwards.method.name"])
def test_a_mark_names_a_table_and_a_column(name: str) -> None:
    with pytest.raises(KeyError):
        resolved(name)


@pytest.mark.parametrize("mark", ["writes", "writes.past no", "writes.place: none"])
def test_a_mark_says_what_is_shown(mark: str) -> None:
    with pytest.raises((KeyError, ValueError)):
        claims(f"x  #> {mark}\n")


SEEN = seen(claims(case.code) for case in PAGES)


def shown_in(record: type, column: str) -> set[str]:
    """All that is shown of a column, by any name."""
    return set().union(*SEEN.get((record, column), {}).values())


def without_two_values() -> Iterator[str]:
    for record, column in every_column():
        if not any(len(values) > 1 for values in SEEN.get((record, column), {}).values()):
            yield f"{record.__name__}.{column}"


def without_yes_and_no() -> Iterator[str]:
    for record, column in every_column():
        if columns(record)[column] is Answer and not {"yes", "no"} <= shown_in(record, column):
            yield f"{record.__name__}.{column}: yes and no"


def members_never_shown() -> Iterator[str]:
    for kind in {columns(record)[column] for record, column in every_column()}:
        if issubclass(kind, Enum) and not issubclass(kind, Flag):
            holders = [each for each in every_column() if columns(each[0])[each[1]] is kind]
            shown = set().union(*(shown_in(*each) for each in holders))
            yield from (str(each) for each in kind if each.value not in shown)


def tables_without_an_empty_line() -> Iterator[str]:
    marked = [claim for each in PAGES for line in claims(each.code).values() for claim in line.items()]
    yield from (f"{table}: none" for table in row_types() if ((table,), "none") not in marked and table != "reveals")


@pytest.mark.parametrize(
    "missing", [without_two_values, without_yes_and_no, members_never_shown, tables_without_an_empty_line]
)
def test_every_fact_has_reveal_cases(missing: Callable[[], Iterator[str]]) -> None:
    """Each column, also of what stands in one, is shown with different values; each table where it has no row."""
    assert set(missing()) == set()


def test_every_statement_has_a_visit() -> None:
    """A statement without one would be walked by LibCST, unordered and slowly."""
    from flake8_nograd.analysis.walk import Walk

    def leaves(base: type) -> set[type]:
        below = base.__subclasses__()
        return set().union(*(leaves(each) for each in below)) if below else {base}

    statements = leaves(cst.BaseCompoundStatement) | leaves(cst.BaseSmallStatement) | {cst.SimpleStatementLine}
    ours = {each for each in statements if each.__module__.startswith("libcst._nodes")}
    assert {each.__name__ for each in ours if f"visit_{each.__name__}" not in vars(Walk)} == set()


@pytest.mark.parametrize("header", ["for x{0} in loader:", "while x[{0}]:"])
def test_loops_in_loops_take_no_power_of_the_time(monkeypatch: pytest.MonkeyPatch, header: str) -> None:
    """Each loop around adds turns; it must not multiply them."""
    from flake8_nograd.analysis.walk import Walk

    visit = Walk.visit_Pass

    def turns(depth: int) -> int:
        seen: list[cst.Pass] = []
        monkeypatch.setattr(Walk, "visit_Pass", lambda walk, node: (seen.append(node), visit(walk, node))[1])
        loops = "".join("    " * number + header.format(number) + "\n" for number in range(depth))
        facts_of(cst.parse_module(loops + "    " * depth + "total = model(total)\n" + "    " * depth + "pass\n"))
        return len(seen)

    assert turns(12) < 4 * turns(6)
