"""Runs a program on torch, and writes down what is true at its points.

Each run has a thread of its own: grad mode belongs to the thread, so nothing that a
program leaves behind reaches the next one.
"""

from __future__ import annotations

import random
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from flake8_nograd.grad import GradMode

from .elsewhere import BEGIN, Way, as_others_call, called_from_elsewhere

FILENAME = "<program>"


class Endless(BaseException):
    """A program does not come to its end: a loop that was made smaller goes on, or tensors grow in one."""


MOST_LINES = 5_000
MOST_ELEMENTS = 2_000
"""Of one tensor: most have four, and a product of two of the largest is still computed at once."""


class Seen(NamedTuple):
    """What is true at a point, in one visit."""

    mode: GradMode
    kind: str
    """``tensor``, ``module``, ``none`` or ``other``."""
    requires_grad: bool | None = None
    is_leaf: bool | None = None
    is_inference: bool | None = None
    training: bool | None = None
    made_under: GradMode | None = None
    cuts: frozenset[tuple[GradMode, int]] = frozenset()
    """The operations without grad mode that it was computed by: the mode and the lines on the way to them."""


@dataclass
class Run:
    """What happened in one run."""

    points: dict[int, set[Seen]] = field(default_factory=lambda: defaultdict(set))
    lines: Counter[int] = field(default_factory=Counter)
    """How often each line was begun."""
    failures: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    """What was raised by each line itself, caught or not."""
    cuts: dict[int, list[frozenset[tuple[GradMode, int]]]] = field(default_factory=lambda: defaultdict(list))
    """Of what ``backward`` was called on, by line."""
    reached: dict[int, list[bool]] = field(default_factory=lambda: defaultdict(list))
    """Whether a parameter is behind what ``backward`` was called on, by line."""
    forwards: dict[int, list[bool]] = field(default_factory=lambda: defaultdict(list))
    """Whether forward passes recorded a graph, by each line on the way to them."""
    graphs: int = 0
    """Operations so far that recorded one."""
    printed: list[object] = field(default_factory=list)
    left: dict[str, object] = field(default_factory=dict)
    """What the names of the module hold at the end."""
    error: BaseException | None = None
    raised: Counter[int] = field(default_factory=Counter)
    """How often each line was left by an error, its own or that of a call in it, caught or not."""
    printed_before: dict[int, int] = field(default_factory=dict)
    """How much was printed when a line was left by an error for the first time."""
    begun: int = 0
    """Lines so far, counted while the program is traced."""
    astray: bool = False
    """Whether a name or attribute was missing, caught or not: no program of the grammar lacks one."""
    elsewhere: bool = False
    """Whether functions are called as from another file."""
    within: int = 0
    """How many of these calls are being run."""

    def heeds(self) -> bool:
        """Whether what happens now counts."""
        return self.within > 0 or not self.elsewhere

    def go_on(self) -> None:
        """End a program that does not come to its end; a ``finally`` that goes on with a loop can discard it once."""
        if self.begun > MOST_LINES:
            raise Endless

    def completed(self, line: int) -> int:
        """How often a line was begun and not left by an error."""
        return self.lines[line] - self.raised[line]


def run(text: str, seed: int, elsewhere: str = "", way: Way = Way.FLAGS) -> Run:
    """Run a program; ``coin()``, ``roll()`` and ``fail()`` follow the seed.

    Functions of a name may be called as from elsewhere: then only what happens in these calls is written down.
    """
    result = Run(elsewhere=bool(elsewhere))
    names = _names(random.Random(seed), result)
    if elsewhere:
        names[BEGIN] = as_others_call(way, random.Random(seed), text, result)
    code = compile(called_from_elsewhere(text, elsewhere) if elsewhere else text, FILENAME, "exec")
    thread = threading.Thread(target=_in_thread, args=(code, seed, names, result))
    thread.start()
    thread.join()
    return result


def mode_now() -> GradMode:
    """The grad mode of this thread."""
    if torch.is_inference_mode_enabled():
        return GradMode.INFERENCE
    return GradMode.ON if torch.is_grad_enabled() else GradMode.OFF


