"""Is an error expected here? What the rules on code that raises ask of the facts."""

from __future__ import annotations

from .facts import FileFacts, Function, Place

EXPECTING = frozenset({"pytest.raises", ".assertRaises", ".assertRaisesRegex", ".fail"})


def expects_an_error(facts: FileFacts, function: Function | None) -> bool:
    """Whether a function is a test that something raises, or stands in one."""
    while function is not None:
        if any(each.place.function is function and each.api in EXPECTING for each in facts.calls):
            return True
        function = function.parent
    return False


def asks_whether_it_exists(place: Place) -> bool:
    """Whether something is named to see if it is there: ``try: torch.inference_mode``, ``except AttributeError:``."""
    return "AttributeError" in place.caught
