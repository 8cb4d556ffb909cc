"""What the pages of NGR101, NGR102, NGR201 and NGR301 claim of torch, run on torch."""

# mypy: disable-error-code="no-untyped-call"
# torch leaves ``backward`` untyped

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flake8_nograd.engine import check, fix
from flake8_nograd.rules import all_rules
from flake8_nograd.source import Source

from .graphs import error_of, forget_gradients, saved

NO_GRAPH = "element 0 of tensors does not require grad and does not have a grad_fn"
LEAF = "a leaf Variable that requires grad is being used in an in-place operation."
VIEW_OF_LEAF = "a view of a leaf Variable that requires grad is being used in an in-place operation."
OUT = (
    "{}(): functions with out=... arguments don't support automatic differentiation, "
    "but one of the arguments requires grad."
)

PAGES = {rule.code: rule.documentation for rule in all_rules()}

Switch = Callable[[], AbstractContextManager[object]]
off = pytest.mark.parametrize("switch", [torch.no_grad, torch.inference_mode])


def perceptron(width: int = 16) -> nn.Sequential:
    """Four layers, with dropout."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(8, width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Dropout(),
        nn.Linear(width, 3),
    )


def batches(count: int = 10, size: int = 4, features: int = 8) -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(1)
    return [
        (
            torch.randn(size, features, generator=generator),
            torch.randint(0, 3, (size,), generator=generator),
        )
        for _ in range(count)
    ]


# --- The errors are quoted verbatim ---------------------------------------------------


@pytest.mark.parametrize(("code", "error"), [("NGR201", NO_GRAPH), ("NGR301", LEAF), ("NGR301", VIEW_OF_LEAF)])
def test_the_page_quotes_the_error(code: str, error: str) -> None:
    assert f"RuntimeError: {error}" in PAGES[code]


# --- NGR101, NGR102: an evaluation records a graph ------------------------------------


def test_eval_does_not_stop_the_graph() -> None:
    model = perceptron().eval()
    (x, _), *_ = batches()
    with saved() as graph:
        out = model(x)
    assert out.requires_grad
    assert out.grad_fn is not None
    assert graph.count > 0


def test_eval_turns_dropout_off() -> None:
    model = perceptron()
    x = torch.ones(4, 8)
    assert not torch.equal(model(x), model(x))
    model.eval()
    assert torch.equal(model(x), model(x))


def test_eval_makes_batch_norm_use_its_running_statistics() -> None:
    norm = nn.BatchNorm1d(3)
    x = torch.randn(8, 3, generator=torch.Generator().manual_seed(2)) * 5 + 7
    norm.eval()
    before = copy.deepcopy(norm.state_dict())
    expected = x / torch.sqrt(torch.ones(3) + norm.eps)
    torch.testing.assert_close(norm(x), expected)
    assert all(torch.equal(value, before[name]) for name, value in norm.state_dict().items())
    norm.train()
    norm(x)
    assert not torch.equal(norm.state_dict()["running_mean"], before["running_mean"])


class Energy(nn.Module):
    """Forces are the gradient of an energy."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 1)

    def forward(self, positions: Tensor) -> dict[str, Tensor]:
        positions.requires_grad_(True)
        energy = self.layer(positions).sum()
        (forces,) = torch.autograd.grad(energy, positions)
        return {"energy": energy, "forces": forces}


def test_a_model_that_gives_forces_raises_without_gradients() -> None:
    model = Energy().eval()
    assert model(torch.ones(2, 3))["forces"].shape == (2, 3)
    with torch.no_grad(), pytest.raises(RuntimeError, match="does not require grad"):
        model(torch.ones(2, 3))


def correct(model: nn.Module, data: list[tuple[Tensor, Tensor]]) -> int:
    return sum(int((model(x).argmax(1) == y).sum().item()) for x, y in data)


@off
def test_an_evaluation_records_a_graph_and_under_no_grad_none(switch: Switch) -> None:
    model, data = perceptron().eval(), batches()
    with saved() as recorded:
        expected = correct(model, data)
    with saved() as nothing, switch():
        found = correct(model, data)
    assert recorded.count >= len(data)
    assert nothing.count == 0
    assert found == expected


def test_activations_live_as_long_as_the_outputs() -> None:
    model, (x, _) = perceptron().eval(), batches()[0]
    with saved() as graph:
        out = model(x)
    weights = [*model.parameters(), x]
    assert graph.bytes_alive(*weights) > 0
    values = out.detach()
    del out
    assert graph.bytes_alive(*weights) == 0
    assert values.shape == (4, 3)


