"""Grad-mode switches as values, and the mode after one."""

from __future__ import annotations

import libcst as cst

from ..facts import Kind
from ..grad import ENABLE_GRAD, SET_UNKNOWN, GradMode, Shift
from ..grad import INFERENCE as INFERENCE_SHIFT
from ..grad import NO_GRAD as NO_GRAD_SHIFT
from ..grad import NOT_INFERENCE as NOT_INFERENCE_SHIFT
from .collected import Arguments
from .state import State
from .value import Abstract, Leaving, replace

OFF = NO_GRAD_SHIFT | INFERENCE_SHIFT


def switch_of(name: str, given: Arguments) -> Abstract:
    """Make a grad-mode switch."""
    flag = given.at(0, "mode")
    if name == "torch.no_grad":
        shift = NO_GRAD_SHIFT
    elif name == "torch.enable_grad":
        shift = ENABLE_GRAD
    elif name == "torch.inference_mode":
        shift = INFERENCE_SHIFT
        if flag is not None and flag.constant is False:
            shift = NOT_INFERENCE_SHIFT
        elif flag is not None and flag.constant is not True:
            shift = INFERENCE_SHIFT | NOT_INFERENCE_SHIFT
    else:
        shift = SET_UNKNOWN
        if flag is not None and flag.constant is True:
            shift = ENABLE_GRAD
        elif flag is not None and flag.constant is False:
            shift = NO_GRAD_SHIFT
        elif flag is not None and flag.shift is not None:
            # The saved mode of ``prev = torch.is_grad_enabled()``.
            saved = flag.shift
            return Abstract(kind=Kind.SWITCH, shift=Restore(saved.on, saved.off, saved.inference), api=name)
    return Abstract(kind=Kind.SWITCH, shift=shift, api=name)


def acting(state: State, node: cst.BaseExpression, value: Abstract) -> Abstract:
    """A value that is not entered where it is made, if it is a switch that acts when it is made."""
    if value.kind is Kind.SWITCH and value.api == "torch.set_grad_enabled" and isinstance(node, cst.Call):
        # It takes effect when it is made: truth test test_set_grad_enabled_acts_at_once.
        name = node.func.attr if isinstance(node.func, cst.Attribute) else node.func
        if value.shift is not None and isinstance(name, cst.Name) and name.value.endswith("set_grad_enabled"):
            state.mode = changed(state.mode, value.shift)
            return replace(value, leaving=Leaving.LONG_AGO)
    return value


def changed(mode: Shift, shift: Shift) -> Shift:
    """The mode since entry, after a switch."""
    return shift.after(mode) if isinstance(shift, Restore) else mode.then(shift)


def _restored(now: GradMode, saved: GradMode) -> GradMode:
    """What ``set_grad_enabled`` of a saved ``is_grad_enabled()`` makes of a mode: it does not lift inference mode."""
    result = now & GradMode.INFERENCE
    if now & (GradMode.ON | GradMode.OFF):
        result |= saved & (GradMode.ON | GradMode.OFF)
        if saved & GradMode.INFERENCE:
            # Off, but for enable_grad within inference mode.
            result |= GradMode.ON | GradMode.OFF
    return result


class Restore(Shift):
    """Back to a mode that was saved in this function: says what it is by entry mode, not by mode before."""

    def after(self, now: Shift) -> Shift:
        """The mode since entry."""
        return Shift(_restored(now.on, self.on), _restored(now.off, self.off), _restored(now.inference, self.inference))


def of_another_function(value: Abstract) -> Abstract:
    """A saved mode is known by that at the start of the function that saved it: others start in another."""
    if value.kind is Kind.PLAIN and value.shift is not None:
        return replace(value, shift=None)
    return replace(value, shift=SET_UNKNOWN) if isinstance(value.shift, Restore) else value
