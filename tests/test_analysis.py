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


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], int]:
    """Tells how often the walk comes to a ``pass``."""
    from flake8_nograd.analysis.walk import Walk

    visit = Walk.visit_Pass

    def of(code: str) -> int:
        seen: list[cst.Pass] = []
        monkeypatch.setattr(Walk, "visit_Pass", lambda walk, node: (seen.append(node), visit(walk, node))[1])
        facts_of(cst.parse_module(code))
        return len(seen)

    return of


def nested(depth: int, before: str, after: str) -> str:
    """A function with a block in a block in a block."""
    lines = [f"{'    ' * number}{before.format(number)}\n" for number in range(1, depth + 1)]
    lines += [f"{'    ' * (depth + 1)}{each}\n" for each in ("total = model(total)", "pass")]
    lines += [f"{'    ' * number}{after.format(number)}\n" for number in range(depth, 0, -1) if after]
    return "def run(model, total, loader, x):\n" + "".join(lines)


@pytest.mark.parametrize(
    ("before", "after", "depth"),
    [
        ("for x{0} in loader:", "", 6),
        ("while x[{0}]:", "", 6),
        ("try:", "finally: x[{0}].close(); pass", 4),
    ],
)
def test_blocks_in_blocks_take_no_power_of_the_time(
    turns: Callable[[str], int], before: str, after: str, depth: int
) -> None:
    """Each loop around adds turns, and each ``finally`` a way out; it must not multiply them."""
    assert turns(nested(2 * depth, before, after)) < 4 * turns(nested(depth, before, after))


def test_what_follows_in_a_try_walks_its_finally_no_more(turns: Callable[[str], int]) -> None:
    """Where nothing changes that it mentions, the mode that it leaves is known."""
    before, after = "def run(model, x):\n    try:\n", "    finally:\n        file.close()\n        pass\n"
    few, many = (turns(before + "        x = model(x)\n" * count + after) for count in (2, 20))
    assert many == few
