"""What the pages of NGR202 to NGR208, NGR103 and NGR104 claim of torch, run on torch."""

# mypy: disable-error-code="no-untyped-call"
# torch leaves ``backward`` untyped

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Variable

from flake8_nograd import torch_classes
from flake8_nograd.rules import all_rules

from .graphs import error_of

PAGES = {rule.code: rule.documentation for rule in all_rules()}


@pytest.fixture
def model() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(4, 3)


X = torch.randn(5, 4, generator=torch.Generator().manual_seed(1))
Y = torch.tensor([0, 1, 2, 0, 1])


def quoted(code: str, action: Callable[[], object]) -> bool:
    """Whether the page of a rule quotes what torch raises, word by word."""
    error = error_of(action)
    assert error
    return f"RuntimeError: {error}" in PAGES[code]


# --- NGR202: a loss forced to require gradients ---------------------------------------


def copied(loss: Tensor) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "To copy construct from a tensor"
        return torch.tensor(loss, requires_grad=True)


def attribute(loss: Tensor) -> Tensor:
    loss = loss.detach()
    loss.requires_grad = True
    return loss


def listed(loss: Tensor) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "Converting a tensor with requires_grad=True to a scalar"
        return torch.tensor([loss, loss], requires_grad=True).mean()


@pytest.mark.parametrize(
    "force",
    [
        attribute,
        copied,
        listed,
        nn.Parameter,
        lambda loss: Variable(loss, requires_grad=True),
        lambda loss: Variable(loss.data, requires_grad=True),
        lambda loss: torch.tensor(loss.item(), requires_grad=True),
        lambda loss: torch.tensor(loss.item()).requires_grad_(),
        lambda loss: loss.detach().requires_grad_() / 4,
    ],
)
def test_a_forced_loss_trains_nothing_and_says_nothing(model: nn.Linear, force: Callable[[Tensor], Tensor]) -> None:
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    before = model.weight.detach().clone()
    loss = force(F.cross_entropy(model(X), Y))
    loss.backward()
    optimizer.step()
    assert model.weight.grad is None
    assert torch.equal(model.weight, before)


def test_its_own_gradient_is_one(model: nn.Linear) -> None:
    loss = attribute(F.cross_entropy(model(X), Y))
    loss.backward()
    assert loss.is_leaf
    assert loss.grad == 1


def test_the_attribute_raises_on_a_loss_with_a_graph(model: nn.Linear) -> None:
    loss = F.cross_entropy(model(X), Y)

    def force() -> None:
        loss.requires_grad = True

    assert quoted("NGR202", force)


def test_the_method_changes_nothing_on_a_loss_with_a_graph(model: nn.Linear) -> None:
    loss = F.cross_entropy(model(X), Y)
    assert loss.requires_grad_(True) is loss
    loss.backward()
    assert model.weight.grad is not None


def test_grad_of_a_forced_loss_raises(model: nn.Linear) -> None:
    loss = copied(F.cross_entropy(model(X), Y))
    assert quoted("NGR202", lambda: torch.autograd.grad(loss, model.weight))


@pytest.mark.parametrize("make", [Variable, torch.tensor])
@pytest.mark.filterwarnings("ignore:To copy construct from a tensor")
def test_variable_without_the_flag_is_a_leaf_without_a_graph(
    model: nn.Linear, make: Callable[[Tensor], Tensor]
) -> None:
    for tensor in (F.cross_entropy(model(X), Y), model.weight):
        assert not make(tensor).requires_grad
        assert make(tensor).is_leaf


# --- NGR208: a closure under no-grad --------------------------------------------------


class Descent(torch.optim.Optimizer):
    """A hand-written optimizer that calls its closure in a given mode."""

    def __init__(self, weights: Iterable[Tensor], mode: Callable[[], AbstractContextManager[object]]) -> None:
        super().__init__(weights, {"lr": 0.1})
        self.mode = mode

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor]) -> Tensor:  # type: ignore[override] # closures of tensors
        with self.mode():
            loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p.add_(p.grad, alpha=-group["lr"])
        return loss


