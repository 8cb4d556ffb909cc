"""What the pages of NGR103, NGR104 and NGR304 claim of torch, run on torch."""

# mypy: disable-error-code="no-untyped-call"
# torch leaves ``backward`` untyped

from __future__ import annotations

import copy
from contextlib import AbstractContextManager, nullcontext

import pytest
import torch
from torch import Tensor, nn

from flake8_nograd.rules import all_rules

PAGES = {rule.code: rule.documentation for rule in all_rules()}


def nodes_behind(*tensors: Tensor) -> int:
    """How many nodes of autograd graphs some tensors keep alive."""
    waiting = [tensor.grad_fn for tensor in tensors]
    seen = set()
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            waiting += [each for each, _ in node.next_functions]
    return len(seen)


def leaf() -> Tensor:
    return torch.ones(2, requires_grad=True)


# --- NGR104: a total of losses --------------------------------------------------------


def losses(steps: int, *, detached: bool) -> list[Tensor]:
    model = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1))
    history = []
    for _ in range(steps):
        loss = model(torch.ones(3, 2)).pow(2).mean()
        loss.backward()
        history.append(loss.detach() if detached else loss)
    return history


def test_collected_losses_keep_the_nodes_of_every_turn() -> None:
    assert "ten steps of a two-layer perceptron keep\nover seventy nodes" in PAGES["NGR104"]
    assert nodes_behind(*losses(10, detached=False)) > 70
    assert nodes_behind(*losses(10, detached=True)) == 0


def total(steps: int, *, detached: bool) -> Tensor:
    result = torch.zeros(())
    for loss in losses(steps, detached=detached):
        result = result + loss
    return result


def test_a_total_keeps_them_as_well() -> None:
    assert nodes_behind(total(10, detached=False)) - nodes_behind(total(9, detached=False)) > 7
    assert nodes_behind(total(10, detached=True)) == 0


def test_nobody_can_go_back_through_the_total() -> None:
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        total(2, detached=False).backward()


def test_detached_the_total_has_the_same_value() -> None:
    torch.manual_seed(0)
    one = total(3, detached=False)
    torch.manual_seed(0)
    assert torch.equal(one, total(3, detached=True))


def test_backward_frees_the_activations() -> None:
    w = leaf()
    loss = (w * w).sum()
    loss.backward()
    with pytest.raises(RuntimeError, match="saved tensors after they have already been freed"):
        loss.grad_fn.next_functions[0][0]._saved_self  # type: ignore[union-attr]  # noqa: B018


# --- NGR304: averages -----------------------------------------------------------------


def averaged(guard: AbstractContextManager[object], steps: int = 1) -> tuple[nn.Linear, nn.Linear]:
    torch.manual_seed(0)
    model = nn.Linear(2, 2)
    average = copy.deepcopy(model).requires_grad_(False)
    with torch.no_grad():
        model.weight += 1
    with guard:
        for _ in range(steps):
            for mean, new in zip(average.parameters(), model.parameters(), strict=True):
                mean.mul_(0.9).add_(new, alpha=0.1)
    return model, average


def test_a_frozen_target_becomes_the_result_of_an_operation() -> None:
    model, average = averaged(nullcontext())
    assert average.weight.requires_grad
    assert not average.weight.is_leaf
    average(torch.ones(2)).sum().backward()
    assert model.weight.grad is not None


def test_its_graph_grows_with_each_update() -> None:
    once, often = (averaged(nullcontext(), steps)[1] for steps in (1, 5))
    assert nodes_behind(often.weight) >= nodes_behind(once.weight) + 4


def test_under_no_grad_it_stays_frozen_and_has_the_same_numbers() -> None:
    _, recorded = averaged(nullcontext(), 3)
    model, average = averaged(torch.no_grad(), 3)
    assert average.weight.is_leaf
    assert not average.weight.requires_grad
    assert torch.equal(average.weight, recorded.weight)
    (average(torch.ones(2)) * model(torch.ones(2))).sum().backward()
    assert average.weight.grad is None


def test_a_copy_in_a_dictionary_grows() -> None:
    p = nn.Parameter(torch.ones(2))
    shadow = {"p": p.detach().clone()}
    lengths = []
    for _ in range(3):
        shadow["p"] = 0.9 * shadow["p"] + 0.1 * p
        lengths.append(nodes_behind(shadow["p"]))
    assert lengths[0] < lengths[1] < lengths[2]
    with torch.no_grad():
        shadow["p"] = 0.9 * shadow["p"] + 0.1 * p
    assert nodes_behind(shadow["p"]) == 0


