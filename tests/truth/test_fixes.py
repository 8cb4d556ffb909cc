"""Whole programs, run on torch before and after their fixes.

``programs/evaluations``: they run, and record graphs that nobody walks back; after the safe fixes they print the
same, end with the same parameters, and record none of those.
``programs/unsafe``: the same, with the unsafe fixes only.
``programs/unmended``: nobody knows how to mend them, and nothing is tried.
``programs/lost``: the same, of evaluations that a switch does not reach.
``programs/updates``: torch refuses to run them; after the fixes their parameters are what the hand computes.
``programs/legitimate``: they need every gradient that they ask for, and nothing is said of them.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from flake8_nograd.engine import Fixed, check, fix
from flake8_nograd.rules import all_rules
from flake8_nograd.source import Source

from .graphs import Saved, watch

PROGRAMS = Path(__file__).parent / "programs"

KNOWN: dict[tuple[str, str], str] = {}
"""Programs that show an error of ours, by test: each is to be mended, not the program."""


def programs(folder: str) -> list[str]:
    return sorted(f"{folder}/{path.stem}" for path in (PROGRAMS / folder).glob("*.py"))


def each_of(test: str, *folders: str) -> pytest.MarkDecorator:
    """Every program of some folders; what is known to fail this test is marked so."""
    return pytest.mark.parametrize(
        "program",
        [
            pytest.param(
                name,
                marks=[pytest.mark.xfail(strict=True, reason=KNOWN[test, name])] if (test, name) in KNOWN else [],
            )
            for folder in folders
            for name in programs(folder)
        ],
    )


# --- Running them ---------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """What a program did."""

    printed: str
    state: dict[str, Tensor]
    """Its tensors at the end, and their gradients, by path."""
    in_training: int
    """Tensors that autograd saved while models were in training mode."""
    in_evaluation: int
    """Tensors that autograd saved while models were in evaluation mode."""
    walked: int
    """Those that a backward pass has read."""
    error: str
    namespace: dict[str, object]


def text_of(program: str) -> str:
    return (PROGRAMS / f"{program}.py").read_text(encoding="utf-8")


def tensors_of(name: str, value: object) -> Iterator[tuple[str, Tensor]]:
    """The tensors in a variable: in modules, optimizers, lists and dictionaries too."""
    if isinstance(value, Tensor):
        yield name, value.detach().clone()
        if value.is_leaf and value.grad is not None:
            yield f"{name}.grad", value.grad.detach().clone()
    elif isinstance(value, nn.Module):
        yield from tensors_of(name, dict(value.named_parameters()))
        yield from tensors_of(name, dict(value.named_buffers()))
    elif isinstance(value, torch.optim.Optimizer):
        yield from tensors_of(name, value.state_dict())
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from tensors_of(f"{name}[{key!r}]", item)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from tensors_of(f"{name}[{index}]", item)


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """The programs are small: threads would only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@cache
def ran(text: str, *, watched: bool = True) -> Run:
    """Run a program in a namespace of its own; ``torch.func`` does not want to be watched."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    error = ""
    graph = Saved()
    with redirect_stdout(io.StringIO()) as printed, watch(graph) if watched else nullcontext():
        try:
            exec(compile(text, "program", "exec"), namespace)
        except RuntimeError as raised:
            error = str(raised)
    state = {
        path: tensor
        for name, value in namespace.items()
        if not name.startswith("_")
        for path, tensor in tensors_of(name, value)
    }
    in_training = graph.count - graph.in_evaluation
    return Run(printed.getvalue(), state, in_training, graph.in_evaluation, graph.walked, error, namespace)


@cache
def mended(text: str, *, unsafe: bool = False) -> Fixed:
    return fix(Source.of(text), unsafe=unsafe)


def assert_the_same(before: Run, after: Run) -> None:
    """Bit for bit."""
    assert after.error == before.error == ""
    assert after.printed == before.printed
    assert after.printed
    assert list(after.state) == list(before.state)
    assert after.state
    for path, tensor in before.state.items():
        assert torch.equal(tensor, after.state[path]), path
    assert after.in_training == before.in_training
    assert after.walked == before.walked


both_kinds = pytest.mark.parametrize("unsafe", [False, True], ids=["safe", "unsafe"])


# --- Evaluations ----------------------------------------------------------------------


@each_of("runs", "evaluations", "unsafe")
def test_an_evaluation_records_graphs(program: str) -> None:
    run = ran(text_of(program))
    assert run.error == ""
    assert run.in_evaluation > 0
    assert run.walked <= run.in_training, "nobody walks them back"


@both_kinds
@each_of("mended", "evaluations")
def test_a_mended_evaluation_does_the_same_and_records_none(program: str, unsafe: bool) -> None:
    before = text_of(program)
    result = mended(before, unsafe=unsafe)
    assert result.error is None
    assert {each.code for each in result.fixed} & {"NGR101", "NGR102"}
    assert result.remaining == ()
    after = ran(result.source.text)
    assert_the_same(ran(before), after)
    assert after.in_evaluation == 0


@each_of("unasked", "unsafe")
def test_what_others_may_differentiate_is_left_alone_unasked(program: str) -> None:
    before = text_of(program)
    assert [each.code for each in check(Source.of(before))] == ["NGR101"]
    assert mended(before).source.text == before


@each_of("asked", "unsafe")
def test_asked_for_it_is_mended(program: str) -> None:
    before = text_of(program)
    after = ran(mended(before, unsafe=True).source.text)
    assert_the_same(ran(before), after)
    assert after.in_evaluation == 0


@each_of("unmended", "unmended")
def test_what_has_no_fix_gets_none(program: str) -> None:
    before = text_of(program)
    result = mended(before, unsafe=True)
    assert [each.code for each in result.remaining] == ["NGR101"]
    assert result.source.text == before
    assert ran(before).error == ""
    assert ran(before).in_evaluation > 0


@both_kinds
@each_of("lost", "lost")
def test_a_switch_that_was_lost_reaches_the_evaluation(program: str, unsafe: bool) -> None:
    before = text_of(program)
    result = mended(before, unsafe=unsafe)
    assert {each.code for each in result.fixed} & {"NGR403", "NGR407"}
    assert result.remaining == ()
    after = ran(result.source.text)
    assert ran(before).in_evaluation > 0
    assert_the_same(ran(before), after)
    assert after.in_evaluation == 0


# --- Updates by hand ------------------------------------------------------------------

LEAF = "leaf Variable that requires grad is being used in an in-place operation."
State = dict[str, Tensor]


class Program:
    """The variables of a program that ran."""

    def __init__(self, run: Run) -> None:
        self._namespace = run.namespace

    def __getitem__(self, name: str) -> Tensor:
        value = self._namespace[name]
        assert isinstance(value, Tensor)
        return value.detach().double()

    def of(self, name: str) -> State:
        """The parameters of a module, or the tensors of a dictionary."""
        value = self._namespace[name]
        named = dict(value.named_parameters()) if isinstance(value, nn.Module) else value
        assert isinstance(named, dict)
        return {key: tensor.detach().double() for key, tensor in named.items()}

    def layers(self, name: str) -> State:
        """The weights and biases of a list of layers, or of pairs."""
        value = self._namespace[name]
        assert isinstance(value, list)
        pairs = [(each.weight, each.bias) if isinstance(each, nn.Module) else each for each in value]
        return {
            f"{kind}{index}": tensor.detach().double()
            for index, pair in enumerate(pairs)
            for kind, tensor in zip("wb", pair, strict=True)
        }


def slopes(x: Tensor, y: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """The gradient of the mean squared error of ``x @ weight.T + bias``, by hand."""
    error = x @ weight.T + bias - y
    return 2 * error.T @ x / len(x), 2 * error.mean(dim=0)


def descended(program: Program, steps: int, lr: float, decay: float = 0.0) -> State:
    weight, bias = program.of("start")["weight"], program.of("start")["bias"]
    for _ in range(steps):
        by_weight, by_bias = slopes(program["x"], program["y"], weight, bias)
        weight, bias = weight - lr * (by_weight + decay * weight), bias - lr * (by_bias + decay * bias)
    return {"weight": weight, "bias": bias}


def sgd_over_parameters(program: Program) -> tuple[State, State]:
    return program.of("model"), descended(program, 5, 0.1)


def sgd_in_one_line(program: Program) -> tuple[State, State]:
    return program.of("model"), descended(program, 4, 0.2)


def foreach_update(program: Program) -> tuple[State, State]:
    return program.of("model"), descended(program, 3, 0.1)


def custom_optimizer(program: Program) -> tuple[State, State]:
    return program.of("model"), descended(program, 4, 0.2, decay=0.01)


def _columns(program: Program, steps: int, lr: float) -> tuple[State, State]:
    weight, bias = program.of("start")["w"].T, program.of("start")["b"]
    for _ in range(steps):
        by_weight, by_bias = slopes(program["x"], program["y"], weight, bias)
        weight, bias = weight - lr * by_weight, bias - lr * by_bias
    return {"w": program["w"], "b": program["b"]}, {"w": weight.T, "b": bias}


def sgd_named_leaves(program: Program) -> tuple[State, State]:
    return _columns(program, 6, 0.2)


def sgd_sub_method(program: Program) -> tuple[State, State]:
    return _columns(program, 4, 0.3)


def training_step_with_evaluation(program: Program) -> tuple[State, State]:
    weight, bias = program.of("start")["w"].T, program.of("start")["b"]
    for _ in range(3):
        by_weight, by_bias = slopes(program["x"], program["y"], weight, bias)
        weight, bias = weight - 0.1 * by_weight, bias - 0.1 * by_bias
    return program.of("model"), {"w": weight.T, "b": bias}


def momentum_by_hand(program: Program) -> tuple[State, State]:
    weights = [program.of("start")["weight"], program.of("start")["bias"]]
    velocities = [torch.zeros_like(weight) for weight in weights]
    for _ in range(5):
        gradients = slopes(program["x"], program["y"], weights[0], weights[1])
        velocities = [0.9 * velocity + gradient for velocity, gradient in zip(velocities, gradients, strict=True)]
        weights = [weight - 0.05 * velocity for weight, velocity in zip(weights, velocities, strict=True)]
    return program.of("net"), {"weight": weights[0], "bias": weights[1]}


def custom_optimizer_with_decay(program: Program) -> tuple[State, State]:
    weights = [program.of("start")["weight"], program.of("start")["bias"]]
    velocities = [torch.zeros_like(weight) for weight in weights]
    for _ in range(4):
        for index, gradient in enumerate(slopes(program["x"], program["y"], weights[0], weights[1])):
            velocities[index] = 0.9 * velocities[index] + gradient + 0.1 * weights[index] * weights[index].abs()
        weights = [weight - 0.05 * velocity for weight, velocity in zip(weights, velocities, strict=True)]
    return program.of("model"), {"weight": weights[0], "bias": weights[1]}


def custom_optimizer_with_state(program: Program) -> tuple[State, State]:
    weights = [program.of("start")["weight"], program.of("start")["bias"]]
    first = [torch.zeros_like(weight) for weight in weights]
    second = [torch.zeros_like(weight) for weight in weights]
    for step in range(1, 5):
        for index, gradient in enumerate(slopes(program["x"], program["y"], weights[0], weights[1])):
            first[index] = 0.9 * first[index] + 0.1 * gradient
            second[index] = 0.999 * second[index] + 0.001 * gradient**2
        size = 0.1 * (1 - 0.999**step) ** 0.5 / (1 - 0.9**step)
        weights = [weight - size * a / (b.sqrt() + 1e-8) for weight, a, b in zip(weights, first, second, strict=True)]
    return program.of("model"), {"weight": weights[0], "bias": weights[1]}


def weight_clipping(program: Program) -> tuple[State, State]:
    """The critic is linear: the gradient of its weights is the difference of the means, that of its bias is none."""
    weight, bias = program.of("start")["weight"], program.of("start")["bias"]
    gradient = program["fake"].mean(dim=0) - program["real"].mean(dim=0)
    for _ in range(4):
        weight = (weight - 0.05 * gradient).clamp(-0.1, 0.1)
        bias = bias.clamp(-0.1, 0.1)
    return program.of("critic"), {"weight": weight, "bias": bias}


def moving_average(program: Program) -> tuple[State, State]:
    start = program.of("start")
    weights, averages = [start["weight"], start["bias"]], [start["weight"], start["bias"]]
    for _ in range(4):
        gradients = slopes(program["x"], program["y"], weights[0], weights[1])
        weights = [weight - 0.1 * gradient for weight, gradient in zip(weights, gradients, strict=True)]
        averages = [0.25 * weight + 0.75 * average for weight, average in zip(weights, averages, strict=True)]
    found = {f"{name} of {which}": tensor for which in ("net", "target") for name, tensor in program.of(which).items()}
    return found, {
        "weight of net": weights[0],
        "bias of net": weights[1],
        "weight of target": averages[0],
        "bias of target": averages[1],
    }


def weight_init(program: Program) -> tuple[State, State]:
    return program.of("model"), {
        "0.weight": torch.tensor([[1.0, 1.0, 1.0], [0.25, 0.25, 0.25]]).double(),
        "0.bias": torch.zeros(2).double(),
        "2.weight": torch.ones(1, 2).double(),
        "2.bias": torch.zeros(1).double(),
    }


def weight_init_in_constructor(program: Program) -> tuple[State, State]:
    """Where the numbers are drawn, they are taken as they come."""
    found = program.of("net")
    assert found["first.weight"].abs().max() <= 0.5
    return found, {
        "gain": torch.full((1,), 3.0).double(),
        "first.weight": found["first.weight"],
        "first.bias": torch.full((3,), 0.5).double(),
        "second.weight": torch.ones(1, 3).double(),
        "second.bias": torch.zeros(1).double(),
    }


def pretrained_embedding(program: Program) -> tuple[State, State]:
    start = program.of("start")
    rows = [torch.zeros(2), torch.tensor([1.0, 2.0]), start["embedding.weight"][2], torch.tensor([3.0, 4.0])]
    return program.of("model"), {**start, "embedding.weight": torch.stack([row.double() for row in rows])}


def pruning_mask(program: Program) -> tuple[State, State]:
    start = program.of("start")
    return program.of("net"), {
        "sparse.weight": start["sparse.weight"] * (start["sparse.weight"].abs() > 0.2),
        "scale": torch.full((3,), 3**-0.5).double(),
    }


def perturbation(program: Program) -> tuple[State, State]:
    start = program.of("start")
    noises, losses = program._namespace["noises"], program._namespace["losses"]
    assert isinstance(noises, list)
    assert isinstance(losses, list)

    def score(weight: Tensor, bias: Tensor) -> float:
        return (program["x"] @ weight.T + bias - program["y"]).abs().mean().item()

    weight, bias = start["weight"], start["bias"]
    before = score(weight, bias)
    for noise, loss in zip(noises, losses, strict=True):
        assert loss == pytest.approx(score(start["weight"] + 0.5 * noise[0], start["bias"] + 0.5 * noise[1]), rel=1e-4)
        weight = weight + 0.5 * (before - loss) / (8 * 0.5) * noise[0].double()
        bias = bias + 0.5 * (before - loss) / (8 * 0.5) * noise[1].double()
    return program.of("model"), {"weight": weight, "bias": bias}


def _perceptron(
    x: Tensor, y: Tensor, first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor], steps: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Descend the mean squared error of ``tanh(x @ w1.T + b1) @ w2.T + b2`` by hand, at a rate of 0.1."""
    (w1, b1), (w2, b2) = first, second
    for _ in range(steps):
        hidden = torch.tanh(x @ w1.T + b1)
        by_w2, by_b2 = slopes(hidden, y, w2, b2)
        back = 2 * (hidden @ w2.T + b2 - y) @ w2 * (1 - hidden**2) / len(x)
        by_w1, by_b1 = back.T @ x, back.sum(dim=0)
        w1, b1, w2, b2 = w1 - 0.1 * by_w1, b1 - 0.1 * by_b1, w2 - 0.1 * by_w2, b2 - 0.1 * by_b2
    return w1, b1, w2, b2