def totalled(model: nn.Module, data: list[tuple[Tensor, Tensor]]) -> object:
    total: Tensor | int = 0
    for x, y in data:
        total += F.cross_entropy(model(x), y)
    return total


def collected(model: nn.Module, data: list[tuple[Tensor, Tensor]]) -> object:
    outputs = []
    for x, _ in data:
        outputs.append(model(x))
    return outputs


def collected_on_the_cpu(model: nn.Module, data: list[tuple[Tensor, Tensor]]) -> object:
    return [model(x).cpu() for x, _ in data]


def totalled_as_numbers(model: nn.Module, data: list[tuple[Tensor, Tensor]]) -> object:
    return sum(F.cross_entropy(model(x), y).item() for x, y in data)


def collected_as_labels(model: nn.Module, data: list[tuple[Tensor, Tensor]]) -> object:
    return [model(x).argmax(1) for x, _ in data]


Body = Callable[[nn.Module, list[tuple[Tensor, Tensor]]], object]


def kept_by(body: Body, model: nn.Module, data: list[tuple[Tensor, Tensor]]) -> int:
    """Bytes that the graphs hold when the evaluation is over and its result is still there."""
    with saved() as graph:
        result = body(model, data)
    kept = graph.bytes_alive(*model.parameters(), *(x for x, _ in data), *(y for _, y in data))
    del result
    return kept


@pytest.mark.parametrize("body", [totalled, collected, collected_on_the_cpu])
def test_results_collected_with_their_graph_keep_the_graphs_of_all_batches(body: Body) -> None:
    model, data = perceptron().eval(), batches()
    one = kept_by(body, model, data[:1])
    assert one > 0
    assert kept_by(body, model, data) == 10 * one
    with torch.no_grad():
        assert kept_by(body, model, data) == 0


@pytest.mark.parametrize("body", [totalled_as_numbers, collected_as_labels])
def test_results_that_end_as_values_keep_nothing(body: Body) -> None:
    assert kept_by(body, perceptron().eval(), batches()) == 0


def test_the_memory_is_as_much_as_the_page_says() -> None:
    """The perceptron of ``research/verify/v5m.py``: batches of 128, layers of 1024."""
    claimed = re.search(r"ten batches keeps (\d+) MB", PAGES["NGR101"].replace("\n", " "))
    assert claimed
    model = nn.Sequential(
        nn.Linear(256, 1024),
        nn.ReLU(),
        nn.Linear(1024, 1024),
        nn.ReLU(),
        nn.Linear(1024, 1024),
        nn.ReLU(),
        nn.Linear(1024, 10),
    )
    data = batches(10, 128, 256)
    assert kept_by(totalled, model, data) / 1e6 == pytest.approx(int(claimed[1]), rel=0.05)
    with torch.no_grad():
        assert kept_by(totalled, model, data) == 0


def test_a_graph_costs_nothing_but_memory_and_time() -> None:
    model, data = perceptron().eval(), batches()
    with torch.no_grad():
        expected = [model(x) for x, _ in data]
    assert all(torch.equal(model(x), out) for (x, _), out in zip(data, expected, strict=True))


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_an_encoder_of_torch_gives_zeros_for_padding_without_gradients() -> None:
    """Whoever averages over all positions gets another result under no-grad."""
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 1).eval()
    x = torch.randn(2, 5, 8)
    padding = torch.tensor([[False] * 5, [False] * 3 + [True] * 2])
    with_gradients = encoder(x, src_key_padding_mask=padding)
    with torch.no_grad():
        without = encoder(x, src_key_padding_mask=padding)
    assert torch.allclose(with_gradients[~padding], without[~padding], atol=1e-5)
    assert without[padding].eq(0).all()
    assert not with_gradients[padding].eq(0).any()


def test_nothing_is_recorded_when_nothing_requires_gradients() -> None:
    model = perceptron().eval().requires_grad_(False)
    x = torch.ones(4, 8)
    with saved() as graph:
        assert not model(x).requires_grad
    assert graph.count == 0
    assert model(x.clone().requires_grad_()).requires_grad, "an input that does is another matter"


def test_labels_have_no_graph() -> None:
    """A decorated function that returns them takes nothing from its callers."""
    labels = perceptron().eval()(torch.ones(4, 8)).argmax(1)
    assert not labels.requires_grad
    assert labels.grad_fn is None