def _in_thread(code: CodeType, seed: int, names: dict[str, Any], result: Run) -> None:
    # ``torch.manual_seed`` writes down a traceback for each device that is not there.
    torch.default_generator.manual_seed(seed)
    tracer = _Tracer(result)
    _CURRENT.run, _CURRENT.begun = result, []
    sys.settrace(tracer.enter)
    try:
        with _Watch(result):
            exec(code, names)
    except (Exception, Endless) as error:  # noqa: BLE001 - whatever the program raises
        result.error = error.with_traceback(None)
    finally:
        sys.settrace(None)
        _CURRENT.run = None
    with torch.inference_mode(False):
        result.left = {
            name: frozen(value)
            for name, value in names.items()
            if not name.startswith("_") and isinstance(value, torch.Tensor | nn.Module | list | dict)
        }
    names.clear()


def _names(chance: random.Random, result: Run) -> dict[str, Any]:
    def reveal(value: object, point: int) -> object:
        result.go_on()
        with torch._C.DisableTorchFunction():
            if result.heeds():
                result.points[point].add(_seen(value))
        return value

    def show(*values: object) -> None:
        with torch._C.DisableTorchFunction():
            result.printed.extend(frozen(value) for value in values)

    def fail() -> None:
        if chance.random() < 0.5:
            raise ValueError("as it happens")

    return {
        "__name__": "__main__",
        # Python before 3.11.7 or so forgets to make it where only a `match` has annotations.
        "__annotations__": {},
        "reveal": reveal,
        "print": show,
        "coin": lambda: chance.random() < 0.5,
        "roll": lambda: chance.randrange(3),
        "fail": fail,
    }


def frozen(value: object) -> object:
    """A value that can be compared bit for bit, and does not change."""
    if isinstance(value, torch.Tensor):
        plain = value.detach().contiguous()
        return (str(plain.dtype), tuple(plain.shape), plain.numpy().tobytes())
    if isinstance(value, nn.Module):
        return {name: frozen(each) for name, each in value.state_dict().items()}
    if isinstance(value, list | tuple):
        return [frozen(each) for each in value]
    if isinstance(value, dict):
        return {str(key): frozen(each) for key, each in value.items()}
    return repr(value) if isinstance(value, int | float | str | None) else type(value).__name__


def _seen(value: object) -> Seen:
    mode = mode_now()
    if isinstance(value, torch.Tensor):
        return Seen(
            mode,
            "tensor",
            value.requires_grad,
            value.is_leaf,
            value.is_inference(),
            None,
            getattr(value, "made_under", None),
            getattr(value, "cuts", frozenset()),
        )
    if isinstance(value, nn.Module):
        return Seen(mode, "module", training=value.training)
    return Seen(mode, "none" if value is None else "other")


def _lines() -> list[int]:
    """The lines of the program that are being run, innermost first."""
    frame: FrameType | None = sys._getframe(1)
    found = []
    while frame is not None:
        if frame.f_code.co_filename == FILENAME:
            found.append(frame.f_lineno)
        frame = frame.f_back
    return found