def sgd_dictionary(program: Program) -> tuple[State, State]:
    start = program.of("start")
    w1, b1, w2, b2 = _perceptron(
        program["x"], program["y"], (start["w1"].T, start["b1"]), (start["w2"].T, start["b2"]), 5
    )
    return program.of("params"), {"w1": w1.T, "b1": b1, "w2": w2.T, "b2": b2}


def sgd_layers(program: Program) -> tuple[State, State]:
    start = program.layers("start")
    w1, b1, w2, b2 = _perceptron(program["x"], program["y"], (start["w0"], start["b0"]), (start["w1"], start["b1"]), 4)
    return program.layers("layers"), {"w0": w1, "b0": b1, "w1": w2, "b1": b2}


BY_HAND: dict[str, Callable[[Program], tuple[State, State]]] = {
    each.__name__: each
    for each in (
        custom_optimizer,
        custom_optimizer_with_decay,
        custom_optimizer_with_state,
        foreach_update,
        momentum_by_hand,
        moving_average,
        perturbation,
        pretrained_embedding,
        pruning_mask,
        sgd_dictionary,
        sgd_in_one_line,
        sgd_layers,
        sgd_named_leaves,
        sgd_over_parameters,
        sgd_sub_method,
        training_step_with_evaluation,
        weight_clipping,
        weight_init,
        weight_init_in_constructor,
    )
}
"""What a program ends with, and what the hand computes; the same names in both."""