def test_a_result_made_under_no_grad_cannot_be_differentiated_by_a_caller() -> None:
    """Why the fix is unsafe when a tensor with its graph is returned."""
    model, x = perceptron().eval(), torch.ones(4, 8)
    model(x).sum().backward()
    guarded = torch.no_grad()(model.forward)
    with pytest.raises(RuntimeError) as raised:
        guarded(x).sum().backward()
    assert str(raised.value) == NO_GRAPH


def test_tensors_of_inference_mode_cannot_be_used_in_autograd_afterwards() -> None:
    """Why the fix is never ``inference_mode``."""
    weight = torch.ones(3, requires_grad=True)
    with torch.inference_mode():
        inferred = torch.ones(3) * 2
    assert error_of(lambda: weight * inferred).startswith("Inference tensors cannot be saved for backward.")
    with torch.no_grad():
        plain = torch.ones(3) * 2
    (weight * plain).sum().backward()
    assert torch.equal(weight.grad if weight.grad is not None else torch.zeros(3), plain)


def test_a_total_of_inference_mode_cannot_be_divided_in_place_afterwards() -> None:
    with torch.inference_mode():
        total = torch.ones(1) * 2
    with pytest.raises(RuntimeError, match="Inplace update to inference tensor outside InferenceMode is not allowed"):
        total /= 4


def test_a_decorator_is_a_guard_and_detaching_later_is_none() -> None:
    model, x = perceptron().eval(), torch.ones(4, 8)
    with saved() as decorated:
        torch.no_grad()(model)(x)
    with saved() as detached:
        model(x).detach().cpu().numpy()
    with saved() as data:
        model(x).data.max(1)
    assert decorated.count == 0
    assert detached.count == data.count > 0


def test_autocast_is_no_guard() -> None:
    model, x = perceptron().eval(), torch.ones(4, 8)
    with saved() as graph, torch.autocast("cpu", dtype=torch.bfloat16):
        assert model(x).requires_grad
    assert graph.count > 0


# --- NGR201: backward on a tensor that was made under no-grad -------------------------


WAYS: dict[str, Callable[[Tensor, Tensor], object]] = {
    "backward": lambda loss, weight: loss.backward(),
    "autograd.backward": lambda loss, weight: torch.autograd.backward(loss),
    "autograd.backward of a list": lambda loss, weight: torch.autograd.backward([loss]),
    "autograd.grad": lambda loss, weight: torch.autograd.grad(loss, weight),
    "autograd.grad of a list": lambda loss, weight: torch.autograd.grad([loss], [weight]),
    "GradScaler": lambda loss, weight: torch.amp.GradScaler("cpu", enabled=True).scale(loss).backward(),
    "arithmetic": lambda loss, weight: (2 * loss + 1).backward(),
    "sum": lambda loss, weight: torch.as_tensor(sum([loss, loss])).backward(),
    "a criterion": lambda loss, weight: F.mse_loss(loss, torch.zeros(())).backward(),
    "an augmented total": lambda loss, weight: (torch.zeros(()) + loss).backward(),
}
ways = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


def loss_of(weight: Tensor) -> Tensor:
    return (weight * weight).sum()


@off
@ways
def test_made_and_differentiated_in_the_block(switch: Switch, way: Callable[[Tensor, Tensor], object]) -> None:
    weight = torch.ones(3, requires_grad=True)
    with switch():
        assert error_of(lambda: way(loss_of(weight), weight)) == NO_GRAPH
    assert weight.grad is None


@off
@ways
def test_made_inside_and_differentiated_after(switch: Switch, way: Callable[[Tensor, Tensor], object]) -> None:
    weight = torch.ones(3, requires_grad=True)
    with switch():
        loss = loss_of(weight)
    assert not loss.requires_grad
    assert loss.grad_fn is None
    assert error_of(lambda: way(loss, weight)) == NO_GRAPH
    assert weight.grad is None


@off
@ways
def test_made_outside_and_differentiated_inside_is_legal(
    switch: Switch, way: Callable[[Tensor, Tensor], object]
) -> None:
    """Unless something else is computed from the loss first: that has no graph."""
    weight = torch.ones(3, requires_grad=True)
    loss = loss_of(weight)
    computes = way in [WAYS[name] for name in ("GradScaler", "arithmetic", "sum", "a criterion", "an augmented total")]
    with switch():
        assert error_of(lambda: way(loss, weight)) == (NO_GRAPH if computes else "")