@pytest.mark.parametrize("guarded", [True, False])
def test_a_running_statistic_raises_in_the_second_step(guarded: bool) -> None:
    net = nn.Linear(2, 2)
    running = torch.zeros(2)

    def step() -> None:
        nonlocal running
        h = net(torch.ones(3, 2))
        with torch.no_grad() if guarded else nullcontext():
            running = 0.9 * running + 0.1 * h.pow(2).mean(0)
        (h - running).pow(2).mean().backward()

    step()
    if guarded:
        step()
    else:
        with pytest.raises(RuntimeError) as raised:
            step()
        quoted = "RuntimeError: Trying to backward through the graph a second time"
        assert quoted in PAGES["NGR304"]
        assert f"RuntimeError: {raised.value}".startswith(quoted)


def test_a_memory_bank_keeps_the_graph_of_every_batch() -> None:
    encoder = nn.Linear(2, 2)
    queue = torch.randn(2, 100)
    nodes = []
    for start in range(0, 12, 4):
        keys = encoder(torch.ones(4, 2))
        (keys @ queue.clone().detach()).logsumexp(1).mean().backward(retain_graph=True)
        queue[:, start : start + 4] = keys.T
        nodes.append(nodes_behind(queue))
    assert nodes[0] < nodes[1] < nodes[2]
    with torch.no_grad():
        bank = torch.zeros(2, 100)
        bank[:, :4] = encoder(torch.ones(4, 2)).T
    assert not bank.requires_grad


def test_a_statistic_changed_in_place_takes_up_a_graph() -> None:
    running = torch.zeros(2)
    running.mul_(0.9).add_(nn.Linear(2, 2)(torch.ones(3, 2)).mean(0), alpha=0.1)
    assert running.grad_fn is not None


def test_a_detached_target_takes_up_a_graph_without_an_error() -> None:
    source, target = nn.Linear(2, 2), nn.Linear(2, 2)
    target.weight.detach_()
    target.weight.copy_(0.9 * target.weight + 0.1 * source.weight)
    assert target.weight.grad_fn is not None


def test_state_dicts_have_no_graph() -> None:
    assert not any(each.requires_grad for each in nn.Linear(2, 2).state_dict().values())


# --- NGR103: a teacher ----------------------------------------------------------------


def distilled(guard: AbstractContextManager[object], *, frozen: bool = False) -> tuple[nn.Linear, nn.Linear]:
    torch.manual_seed(0)
    teacher, student = nn.Linear(2, 2).eval(), nn.Linear(2, 2)
    if frozen:
        teacher.requires_grad_(False)
    optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
    for _ in range(2):
        with guard:
            target = teacher(torch.ones(2))
        loss = nn.functional.mse_loss(student(torch.ones(2)), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return teacher, student


def test_a_teacher_in_eval_mode_gathers_gradients() -> None:
    teacher, _ = distilled(nullcontext())
    assert teacher.weight.grad is not None
    assert teacher.weight.grad.abs().sum() > 0


def test_under_no_grad_or_frozen_it_gathers_none_and_the_student_learns_the_same() -> None:
    _, recorded = distilled(nullcontext())
    for guard, frozen in (torch.no_grad(), False), (nullcontext(), True):
        teacher, student = distilled(guard, frozen=frozen)
        assert teacher.weight.grad is None
        assert torch.equal(student.weight, recorded.weight)


def test_zero_grad_of_the_students_optimizer_does_not_clear_them() -> None:
    teacher, student = distilled(nullcontext())
    torch.optim.SGD(student.parameters(), lr=0.1).zero_grad()
    assert teacher.weight.grad is not None


def test_a_graph_that_is_kept_can_be_gone_back_through_once_more_and_a_detached_loss_cannot() -> None:
    weight = torch.ones(2, requires_grad=True)
    loss = (weight**2).sum()
    loss.backward(retain_graph=True)
    once = weight.grad.clone() if weight.grad is not None else None
    loss.backward()
    assert once is not None
    assert weight.grad is not None
    assert torch.equal(weight.grad, 2 * once)
    with pytest.raises(RuntimeError, match="does not require grad"):
        loss.detach().backward()


def test_a_forward_pass_that_asks_for_gradients_raises_without_them() -> None:
    class Potential(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.energy = torch.nn.Linear(3, 1)

        def forward(self, positions: torch.Tensor) -> torch.Tensor:
            return torch.autograd.grad(self.energy(positions).sum(), positions)[0]

    potential = Potential().eval()
    positions = torch.randn(4, 3, requires_grad=True)
    assert potential(positions).shape == positions.shape
    with torch.no_grad(), pytest.raises(RuntimeError, match="does not require grad"):
        potential(positions)