def test_each_update_has_been_computed_by_hand() -> None:
    assert sorted(f"updates/{name}" for name in BY_HAND) == programs("updates")


@each_of("refused", "updates")
def test_torch_refuses_the_update(program: str) -> None:
    run = ran(text_of(program))
    assert run.error.endswith(LEAF)


@both_kinds
@each_of("moves", "updates")
def test_mended_the_parameters_move_as_the_hand_computes(program: str, unsafe: bool) -> None:
    result = mended(text_of(program), unsafe=unsafe)
    assert result.error is None
    assert result.remaining == ()
    run = ran(result.source.text)
    assert run.error == ""
    assert run.printed
    found, expected = BY_HAND[program.removeprefix("updates/")](Program(run))
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-4, atol=1e-5)


@both_kinds
@each_of("kept", "updates")
def test_mended_no_update_keeps_a_graph(program: str, unsafe: bool) -> None:
    run = ran(mended(text_of(program), unsafe=unsafe).source.text)
    for value in run.namespace.values():
        if isinstance(value, torch.optim.Optimizer):
            attached = [name for state in value.state.values() for name, each in state.items() if is_attached(each)]
            assert attached == []
        if isinstance(value, nn.Module):
            assert all(each.is_leaf for each in [*value.parameters(), *value.buffers()])