def test_gradients_of_a_loss_made_outside_are_the_same_inside() -> None:
    model, data = perceptron(), batches(1)
    model.eval()
    F.cross_entropy(model(data[0][0]), data[0][1]).backward()
    expected = [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None]
    forget_gradients(*model.parameters())
    loss = F.cross_entropy(model(data[0][0]), data[0][1])
    with torch.no_grad():
        loss.backward()
    found = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    assert len(found) == len(expected) == 8
    assert all(torch.equal(one, other) for one, other in zip(expected, found, strict=True))


def test_leaving_the_block_does_not_bring_the_graph_back() -> None:
    """In a whole training step."""
    model, criterion = perceptron(), nn.CrossEntropyLoss()
    (x, y), *_ = batches()
    with torch.no_grad():
        out = model(x)
    assert error_of(lambda: criterion(out, y).backward()) == NO_GRAPH


def test_enable_grad_lifts_no_grad_and_not_inference_mode() -> None:
    weight = torch.ones(3, requires_grad=True)
    with torch.no_grad(), torch.enable_grad():
        loss_of(weight).backward()
    assert weight.grad is not None
    with torch.inference_mode(), torch.enable_grad():
        assert torch.is_grad_enabled()
        assert error_of(lambda: loss_of(weight).backward()) == NO_GRAPH
    with torch.inference_mode(), torch.inference_mode(False):
        loss_of(weight).backward()
    assert torch.equal(weight.grad, torch.full((3,), 4.0))


def test_another_term_with_a_graph_and_only_that_one_trains() -> None:
    """No error: the rule is silent."""
    guarded, trained = torch.ones(3, requires_grad=True), torch.ones(3, requires_grad=True)
    with torch.no_grad():
        constant = loss_of(guarded)
    (constant + loss_of(trained)).backward()
    assert guarded.grad is None
    assert trained.grad is not None


@pytest.mark.parametrize("make", [lambda: nn.Parameter(torch.ones(3)), lambda: torch.ones(3, requires_grad=True)])
def test_a_leaf_made_under_no_grad_trains(make: Callable[[], Tensor]) -> None:
    with torch.no_grad():
        weight = make()
    loss_of(weight).backward()
    assert weight.grad is not None


def test_a_module_built_under_no_grad_trains() -> None:
    with torch.no_grad():
        model = perceptron()
    model(torch.ones(1, 8)).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_a_factory_under_no_grad_has_no_graph_to_lose() -> None:
    """What is made of numbers is no loss of anything: outside, it could not be differentiated either."""
    loss = torch.tensor(1.0)
    assert error_of(loss.backward) == NO_GRAPH


VIEWS: dict[str, Callable[[Tensor], Tensor]] = {
    "an item": lambda out: out[0],
    "a slice": lambda out: out[:, :1],
    "view": lambda out: out.view(-1),
    "reshape": lambda out: out.reshape(-1),
    "squeeze": lambda out: out.squeeze(),
    "t": lambda out: out.t(),
    "transpose": lambda out: out.transpose(0, 1),
    "chunk": lambda out: out.chunk(2)[0],
    "split": lambda out: out.split(1)[0],
    "unbind": lambda out: out.unbind()[0],
    "select": lambda out: out.select(0, 0),
    "iteration": lambda out: next(iter(out)),
    "expand": lambda out: out.expand(2, 2, 3),
}
views = pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)


@views
def test_a_view_taken_under_no_grad_gives_no_gradient_and_no_error(view: Callable[[Tensor], Tensor]) -> None:
    layer = nn.Linear(4, 3)
    out = layer(torch.ones(2, 4))
    with torch.no_grad():
        part = view(out)
    assert part.requires_grad
    assert part.grad_fn is None
    part.sum().backward()
    assert layer.weight.grad is None
    assert layer.bias.grad is None


@views
def test_a_view_taken_outside_gives_gradients(view: Callable[[Tensor], Tensor]) -> None:
    layer = nn.Linear(4, 3)
    view(layer(torch.ones(2, 4))).sum().backward()
    assert layer.weight.grad is not None


@views
def test_backward_on_the_view_itself_raises(view: Callable[[Tensor], Tensor]) -> None:
    """Although it says of itself that it requires gradients."""
    layer = nn.Linear(4, 3)
    out = layer(torch.ones(2, 4))
    with torch.no_grad():
        part = view(out)
    assert error_of(lambda: part.backward(torch.ones_like(part))) == NO_GRAPH
    assert layer.weight.grad is None


