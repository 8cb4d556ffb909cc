"""What the pages of NGR401 to NGR403 and NGR407 to NGR412 claim of torch, run on torch."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn

from flake8_nograd.rules import all_rules

PAGES = {rule.code: rule.documentation for rule in all_rules()}

Made = torch.no_grad | torch.inference_mode | torch.enable_grad


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """What these tests leave switched off is on again in the next."""
    torch.set_grad_enabled(True)
    yield
    torch.set_grad_enabled(True)


def gradients() -> bool:
    return torch.is_grad_enabled()


def error_of(action: Callable[[], object], *kinds: type[Exception]) -> str:
    with pytest.raises(kinds) as caught:
        action()
    return str(caught.value)


# --- NGR403: joined by and, or ------------------------------------------------------------


def test_and_enters_the_last_alone() -> None:
    with torch.no_grad() and torch.autocast("cpu"):
        assert gradients()
        assert torch.is_autocast_enabled("cpu")
        assert nn.Linear(2, 1)(torch.ones(1, 2)).requires_grad
    with torch.autocast("cpu") and torch.no_grad():
        assert not gradients()
        assert not torch.is_autocast_enabled("cpu")


def test_or_enters_the_first_alone() -> None:
    with torch.autocast("cpu") or torch.no_grad():
        assert gradients()
    with torch.no_grad() or torch.autocast("cpu"):
        assert not gradients()
        assert not torch.is_autocast_enabled("cpu")


def test_a_comma_enters_both() -> None:
    with torch.no_grad(), torch.autocast("cpu"):
        assert not gradients()
        assert torch.is_autocast_enabled("cpu")
        assert nn.Linear(2, 1)(torch.ones(1, 2)).dtype is torch.bfloat16
    assert gradients()


# --- NGR407: decorators that reach nothing, await in a block --------------------------------

SWITCHES = [torch.no_grad, torch.inference_mode]
each_switch = pytest.mark.parametrize("switch", SWITCHES, ids=lambda switch: switch.__name__)


@each_switch
def test_a_decorated_coroutine_runs_with_gradients(switch: Callable[[], Made]) -> None:
    @switch()
    async def coroutine() -> bool:
        return gradients()

    @switch()
    async def generator() -> AsyncIterator[bool]:
        yield gradients()

    async def items() -> list[bool]:
        return [each async for each in generator()]

    assert asyncio.run(coroutine())
    assert asyncio.run(items()) == [True]


def test_a_decorated_generator_goes_on_in_the_mode_of_its_decorator() -> None:
    @torch.no_grad()
    def generator() -> Iterator[bool]:
        with torch.enable_grad():
            yield gradients()
            yield gradients()

    assert list(generator()) == [True, False]


def test_a_context_manager_that_decorates_a_generator_has_been_left_when_it_runs() -> None:
    @contextlib.contextmanager
    def quiet() -> Iterator[None]:
        with torch.no_grad():
            yield

    @quiet()
    def generator() -> Iterator[bool]:
        yield gradients()

    assert list(generator()) == [True]


@pytest.mark.parametrize("switch", [torch.no_grad, torch.enable_grad])
def test_a_decorated_generator_leaves_inference_mode_on_where_it_yields(switch: Callable[[], Made]) -> None:
    @switch()
    def generator() -> Iterator[bool]:
        with torch.inference_mode():
            yield True
            yield torch.is_inference_mode_enabled()

    made = generator()
    next(made)
    assert torch.is_inference_mode_enabled()
    assert list(made) == [True]
    assert not torch.is_inference_mode_enabled()
    assert gradients()


def test_a_generator_under_inference_mode_leaves_nothing_where_it_yields() -> None:
    @torch.inference_mode()
    def generator() -> Iterator[bool]:
        with torch.inference_mode(False):
            yield True
            yield torch.is_inference_mode_enabled()

    made = generator()
    next(made)
    assert gradients()
    assert list(made) == [True]
    assert gradients()


def test_a_generator_that_is_wrapped_at_its_call_takes_its_mode_back_at_each_yield() -> None:
    def generator() -> Iterator[bool]:
        with torch.no_grad():
            yield gradients()
            yield gradients()

    found = []
    for within in torch.enable_grad()(generator)():
        found += [within, gradients()]
    assert found == [False, True, True, True]


@each_switch
def test_a_decorated_context_manager_leaves_its_block_with_gradients(switch: Callable[[], Made]) -> None:
    @switch()
    @contextlib.contextmanager
    def above() -> Iterator[bool]:
        yield gradients()

    @contextlib.contextmanager
    @switch()
    def below() -> Iterator[bool]:
        yield gradients()

    with above() as inside:
        assert gradients()
        assert inside
    with below() as inside:
        assert gradients()
        assert not inside


def test_a_block_in_the_context_manager_reaches_the_block() -> None:
    @contextlib.contextmanager
    def mended() -> Iterator[None]:
        with torch.no_grad():
            yield

    with mended():
        assert not gradients()
    assert gradients()


def test_a_block_in_the_coroutine_holds() -> None:
    async def mended() -> bool:
        with torch.no_grad():
            return gradients()

    assert not asyncio.run(mended())


def test_of_a_decorated_class_the_constructor_alone_has_no_gradients() -> None:
    class Evaluator:
        def __init__(self) -> None:
            self.constructed = gradients()

        def predict(self) -> bool:
            return gradients()

    with pytest.warns(FutureWarning) as caught:
        decorated: Callable[[], Evaluator] = torch.no_grad()(Evaluator)
    said = "Decorating classes is deprecated and will be disabled in future versions"
    assert said in str(caught[0].message)
    assert said in " ".join(PAGES["NGR407"].split())
    assert not isinstance(decorated, type)
    assert not decorated().constructed
    assert decorated().predict()


def test_an_await_in_a_block_reaches_other_tasks() -> None:
    seen = []

    async def evaluating() -> None:
        with torch.no_grad():
            await asyncio.sleep(0.01)

    async def training() -> None:
        await asyncio.sleep(0)
        seen.append(gradients())

    async def both() -> None:
        await asyncio.gather(evaluating(), training())

    asyncio.run(both())
    assert seen == [False]


def test_two_blocks_that_overlap_leave_gradients_off() -> None:
    seen = []

    async def evaluating(turns: int) -> None:
        with torch.no_grad():
            for _ in range(turns):
                await asyncio.sleep(0)
            seen.append(gradients())

    async def both() -> None:
        await asyncio.gather(evaluating(1), evaluating(2))

    asyncio.run(both())
    assert seen == [False, True]
    assert not gradients()


# --- NGR401, NGR402: not called, not entered --------------------------------------------------


@pytest.mark.parametrize("switch", [*SWITCHES, torch.enable_grad, torch.set_grad_enabled])
def test_a_switch_that_is_not_called_cannot_be_entered(switch: Made) -> None:
    def entered() -> None:
        with switch:
            raise AssertionError

    # Python 3.10 raises AttributeError.
    error = error_of(entered, TypeError, AttributeError)
    if sys.version_info >= (3, 11):
        assert error == "'type' object does not support the context manager protocol"
        assert f"TypeError: {error}" in PAGES["NGR401"]
    with contextlib.ExitStack() as stack:
        error_of(lambda: stack.enter_context(switch), TypeError, AttributeError)
        assert gradients()


@pytest.mark.parametrize("switch", [*SWITCHES, torch.enable_grad])
def test_a_switch_that_is_not_entered_changes_nothing(switch: Callable[[], Made]) -> None:
    switch()
    assert gradients()
    if switch():
        assert gradients()
    else:
        raise AssertionError
    with torch.no_grad():
        switch()
        assert not gradients()
    assert not torch.is_inference_mode_enabled()


def test_set_grad_enabled_acts_when_it_is_called() -> None:
    torch.set_grad_enabled(False)
    assert not gradients()


# --- NGR408: above staticmethod, classmethod, property -----------------------------------------


@pytest.mark.parametrize("switch", [torch.no_grad(), torch.no_grad, torch.inference_mode(), torch.inference_mode])
def test_above_a_descriptor_it_breaks_the_method(switch: Callable[[object], Callable[..., bool]]) -> None:
    class Wrong:
        @switch
        @staticmethod
        def predict(x: int) -> bool:
            return gradients()

        @switch
        @classmethod
        def load(cls) -> bool:
            return gradients()

        @switch
        @property
        def norm(self) -> bool:
            return gradients()

        @switch
        @functools.cached_property
        def size(self) -> bool:
            return gradients()

    assert error_of(lambda: Wrong().predict(1), TypeError).endswith(
        "predict() takes 1 positional argument but 2 were given"
    )
    assert "TypeError: predict() takes 1 positional argument but 2 were given" in PAGES["NGR408"]
    assert Wrong.predict(1) is False
    for call in (Wrong.load, Wrong().load):
        error = error_of(call, TypeError)
        assert f"TypeError: {error}" in PAGES["NGR408"]
    for value in (Wrong().norm, Wrong().size):
        assert callable(value)
        assert "object is not callable" in error_of(value, TypeError)


def test_directly_above_the_def_it_does_what_it_says() -> None:
    class Right:
        @staticmethod
        @torch.no_grad()
        def predict(x: int) -> bool:
            return gradients()

        @classmethod
        @torch.no_grad()
        def load(cls) -> bool:
            return gradients()

        @property
        @torch.no_grad()
        def norm(self) -> bool:
            return gradients()

        @functools.cached_property
        @torch.no_grad()
        def size(self) -> bool:
            return gradients()

    assert (Right().predict(1), Right.predict(1), Right.load(), Right().norm, Right().size) == (False,) * 5


# --- NGR410: arguments, and one object inside itself ---------------------------------------------


def entering(made: Callable[[], contextlib.AbstractContextManager[object]]) -> Callable[[], object]:
    def entered() -> None:
        with made():
            raise AssertionError

    return entered


WRONG = [
    *((name, argument) for name in ("no_grad", "enable_grad") for argument in (True, False, "x", 0)),
    *(("inference_mode", argument) for argument in (None, "x", 0)),
]


@pytest.mark.parametrize(("name", "argument"), WRONG)
def test_an_argument_is_taken_for_a_function(name: str, argument: object) -> None:
    switch = getattr(torch, name)
    error = error_of(entering(lambda: switch(argument)), TypeError, AttributeError)
    if sys.version_info >= (3, 11):
        assert f"TypeError: {error}" in " ".join(PAGES["NGR410"].split())
    assert "is not callable" in error_of(lambda: switch(argument)(gradients), TypeError)


@pytest.mark.parametrize(("argument", "name"), [("train", "str"), (0, "int"), (1, "int"), (None, "NoneType")])
def test_set_grad_enabled_wants_a_bool(argument: bool, name: str) -> None:
    error = error_of(lambda: torch.set_grad_enabled(argument), TypeError)
    said = "set_grad_enabled(): argument 'enabled' (position 1) must be bool, not "
    assert error == said + name
    assert f"TypeError: {said}str" in PAGES["NGR410"]
    assert error_of(lambda: torch.set_grad_enabled(gradients), TypeError) == said + "function"


def test_set_grad_enabled_wants_an_argument() -> None:
    switch: Callable[[], object] = torch.set_grad_enabled
    assert "missing 1 required positional argument" in error_of(switch, TypeError)


def test_one_object_inside_itself_leaves_gradients_off() -> None:
    quiet = torch.no_grad()
    with quiet, quiet:
        pass
    assert not gradients()


def test_one_inference_mode_object_inside_itself_stays() -> None:
    seen = []

    def run() -> None:
        fast = torch.inference_mode()
        with fast, fast:
            pass
        seen.append(torch.is_inference_mode_enabled())

    # The mode belongs to the thread, and would stay for the other tests.
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [True]


def test_one_object_may_be_entered_again_after_it_was_left() -> None:
    quiet = torch.no_grad()
    for _ in range(2):
        with quiet:
            assert not gradients()
        assert gradients()


# --- NGR411: decorators without parentheses ------------------------------------------------------


@pytest.mark.parametrize("switch", [*SWITCHES, torch.enable_grad])
def test_with_and_without_parentheses_a_decorator_is_the_same(switch: Callable[..., Callable[[], bool]]) -> None:
    with torch.set_grad_enabled(switch is not torch.enable_grad):
        decorate: Callable[..., Callable[..., bool]] = switch()
        assert switch(gradients)() is decorate(gradients)() is (switch is torch.enable_grad)


# --- NGR409: off already -------------------------------------------------------------------------


@each_switch
def test_no_grad_changes_nothing_where_gradients_are_off(switch: Callable[[], Made]) -> None:
    with switch():
        before = gradients(), torch.is_inference_mode_enabled()
        with torch.no_grad():
            assert (gradients(), torch.is_inference_mode_enabled()) == before
        assert (gradients(), torch.is_inference_mode_enabled()) == before


def test_a_function_of_autograd_runs_without_gradients_but_for_a_backward_with_graph() -> None:
    seen = []

    class Scale(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, x: torch.Tensor) -> torch.Tensor:
            seen.append(gradients())
            return x * 2

        @staticmethod
        def backward(ctx: object, gradient: torch.Tensor) -> torch.Tensor:
            seen.append(gradients())
            return gradient * 2

    x = torch.ones(1, requires_grad=True)
    Scale.apply(x).backward()
    assert seen == [False, False]
    torch.autograd.grad(Scale.apply(x), x, create_graph=True)
    assert seen == [False, False, False, True]


def test_a_thread_does_not_inherit_the_mode() -> None:
    """What NGR412 claims of ``requires_grad``, and of functions that guard themselves."""
    model, x = torch.nn.Linear(2, 2), torch.ones(1, 2)
    guarded = torch.no_grad()(model.forward)
    with torch.no_grad(), ThreadPoolExecutor(1) as pool:
        assert not model(x).requires_grad
        assert pool.submit(model, x).result().requires_grad
        assert not pool.submit(guarded, x).result().requires_grad


# --- NGR410: left before it runs -------------------------------------------------------------------


@each_switch
def test_what_is_lazy_runs_with_gradients_when_the_block_is_left(switch: Callable[[], Made]) -> None:
    model, batches = nn.Linear(2, 1), [torch.ones(1, 2)] * 2
    with switch():
        generated, mapped = (model(x) for x in batches), map(model, batches)
        inside, comprehended = list(map(model, batches)), [model(x) for x in batches]
    assert not any(each.requires_grad for each in inside + comprehended)
    assert all(each.requires_grad for each in generated)
    assert all(each.requires_grad for each in mapped)


@each_switch
def test_what_is_lazy_runs_with_gradients_when_a_decorated_function_gives_it(switch: Callable[[], Made]) -> None:
    model, batches = nn.Linear(2, 1), [torch.ones(1, 2)] * 2

    @switch()
    def generated() -> Iterator[torch.Tensor]:
        return (model(x) for x in batches)

    @switch()
    def mapped() -> Iterator[torch.Tensor]:
        return map(model, batches)

    assert all(each.requires_grad for each in [*generated(), *mapped()])