def is_attached(value: object) -> bool:
    return isinstance(value, Tensor) and value.requires_grad


# --- What must not be changed ---------------------------------------------------------


TURN_THEM_ON_THEMSELVES = {
    "legitimate/jacobian_in_evaluation": "autograd.functional and torch.func",
    "legitimate/style_transfer": "the optimizer, around its closure",
    "legitimate/test_time_adaptation": "its decorator",
}


@each_of("needs", "legitimate")
def test_a_legitimate_program_needs_its_gradients(program: str) -> None:
    """Or else a wrong fix would not be noticed."""
    text = text_of(program)
    expected = ran(text, watched=False)
    assert expected.error == ""
    with torch.no_grad():
        without = ran(f"{text}# without gradients\n", watched=False)
    differs = without.error != "" or without.printed != expected.printed
    assert differs is not (program in TURN_THEM_ON_THEMSELVES)


@each_of("untouched", "legitimate")
def test_a_legitimate_program_is_left_alone(program: str) -> None:
    text = text_of(program)
    assert mended(text).source.text == text
    assert mended(text).fixed == ()


@each_of("silent", "legitimate")
def test_nothing_is_said_of_a_legitimate_program(program: str) -> None:
    by_default = {rule.code for rule in all_rules() if rule.default}
    assert not [each for each in check(Source.of(text_of(program))) if each.code in by_default]


# --- What a fix must not move ---------------------------------------------------------


def test_a_view_made_under_no_grad_cannot_be_used_after_a_change() -> None:
    """Why the fix of a result that is changed in place afterwards is unsafe."""
    weight = torch.ones(2, 2, requires_grad=True)
    view = weight[0]
    with torch.no_grad():
        view *= 2
    assert view.sum().item() == 4
    with torch.no_grad():
        view = weight[1]
        view *= 2
    with pytest.raises(RuntimeError, match="A view was created in no_grad mode"):
        view.sum()