def test_a_conversion_that_converts_nothing_keeps_the_graph_under_no_grad() -> None:
    weight = torch.ones(3, requires_grad=True)
    loss = loss_of(weight)
    with torch.no_grad():
        same = loss.cpu().float().contiguous()
    same.backward()
    assert weight.grad is not None


@dataclass(frozen=True)
class Differentiation:
    """Lines that the rule speaks of, or not, and what torch says to them."""

    name: str
    code: str
    error: str


START = "import torch\nfrom torch import nn\nmodel = nn.Linear(2, 1)\ncriterion = nn.MSELoss()\nx = torch.ones(3, 2)\n"
DIFFERENTIATIONS = [
    Differentiation(
        "in the block",
        "with torch.no_grad():\n    loss = criterion(model(x), torch.ones(3, 1))\n    loss.backward()\n",
        NO_GRAPH,
    ),
    Differentiation(
        "after the block",
        "with torch.inference_mode():\n    out = model(x)\nloss = out.sum()\nloss.backward()\n",
        NO_GRAPH,
    ),
    Differentiation(
        "made outside",
        "loss = criterion(model(x), torch.ones(3, 1))\nwith torch.no_grad():\n    loss.backward()\n",
        "",
    ),
    Differentiation(
        "computed from a loss that was made outside",
        "loss = model(x).sum()\nwith torch.no_grad():\n    loss = loss / 4\n    loss.backward()\n",
        NO_GRAPH,
    ),
    Differentiation(
        "the function is decorated",
        "@torch.no_grad()\ndef step():\n    loss = model(x).sum()\n    loss.backward()\nstep()\n",
        NO_GRAPH,
    ),
    Differentiation(
        "a list of losses",
        "with torch.no_grad():\n    losses = [model(x).sum() for _ in range(2)]\nsum(losses).backward()\n",
        NO_GRAPH,
    ),
    Differentiation(
        "stacked",
        "with torch.no_grad():\n    loss = model(x).sum()\ntorch.stack([loss, loss]).mean().backward()\n",
        NO_GRAPH,
    ),
    Differentiation(
        "gradients on again",
        "with torch.no_grad():\n    with torch.enable_grad():\n        loss = model(x).sum()\n    loss.backward()\n",
        "",
    ),
    Differentiation(
        "gradients on again under inference_mode",
        "with torch.inference_mode(), torch.enable_grad():\n    loss = model(x).sum()\nloss.backward()\n",
        NO_GRAPH,
    ),
    Differentiation(
        "a view",
        "out = model(x)\nwith torch.no_grad():\n    first = out[0]\nfirst.sum().backward()\n",
        "",
    ),
    Differentiation(
        "backward on a view itself",
        "out = model(x).squeeze()\nwith torch.no_grad():\n    first = out[0]\nfirst.backward()\n",
        NO_GRAPH,
    ),
    Differentiation(
        "a function of the file makes it",
        "def loss_of():\n    with torch.no_grad():\n        return model(x).sum()\nloss_of().backward()\n",
        NO_GRAPH,
    ),
    Differentiation(
        "requires_grad_ afterwards",
        "with torch.no_grad():\n    loss = model(x).sum()\nloss.requires_grad_()\nloss.backward()\n",
        "",
    ),
]


@pytest.mark.parametrize("each", [pytest.param(each, id=each.name) for each in DIFFERENTIATIONS])
def test_the_rule_speaks_where_backward_raises(each: Differentiation) -> None:
    text = START + each.code
    assert error_of(lambda: exec(compile(text, each.name, "exec"), {})) == each.error
    # Under inference_mode the switch is what is wrong, and NGR205 speaks instead.
    speaking = [found.code for found in check(Source.of(text)) if found.code in {"NGR201", "NGR205"}]
    assert len(speaking) == bool(each.error)


# --- NGR301: a parameter is changed in place while gradients are on -------------------


@dataclass(frozen=True)
class Update:
    """A line that changes a leaf, what torch says to it, and what it does under no-grad."""

    code: str
    error: str
    expected: Callable[[Tensor, Tensor], Tensor]
    """The new weights, computed from the old and their gradient."""


def with_first_row(weight: Tensor, row: Tensor) -> Tensor:
    return torch.cat([row[None], weight[1:]])