def closure_of(model: nn.Linear) -> Callable[[], Tensor]:
    def closure() -> Tensor:
        model.zero_grad()
        loss = F.cross_entropy(model(X), Y)
        loss.backward()
        return loss

    return closure


def test_a_closure_under_no_grad_raises(model: nn.Linear) -> None:
    optimizer = Descent(model.parameters(), nullcontext)
    assert quoted("NGR208", lambda: optimizer.step(closure_of(model)))


def test_a_closure_under_enable_grad_trains(model: nn.Linear) -> None:
    before = model.weight.detach().clone()
    Descent(model.parameters(), torch.enable_grad).step(closure_of(model))
    assert model.weight.grad is not None
    torch.testing.assert_close(model.weight, before - 0.1 * model.weight.grad)


def test_enable_grad_does_not_change_the_loss_of_a_closure_without_backward(model: nn.Linear) -> None:
    losses = [
        Descent(model.parameters(), mode).step(lambda: model(X).sum()) for mode in (nullcontext, torch.enable_grad)
    ]
    assert torch.equal(*losses)
    assert model.weight.grad is None


def test_enable_grad_does_not_lift_inference_mode_for_a_closure(model: nn.Linear) -> None:
    with torch.inference_mode():
        assert error_of(lambda: Descent(model.parameters(), torch.enable_grad).step(closure_of(model)))