def _is_in_a_forward_pass() -> bool:
    """Whether a module runs."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name == "forward" and isinstance(frame.f_locals.get("self"), nn.Module):
            return True
        frame = frame.f_back
    return False


class _Watch(TorchFunctionMode):
    """Notes on each new tensor under which mode it was made, and where its graph was cut."""

    def __init__(self, result: Run) -> None:
        super().__init__()
        self.result = result

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.result.go_on()
        name = getattr(func, "__name__", "")
        given = [*_tensors(args), *_tensors(tuple((kwargs or {}).values()))]
        if name in {"backward", "grad"} and given:
            line = _lines()[0]
            self.result.cuts[line].append(getattr(given[0], "cuts", frozenset()))
            if name == "backward":
                self.result.reached[line].append(_has_a_parameter_behind(given[0]))
        mode = mode_now()
        made = func(*args, **(kwargs or {}))
        if made is None and name == "__setitem__":
            made = given[0]
        known = {id(each) for each in given}
        recorded = False
        for each in _tensors((made,)):
            if each.numel() > MOST_ELEMENTS:
                raise Endless
            if name == "__get__" and getattr(func, "__self__", None) is torch.Tensor.grad:
                continue
            cuts = frozenset[tuple[GradMode, int]]()
            self.result.graphs += each.grad_fn is not None
            recorded |= each.grad_fn is not None
            if name not in _FRESH and (each.dtype.is_floating_point):
                cuts = cuts.union(*(getattr(held, "cuts", ()) for held in given))
                if mode is not GradMode.ON and given:
                    cuts |= {(mode, line) for line in _lines()}
            if id(each) not in known:
                each.made_under = mode
                each.cuts = cuts
            elif cuts and not each.requires_grad:
                each.cuts = cuts
        if recorded and _is_in_a_forward_pass():
            # Hooks see no call of ``model.forward``.
            for line in set(_lines()):
                self.result.forwards[line].append(True)
        return made


def _has_a_parameter_behind(tensor: torch.Tensor) -> bool:
    """Whether a backward pass on it gives some parameter a gradient."""
    if tensor.grad_fn is None:
        return isinstance(tensor, nn.Parameter)
    waiting = [tensor.grad_fn]
    for each in waiting:
        if isinstance(getattr(each, "variable", None), nn.Parameter):
            return True
        waiting += [behind for behind, _ in each.next_functions if behind is not None and behind not in waiting]
    return False


_FRESH = frozenset({"zeros_like", "ones_like", "new_ones", "new_zeros", "randn_like", "_make_subclass"})


def _tensors(values: tuple[Any, ...]) -> list[Any]:
    found = []
    for each in values:
        if isinstance(each, torch.Tensor):
            found.append(each)
        elif isinstance(each, list | tuple):
            found += _tensors(tuple(each))
    return found


_WITHIN_LINES = frozenset({"<lambda>", "<genexpr>", "<listcomp>", "<setcomp>", "<dictcomp>"})


class _Tracer:
    """Counts the lines that are begun, and those that raise."""

    def __init__(self, result: Run) -> None:
        self.result = result

    def enter(self, frame: FrameType, event: str, argument: Any) -> Callable[..., Any] | None:
        return self.step if frame.f_code.co_filename == FILENAME else None

    def step(self, frame: FrameType, event: str, argument: Any) -> Callable[..., Any]:
        if event == "line" and frame.f_code.co_name not in _WITHIN_LINES:
            self.result.lines[frame.f_lineno] += self.result.heeds()
            self.result.begun += 1
            self.result.go_on()
        elif event == "exception":
            _, error, _ = argument
            self.result.astray |= isinstance(error, NameError | AttributeError)
            if frame.f_code.co_name not in _WITHIN_LINES and self.result.heeds():
                self.result.raised[frame.f_lineno] += 1
                self.result.printed_before.setdefault(frame.f_lineno, len(self.result.printed))
            # It is on its way through all callers; a `finally` there may raise another, and go on with this one.
            if not hasattr(error, "is_known") and isinstance(error, RuntimeError) and self.result.heeds():
                error.is_known = True  # type: ignore[attr-defined]
                self.result.failures[frame.f_lineno].append(str(error))
        return self.step


class _Current(threading.local):
    run: Run | None = None
    begun: list[tuple[nn.Module, int]]
    """The forward passes that are being run, with the graphs there were before."""


_CURRENT = _Current()


def _before_forward(module: nn.Module, given: Any) -> None:
    if _CURRENT.run is not None:
        _CURRENT.begun.append((module, _CURRENT.run.graphs))


def _after_forward(module: nn.Module, given: Any, made: Any) -> None:
    result = _CURRENT.run
    if result is not None:
        before = result.graphs
        while _CURRENT.begun:
            # Those that an error ended have no end.
            begun, before = _CURRENT.begun.pop()
            if begun is module:
                break
        for line in set(_lines()):
            result.forwards[line].append(result.graphs > before)


nn.modules.module.register_module_forward_pre_hook(_before_forward)
nn.modules.module.register_module_forward_hook(_after_forward)
torch.set_num_threads(1)