UPDATES = [
    Update("w -= 0.1 * w.grad", LEAF, lambda w, g: w - 0.1 * g),
    Update("w += 1", LEAF, lambda w, g: w + 1),
    Update("w *= 0.5", LEAF, lambda w, g: w * 0.5),
    Update("w /= 2", LEAF, lambda w, g: w / 2),
    Update("w **= 2", LEAF, lambda w, g: w * w),
    Update("w.sub_(0.1 * w.grad)", LEAF, lambda w, g: w - 0.1 * g),
    Update("w.add_(w.grad, alpha=-0.1)", LEAF, lambda w, g: w - 0.1 * g),
    Update("w.mul_(0.5)", LEAF, lambda w, g: w * 0.5),
    Update("w.div_(2)", LEAF, lambda w, g: w / 2),
    Update("w.mul_(0.5).add_(1)", LEAF, lambda w, g: w * 0.5 + 1),
    Update("w.addcdiv_(w.grad, torch.full_like(w, 4.0), value=-0.1)", LEAF, lambda w, g: w - 0.1 * g / 4),
    Update("w.addcmul_(w.grad, torch.full_like(w, 4.0), value=-0.1)", LEAF, lambda w, g: w - 0.1 * g * 4),
    Update("w.lerp_(torch.zeros(3, 3), 0.25)", LEAF, lambda w, g: w * 0.75),
    Update("w.copy_(torch.zeros(3, 3))", LEAF, lambda w, g: torch.zeros(3, 3)),
    Update("w.fill_(7)", LEAF, lambda w, g: torch.full((3, 3), 7.0)),
    Update("w.zero_()", LEAF, lambda w, g: torch.zeros(3, 3)),
    Update("w.clamp_(-1, 1)", LEAF, lambda w, g: w.clamp(-1, 1)),
    Update("w.clamp_(min=0)", LEAF, lambda w, g: w.clamp(min=0)),
    Update("w.normal_(0, 0)", LEAF, lambda w, g: torch.zeros(3, 3)),
    Update("w.uniform_(2, 2)", LEAF, lambda w, g: torch.full((3, 3), 2.0)),
    Update("w.renorm_(2, 0, 1.0)", LEAF, lambda w, g: w.renorm(2, 0, 1.0)),
    Update("w.masked_fill_(w > 3, 0)", LEAF, lambda w, g: w.masked_fill(w > 3, 0)),
    Update("torch.clamp_(w, -1, 1)", LEAF, lambda w, g: w.clamp(-1, 1)),
    Update("nn.functional.relu_(w)", LEAF, lambda w, g: w.relu()),
    Update("nn.functional.relu(w, inplace=True)", LEAF, lambda w, g: w.relu()),
    Update("w[0] = 1", VIEW_OF_LEAF, lambda w, g: with_first_row(w, torch.ones(3))),
    Update("w[0] -= 0.1 * w.grad[0]", VIEW_OF_LEAF, lambda w, g: with_first_row(w, w[0] - 0.1 * g[0])),
    Update("w[0, :] *= 2", VIEW_OF_LEAF, lambda w, g: with_first_row(w, w[0] * 2)),
    Update("w[0].fill_(5)", VIEW_OF_LEAF, lambda w, g: with_first_row(w, torch.full((3,), 5.0))),
    Update("w.t().mul_(2)", VIEW_OF_LEAF, lambda w, g: w * 2),
    Update("w.view(-1).add_(1)", VIEW_OF_LEAF, lambda w, g: w + 1),
    Update("w[w > 3] = 0", LEAF, lambda w, g: w.masked_fill(w > 3, 0)),
    Update("w[:] = 0", LEAF, lambda w, g: torch.zeros(3, 3)),
    Update("w[...] = 0", LEAF, lambda w, g: torch.zeros(3, 3)),
    Update("torch.add(w, 1, out=w)", OUT.format("add"), lambda w, g: w + 1),
    Update("torch.mul(w.grad, 2, out=w)", OUT.format("mul"), lambda w, g: g * 2),
    Update("torch._foreach_add_([w], 1)", LEAF, lambda w, g: w + 1),
    Update("torch._foreach_mul_([w], 0.5)", LEAF, lambda w, g: w * 0.5),
    Update("torch._foreach_sub_([w], [0.1 * w.grad])", LEAF, lambda w, g: w - 0.1 * g),
]