OPTIMIZERS = [
    getattr(torch.optim, name)
    for name in torch.optim.__all__
    if isinstance(getattr(torch.optim, name), type) and name not in {"Optimizer", "SparseAdam", "Muon"}
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_optimizers_of_torch_enable_gradients_for_their_closures(
    model: nn.Linear, optimizer: type[torch.optim.SGD]
) -> None:
    before = model.weight.detach().clone()
    with torch.no_grad():
        optimizer(model.parameters(), lr=0.1).step(closure_of(model))
    assert not torch.equal(model.weight, before)


def test_a_wrapped_closure_trains(model: nn.Linear) -> None:
    with torch.no_grad():
        torch.enable_grad()(closure_of(model))()
    assert model.weight.grad is not None


# --- NGR204: inference tensors --------------------------------------------------------


def inferred(*shape: int) -> Tensor:
    with torch.inference_mode():
        return torch.rand(*(shape or (3, 4)))


def inferred_indices() -> Tensor:
    with torch.inference_mode():
        return torch.tensor([0, 1, 2])


def inferred_mask() -> Tensor:
    with torch.inference_mode():
        return torch.ones(3, 4) > 0


def weight(*shape: int) -> Tensor:
    return torch.full(shape or (3, 4), 0.5, requires_grad=True)


T = inferred
W = weight
SAVING: dict[str, Callable[[], object]] = {
    "*": lambda: T() * W(),
    "/": lambda: (W() / T(), T() / W()),
    "@": lambda: W() @ T(4, 3),
    "**": lambda: W() ** T(),
    "[]": lambda: W()[inferred_indices()],
    "mul": lambda: torch.mul(W(), T()),
    "multiply": lambda: W().multiply(T()),
    "div": lambda: W().div(T()),
    "divide": lambda: W().divide(T()),
    "true_divide": lambda: W().true_divide(T()),
    "matmul": lambda: torch.matmul(T(), W(4, 3)),
    "mm": lambda: T().mm(W(4, 3)),
    "bmm": lambda: torch.bmm(W(1, 3, 4), T(1, 4, 3)),
    "mv": lambda: torch.mv(W(), T(4)),
    "dot": lambda: torch.dot(W(4), T(4)),
    "pow": lambda: torch.pow(T(), W()),
    "maximum": lambda: torch.maximum(W(), T()),
    "minimum": lambda: torch.minimum(T(), W()),
    "einsum": lambda: torch.einsum("ij,ij->i", W(), T()),
    "gather": lambda: W().gather(0, inferred_indices()[:, None]),
    "index_select": lambda: W().index_select(0, inferred_indices()),
    "masked_fill": lambda: W().masked_fill(inferred_mask(), 0.0),
    "masked_select": lambda: W().masked_select(inferred_mask()),
    "torch.nn.functional.linear": lambda: F.linear(T(), W()),
    "torch.nn.functional.embedding": lambda: F.embedding(inferred_indices(), W()),
    "torch.nn.functional.conv1d": lambda: F.conv1d(T(1, 2, 5), W(3, 2, 1)),
    "torch.nn.functional.conv2d": lambda: F.conv2d(T(1, 2, 5, 5), W(3, 2, 1, 1)),
    "torch.nn.functional.conv3d": lambda: F.conv3d(T(1, 2, 5, 5, 5), W(3, 2, 1, 1, 1)),
    "torch.nn.functional.mse_loss": lambda: F.mse_loss(W(), T()),
    "torch.nn.functional.smooth_l1_loss": lambda: F.smooth_l1_loss(W(), T()),
    "torch.nn.functional.huber_loss": lambda: F.huber_loss(W(), T()),
    "torch.nn.functional.cross_entropy": lambda: F.cross_entropy(W(), inferred_indices()),
    "torch.nn.functional.nll_loss": lambda: F.nll_loss(W().log_softmax(1), inferred_indices()),
    "torch.nn.functional.binary_cross_entropy": lambda: F.binary_cross_entropy(W().sigmoid(), T()),
    "torch.nn.functional.binary_cross_entropy_with_logits": lambda: F.binary_cross_entropy_with_logits(W(), T()),
    "torch.nn.functional.kl_div": lambda: F.kl_div(W().log_softmax(1), T(), reduction="sum"),
    "torch.nn.functional.poisson_nll_loss": lambda: F.poisson_nll_loss(W(), T()),
    "torch.nn.MSELoss": lambda: nn.MSELoss()(W(), T()),
    "torch.nn.SmoothL1Loss": lambda: nn.SmoothL1Loss()(W(), T()),
    "torch.nn.HuberLoss": lambda: nn.HuberLoss()(W(), T()),
    "torch.nn.CrossEntropyLoss": lambda: nn.CrossEntropyLoss()(W(), inferred_indices()),
    "torch.nn.NLLLoss": lambda: nn.NLLLoss()(W().log_softmax(1), inferred_indices()),
    "torch.nn.BCELoss": lambda: nn.BCELoss()(W().sigmoid(), T()),
    "torch.nn.BCEWithLogitsLoss": lambda: nn.BCEWithLogitsLoss()(W(), T()),
    "torch.nn.KLDivLoss": lambda: nn.KLDivLoss(reduction="sum")(W().log_softmax(1), T()),
    "torch.nn.PoissonNLLLoss": lambda: nn.PoissonNLLLoss()(W(), T()),
}


def test_the_table_of_saving_operations_is_run() -> None:
    assert SAVING.keys() == torch_classes.SAVING_OPERATIONS


@pytest.mark.parametrize("operation", sorted(SAVING))
def test_these_operations_save_their_operands(operation: str) -> None:
    assert quoted("NGR204", SAVING[operation])


@pytest.mark.parametrize(
    "operation",
    [
        lambda: W() + T(),
        lambda: T() - W(),
        lambda: ((W() - T()) ** 2).mean(),
        lambda: torch.cat([W(), T()]),
        lambda: F.l1_loss(W(), T()),
        lambda: F.cosine_similarity(W(), T()),
        lambda: W() * T().clone(),
        lambda: W() * (T() + 1),
        lambda: nn.Linear(4, 2).requires_grad_(False)(T()),
        lambda: nn.Sequential(nn.ReLU(), nn.Linear(4, 2))(T()),
    ],
)
def test_these_do_not(operation: Callable[[], Tensor]) -> None:
    assert not error_of(operation)


SAVING_INPUTS: dict[str, Callable[[], object]] = {
    "Linear": lambda: nn.Linear(4, 2)(T()),
    "Bilinear": lambda: nn.Bilinear(4, 4, 2)(T(), T()),
    "Embedding": lambda: nn.Embedding(5, 2)(inferred_indices()),
    "Conv1d": lambda: nn.Conv1d(2, 3, 1)(T(1, 2, 5)),
    "Conv2d": lambda: nn.Conv2d(2, 3, 1)(T(1, 2, 5, 5)),
    "Conv3d": lambda: nn.Conv3d(2, 3, 1)(T(1, 2, 5, 5, 5)),
    "ConvTranspose1d": lambda: nn.ConvTranspose1d(2, 3, 1)(T(1, 2, 5)),
    "ConvTranspose2d": lambda: nn.ConvTranspose2d(2, 3, 1)(T(1, 2, 5, 5)),
    "ConvTranspose3d": lambda: nn.ConvTranspose3d(2, 3, 1)(T(1, 2, 5, 5, 5)),
    "PReLU": lambda: nn.PReLU()(T()),
    "BatchNorm1d": lambda: nn.BatchNorm1d(4)(T()),
    "BatchNorm2d": lambda: nn.BatchNorm2d(2)(T(1, 2, 5, 5)),
    "BatchNorm3d": lambda: nn.BatchNorm3d(2)(T(1, 2, 5, 5, 5)),
    "LayerNorm": lambda: nn.LayerNorm(4)(T()),
    "GroupNorm": lambda: nn.GroupNorm(2, 4)(T()),
    "RNN": lambda: nn.RNN(4, 2)(T()),
    "LSTM": lambda: nn.LSTM(4, 2)(T()),
    "GRU": lambda: nn.GRU(4, 2)(T()),
    "RNNCell": lambda: nn.RNNCell(4, 2)(T()),
    "LSTMCell": lambda: nn.LSTMCell(4, 2)(T()),
    "GRUCell": lambda: nn.GRUCell(4, 2)(T()),
    "MultiheadAttention": lambda: nn.MultiheadAttention(4, 1)(T(), T(), T()),
    "TransformerEncoderLayer": lambda: nn.TransformerEncoderLayer(4, 1)(T()),
}


def test_the_table_of_saving_modules_is_run() -> None:
    assert {f"torch.nn.{name}" for name in SAVING_INPUTS} == torch_classes.SAVING_MODULES


@pytest.mark.parametrize("module", sorted(SAVING_INPUTS))
def test_these_modules_save_their_input(module: str) -> None:
    error = error_of(SAVING_INPUTS[module])
    assert error.startswith(("Inference tensors cannot be saved for backward.", "Inference tensors do not track"))


def set_item(tensor: Tensor) -> None:
    tensor[0] = 1


def divide(tensor: Tensor) -> None:
    tensor /= 2


IN_PLACE: list[Callable[[Tensor], object]] = [
    divide,
    set_item,
    lambda tensor: tensor.add_(1),
    lambda tensor: tensor[0].mul_(2),
    lambda tensor: tensor.reshape(-1).zero_(),
    lambda tensor: torch.add(X[:3], X[:3], out=tensor),
    lambda tensor: torch._foreach_add_([tensor], 1.0),
    lambda tensor: F.relu(tensor, inplace=True),
]


@pytest.mark.parametrize("change", IN_PLACE)
@pytest.mark.parametrize("mode", [nullcontext, torch.no_grad])
def test_inference_tensors_are_not_changed_outside(
    change: Callable[[Tensor], object], mode: Callable[[], AbstractContextManager[object]]
) -> None:
    with mode():
        assert quoted("NGR204", lambda: change(inferred()))
    with torch.inference_mode():
        assert not error_of(lambda: change(inferred()))


@pytest.mark.parametrize("way_round", [torch.Tensor.detach, lambda tensor: tensor.data])
def test_detach_and_data_give_a_way_round(way_round: Callable[[Tensor], Tensor]) -> None:
    assert not error_of(lambda: way_round(inferred()).add_(1))


def set_flag(tensor: Tensor) -> None:
    tensor.requires_grad = True


@pytest.mark.parametrize("ask", [Tensor.requires_grad_, set_flag, nn.Parameter])
def test_inference_tensors_do_not_require_gradients(ask: Callable[[Tensor], object]) -> None:
    assert quoted("NGR204", lambda: ask(inferred()))


VIEWS: list[Callable[[Tensor], Tensor]] = [
    Tensor.detach,
    Tensor.t,
    Tensor.contiguous,
    lambda tensor: tensor[0],
    lambda tensor: tensor.data,
    lambda tensor: tensor.reshape(-1),
    lambda tensor: tensor.to(torch.float32),
]


@pytest.mark.parametrize("view", VIEWS)
def test_views_are_what_they_view(view: Callable[[Tensor], Tensor]) -> None:
    assert view(inferred()).is_inference()
    with torch.inference_mode():
        assert not view(X).is_inference()


def test_a_parameter_shares_the_memory_of_its_content() -> None:
    with torch.inference_mode():
        assert nn.Parameter(torch.ones(2)).is_inference()
        assert not nn.Parameter(X).is_inference()


def test_what_requires_no_gradients_is_a_leaf(model: nn.Linear) -> None:
    with torch.no_grad():
        assert model(X).relu().is_leaf
    assert model(X).detach().is_leaf
    assert not model(X).is_leaf


def test_a_view_follows_what_it_shows_and_not_the_other_way_round() -> None:
    tensor = torch.zeros(2, 2)
    view = tensor[0]
    tensor.requires_grad_()
    assert view.requires_grad
    other = torch.zeros(2, 2)
    other[0].requires_grad_()
    assert not other.requires_grad
    other[0].mul_(torch.ones(2, requires_grad=True))
    assert other.requires_grad
    assert not other.is_leaf


def test_a_view_cannot_be_frozen() -> None:
    weight = nn.Parameter(torch.ones(2, 2))
    with torch.no_grad():
        view = weight[:1]
        view.requires_grad_(False)
        assert view.requires_grad
        view.requires_grad = False
        assert view.requires_grad
        copy = weight * 1
        copy.requires_grad_()
        copy.requires_grad_(False)
        assert not copy.requires_grad


@pytest.mark.parametrize(
    "copy",
    [
        Tensor.clone,
        Tensor.sum,
        Tensor.double,
        lambda tensor: tensor + 1,
        lambda tensor: tensor.argmax(1),
        lambda tensor: tensor[torch.tensor([0, 1])],
        lambda tensor: torch.cat([tensor, tensor]),
        deepcopy,
    ],
)
def test_copies_are_what_the_mode_makes_them(copy: Callable[[Tensor], Tensor]) -> None:
    assert not copy(inferred()).is_inference()
    with torch.inference_mode():
        assert copy(X).is_inference()


def test_ordinary_tensors_changed_in_inference_mode_stay_ordinary() -> None:
    tensor = torch.zeros(2)
    with torch.inference_mode():
        tensor += torch.ones(2)
        assert not tensor.is_inference()


def test_no_grad_computes_the_same_and_its_tensors_are_welcome(model: nn.Linear) -> None:
    with torch.inference_mode():
        one = model(X)
    with torch.no_grad():
        other = model(X)
    assert torch.equal(one, other)
    F.mse_loss(model(X), other).backward()
    other /= 2
    other.requires_grad_()


# --- NGR203: the way back is cut -------------------------------------------------------------------


@pytest.mark.parametrize(
    "cut",
    [
        lambda loss: torch.tensor(loss.detach().numpy()),
        lambda loss: torch.from_numpy(loss.detach().numpy()),
        lambda loss: torch.from_numpy(loss.detach().numpy()).mean(),
        lambda loss: torch.tensor(loss.item()),
        lambda loss: loss.detach().mean(),
        lambda loss: (loss.detach() * 2 - loss.data).sum(),
    ],
)
def test_what_is_computed_from_detached_tensors_alone_raises(model: nn.Linear, cut: Callable[[Tensor], Tensor]) -> None:
    assert quoted("NGR203", lambda: cut(F.cross_entropy(model(X), Y)).backward())


def test_another_operand_may_bring_a_graph(model: nn.Linear) -> None:
    (F.cross_entropy(model(X), Y).detach() * model.weight).sum().backward()
    assert model.weight.grad is not None
