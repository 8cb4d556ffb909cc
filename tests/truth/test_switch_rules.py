"""What the pages of NGR401 to NGR412, NGR601 and NGR602 claim of torch, run on torch."""

# mypy: disable-error-code="no-untyped-call"
# torch leaves ``backward`` untyped

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import nn

from flake8_nograd.rules import all_rules

PAGES = {rule.code: rule.documentation for rule in all_rules()}
NO_GRAPH = "element 0 of tensors does not require grad and does not have a grad_fn"


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """What these tests leave switched off is on again in the next."""
    torch.set_grad_enabled(True)
    yield
    torch.set_grad_enabled(True)


def gradients() -> bool:
    return torch.is_grad_enabled()


def error_of(action: object, kind: type[Exception]) -> str:
    assert callable(action)
    with pytest.raises(kind) as caught:
        action()
    return str(caught.value)


# --- NGR404: set_grad_enabled(False) as a statement -------------------------------------


class Detector:
    def __init__(self) -> None:
        torch.set_grad_enabled(False)


def test_a_constructor_switches_gradients_off_for_all_that_follows() -> None:
    Detector()
    assert not gradients()
    loss = nn.Linear(2, 1)(torch.ones(1, 2)).sum()
    assert error_of(loss.backward, RuntimeError) == NO_GRAPH
    assert f"RuntimeError: {NO_GRAPH}" in PAGES["NGR404"]


def test_a_part_computed_meanwhile_is_not_trained() -> None:
    body, head = nn.Linear(2, 2), nn.Linear(2, 1)
    torch.set_grad_enabled(False)
    hidden = body(torch.ones(1, 2))
    torch.set_grad_enabled(True)
    head(hidden).sum().backward()
    assert head.weight.grad is not None
    assert body.weight.grad is None


def test_another_thread_has_gradients_on() -> None:
    seen = []
    torch.set_grad_enabled(False)
    thread = threading.Thread(target=lambda: seen.append(gradients()))
    thread.start()
    thread.join()
    assert seen == [True]


def test_a_statement_lasts_to_the_end_of_the_block_that_restores() -> None:
    with torch.no_grad():
        torch.set_grad_enabled(True)
        assert gradients()
    torch.set_grad_enabled(False)
    with torch.enable_grad():
        pass
    assert not gradients()


# --- NGR405: off and on again by hand -----------------------------------------------------


def toggling(fail: bool = False) -> bool:
    torch.set_grad_enabled(False)
    if fail:
        raise ValueError
    torch.set_grad_enabled(True)
    return gradients()


def blocked(fail: bool = False) -> bool:
    with torch.no_grad():
        if fail:
            raise ValueError
    return gradients()


def test_an_exception_between_the_two_leaves_gradients_off() -> None:
    error_of(lambda: toggling(fail=True), ValueError)
    assert not gradients()
    torch.set_grad_enabled(True)
    error_of(lambda: blocked(fail=True), ValueError)
    assert gradients()


def test_the_second_switches_on_what_a_caller_switched_off() -> None:
    model = nn.Linear(2, 1)
    with torch.no_grad():
        assert not blocked()
        assert toggling()
        assert model(torch.ones(1, 2)).requires_grad
    assert gradients()


def test_outside_of_no_grad_a_block_is_the_same() -> None:
    assert toggling() is blocked() is True


@pytest.mark.parametrize(
    ("switch", "enabled", "inference"),
    [(torch.no_grad, False, False), (torch.enable_grad, True, False), (torch.inference_mode, False, True)],
)
def test_a_switch_that_is_called_with_a_function_wraps_it(
    switch: Callable[[Callable[[], tuple[bool, bool]]], Callable[[], tuple[bool, bool]]],
    enabled: bool,
    inference: bool,
) -> None:
    def modes() -> tuple[bool, bool]:
        return torch.is_grad_enabled(), torch.is_inference_mode_enabled()

    with torch.set_grad_enabled(not enabled):
        wrapped = switch(modes)
        assert modes() == (not enabled, False)
        assert wrapped() == (enabled, inference)
        assert modes() == (not enabled, False)