LEAVES = {
    "requires_grad=": "w = torch.arange(9.0).reshape(3, 3).clone()\nw.requires_grad = True\n",
    "requires_grad_": "w = torch.arange(9.0).reshape(3, 3).clone().requires_grad_()\n",
    "nn.Parameter": "w = nn.Parameter(torch.arange(9.0).reshape(3, 3))\n",
}


def leaf_and(update: str, leaf: str = "nn.Parameter") -> str:
    return f"import torch\nfrom torch import nn\n{LEAVES[leaf]}(w * w).sum().backward()\n{update}\n"


def ran(text: str) -> Tensor:
    namespace: dict[str, object] = {}
    exec(compile(text, "update", "exec"), namespace)
    weight = namespace["w"]
    assert isinstance(weight, Tensor)
    return weight


def expected_of(each: Update) -> Tensor:
    old = torch.arange(9.0).reshape(3, 3)
    return each.expected(old, 2 * old)


each_update = pytest.mark.parametrize("each", UPDATES, ids=lambda each: each.code)


@each_update
@pytest.mark.parametrize("leaf", LEAVES)
def test_torch_refuses_to_change_a_leaf_in_place(each: Update, leaf: str) -> None:
    assert error_of(lambda: ran(leaf_and(each.code, leaf))) == each.error


@pytest.mark.parametrize("register", [nn.Module.register_forward_pre_hook, nn.Module.register_forward_hook])
def test_a_hook_of_forward_passes_runs_in_the_mode_of_the_pass(register: Callable[[nn.Module, object], object]) -> None:
    module = nn.Linear(2, 1)
    before = module.weight.detach().clone()

    def halved(*_: object) -> None:
        module.weight.mul_(0.5)

    register(module, halved)
    assert error_of(lambda: module(torch.ones(1, 2))) == LEAF
    with torch.no_grad():
        module(torch.ones(1, 2))
    torch.testing.assert_close(module.weight.detach(), before / 2)


@each_update
@pytest.mark.parametrize("leaf", LEAVES)
def test_under_no_grad_it_works_and_the_leaf_stays_one(each: Update, leaf: str) -> None:
    weight = ran(leaf_and(f"with torch.no_grad():\n    {each.code}", leaf))
    torch.testing.assert_close(weight.detach(), expected_of(each))
    assert weight.is_leaf
    assert weight.requires_grad
    assert weight.grad is not None


@pytest.mark.parametrize("each", [pytest.param(each, id=each.code) for each in UPDATES])
def test_the_rule_speaks_and_its_fix_moves_the_weights(each: Update) -> None:
    source = Source.of(leaf_and(each.code))
    assert [(found.line, found.code) for found in check(source)] == [(5, "NGR301")]
    torch.testing.assert_close(ran(fix(source).source.text).detach(), expected_of(each))


@pytest.mark.parametrize(
    "lists",
    [
        "torch._foreach_mul_(list(layer.parameters()), 0.5)",
        "params = list(layer.parameters())\ntorch._foreach_mul_(params, 0.5)",
        "params = [p for p in layer.parameters()]\ntorch._foreach_mul_(params, 0.5)",
    ],
)
def test_the_rule_speaks_of_lists_of_parameters(lists: str) -> None:
    text = f"import torch\nfrom torch import nn\nlayer = nn.Linear(2, 2)\n{lists}\n"
    assert error_of(lambda: exec(text, {})) == LEAF
    assert [found.code for found in check(Source.of(text))] == ["NGR301"]
    exec(fix(Source.of(text)).source.text, {})


BY_DEFAULT = {rule.code for rule in all_rules() if rule.default}

LEGAL: dict[str, str] = {
    "its data": "w.data -= 0.1 * w.grad",
    "its detached self": "w.detach().clamp_(-1, 1)",
    "its gradient": "w.grad.mul_(0.5)\nw.grad.zero_()",
    "an activation": "hidden = w * 2\nhidden += 1\nhidden[0] = 0",
    "a frozen leaf": "w.requires_grad_(False)\nw.mul_(2)\nw.add_(1)",
    "nn.init": "nn.init.zeros_(w)",
    "a hook": "w.register_post_accumulate_grad_hook(lambda p: p.add_(p.grad, alpha=-0.1))\n(w * w).sum().backward()",
    "state_dict": "layer = nn.Linear(2, 2)\nlayer.state_dict()['weight'].mul_(2)",
    "a buffer": "norm = nn.BatchNorm1d(3)\nnorm.running_mean.mul_(0.9).add_(1)",
    "set_grad_enabled": "with torch.set_grad_enabled(False):\n    w.mul_(2)",
    "inference_mode": "with torch.inference_mode():\n    w.mul_(2)",
    "a clone": "c = w.clone()\nc -= 0.1 * w.grad",
}


@pytest.mark.parametrize("code", LEGAL.values(), ids=LEGAL)
def test_what_torch_takes_is_no_finding(code: str) -> None:
    text = leaf_and(code)
    ran(text)
    assert not [each for each in check(Source.of(text)) if each.code in BY_DEFAULT]


def test_a_new_name_for_the_updated_weights_is_no_leaf() -> None:
    """Why wrapping is no fix for ``w = w - ...``: that is NGR302's."""
    weight = ran(leaf_and("w = w - 0.1 * w.grad"))
    assert not weight.is_leaf
    assert not ran(leaf_and("with torch.no_grad():\n    w = w - 0.1 * w.grad")).requires_grad


@pytest.mark.parametrize("line", ["weight *= 2", "weight.clamp_(0, 1)", "bias.zero_()", "weight[0] = 1"])
def test_weights_of_a_module_are_leaves(line: str) -> None:
    layer = nn.Linear(2, 2)
    with pytest.raises(RuntimeError) as raised:
        exec(f"layer.{line}", {"layer": layer})
    assert str(raised.value) in {LEAF, VIEW_OF_LEAF}
    with torch.no_grad():
        exec(f"layer.{line}", {"layer": layer})


def test_items_of_parameters_are_leaves() -> None:
    model = perceptron()
    listed = list(model.parameters())
    named = [parameter for _, parameter in model.named_parameters()]
    grouped = [each for group in torch.optim.SGD(listed, lr=0.1).param_groups for each in group["params"]]
    assert listed
    for parameter in listed + named + grouped:
        assert error_of(partial(parameter.mul_, 2)) == LEAF


class Plain(torch.optim.Optimizer):
    """As a beginner writes it."""

    def __init__(self, parameters: list[Tensor]) -> None:
        super().__init__(parameters, {})

    def step(  # type: ignore[override]  # what the base class overloads
        self, closure: Callable[[], float] | None = None
    ) -> float | None:
        loss = None if closure is None else closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.add_(parameter.grad, alpha=-0.1)
        return loss


class Decorated(Plain):
    """Decorated, and the closure forgotten."""

    step = torch.no_grad()(Plain.step)


def test_an_optimizer_is_not_guarded_by_its_base_class() -> None:
    weight = torch.ones(3, requires_grad=True)
    loss_of(weight).backward()
    assert error_of(Plain([weight]).step) == LEAF
    Decorated([weight]).step()
    torch.testing.assert_close(weight.detach(), torch.full((3,), 0.8))


def test_a_decorated_step_takes_the_gradients_from_its_closure() -> None:
    """Why the decorator comes together with ``enable_grad`` around the closure."""
    weight = torch.ones(3, requires_grad=True)

    def closure() -> float:
        loss = loss_of(weight)
        loss.backward()
        return loss.item()

    assert error_of(lambda: Decorated([weight]).step(closure)) == NO_GRAPH
    Decorated([weight]).step(torch.enable_grad()(closure))
    torch.testing.assert_close(weight.detach(), torch.full((3,), 0.8))


def test_a_wrapped_update_of_what_turns_out_frozen_changes_the_same_numbers() -> None:
    frozen = torch.ones(3)
    frozen.mul_(0.5)
    with torch.no_grad():
        other = torch.ones(3)
        other.mul_(0.5)
    assert torch.equal(frozen, other)


def test_wrapping_the_update_of_what_is_no_leaf_would_lose_the_gradient_of_a_gradient() -> None:
    """Why the rule wants a leaf (H8): fast weights."""
    weight = torch.ones(3, requires_grad=True)
    rate = torch.tensor(0.1, requires_grad=True)

    def adapted(guard: bool) -> Tensor:
        fast = weight.clone()
        (gradient,) = torch.autograd.grad((fast * 3).sum(), fast, create_graph=True)
        with torch.set_grad_enabled(not guard):
            fast -= rate * gradient
        return fast

    adapted(guard=False).sum().backward()
    assert rate.grad is not None
    forget_gradients(weight, rate)
    adapted(guard=True).sum().backward()
    assert rate.grad is None
