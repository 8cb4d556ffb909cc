"""What the pages of NGR501 to NGR506 claim of torch, run on torch."""

# mypy: disable-error-code="no-untyped-call"
# torch leaves ``backward`` untyped

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.autograd import Variable

from flake8_nograd.engine import check, fix
from flake8_nograd.rules import all_rules
from flake8_nograd.source import Source

PAGES = {rule.code: rule.documentation for rule in all_rules()}
FLAGS = ["requires_grad", "require_grad", "required_grad", "requires_grads", "requires_gradient"]


def run(code: str, **names: object) -> dict[str, object]:
    """Run a program of a few lines, and give what it binds."""
    space = dict(names)
    exec(code, space)
    return space


def mended(code: str) -> str:
    """After the fixes, unsafe ones too."""
    return fix(Source.of(code), unsafe=True).source.text


def quotes(code: str, kind: type[Exception], action: Callable[[], object]) -> bool:
    """Whether the page of a rule quotes what torch raises, word by word."""
    with pytest.raises(kind) as raised:
        action()
    return f"{kind.__name__}: {raised.value}" in PAGES[code]


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2))


def trains(module: nn.Module) -> bool:
    """Whether a step of an optimizer changes all of its parameters."""
    before = [each.detach().clone() for each in module.parameters()]
    optimizer = torch.optim.SGD(module.parameters(), lr=1.0)
    output = module(torch.ones(2, 3)).sum()
    if output.requires_grad:
        output.backward()
    optimizer.step()
    changes = [not torch.equal(one, other) for one, other in zip(before, module.parameters(), strict=True)]
    assert len(set(changes)) == 1
    return changes[0]


# --- NGR501, NGR502 ---------------------------------------------------------------------


@pytest.mark.parametrize("name", FLAGS)
def test_an_attribute_of_a_module_freezes_nothing(name: str) -> None:
    module = model()
    setattr(module, name, False)
    assert all(each.requires_grad for each in module.parameters())
    assert trains(module)


@pytest.mark.parametrize("name", FLAGS)
def test_an_attribute_of_a_module_thaws_nothing(name: str) -> None:
    module = model().requires_grad_(False)
    setattr(module, name, True)
    assert not trains(module)


@pytest.mark.parametrize("name", FLAGS)
def test_only_the_right_name_freezes_a_parameter(name: str) -> None:
    module = model()
    for each in module.parameters():
        setattr(each, name, False)
    assert trains(module) is (name != "requires_grad")


@pytest.mark.parametrize("name", FLAGS)
def test_only_the_right_name_gives_an_input_its_gradient(name: str) -> None:
    images = torch.ones(2, 3)
    setattr(images, name, True)
    model()(images).sum().backward()
    assert (images.grad is not None) is (name == "requires_grad")


def test_a_misspelt_argument_raises_the_quoted_error() -> None:
    assert quotes("NGR502", TypeError, lambda: run("torch.tensor(1.0, require_grad=True)", torch=torch))
    for function in (torch.zeros_like, nn.Parameter):
        with pytest.raises(TypeError, match="unexpected keyword"):
            function(torch.zeros(2), require_grad=True)


def test_the_right_name_raises_where_the_tensor_is_no_leaf() -> None:
    output = model()(torch.ones(2, 3))
    output.require_grad = False  # type: ignore[attr-defined] # what the rule is about
    with pytest.raises(RuntimeError, match="leaf"):
        output.requires_grad = False


# --- NGR503 -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "each.requires_grad == False",
        "each.requires_grad_ == False",
        "each.requires_grad",
        "each.requires_grad_",
        "each.requires_grad_ = False",
    ],
)
def test_these_statements_freeze_nothing(statement: str) -> None:
    module = model()
    run(f"for each in module.parameters():\n    {statement}\n", module=module)
    assert trains(module)


def test_what_nobody_goes_through_freezes_nothing() -> None:
    module = model()
    run("map(lambda each: each.requires_grad_(False), module.parameters())", module=module)
    run("(each.requires_grad_(False) for each in module.parameters())", module=module)
    assert trains(module)
    module = model()
    run("list(map(lambda each: each.requires_grad_(False), module.parameters()))", module=module)
    assert not trains(module)


def test_a_compared_gradient_stays() -> None:
    weight = torch.ones(2, requires_grad=True)
    weight.sum().backward()
    run("weight.grad == None", weight=weight)
    assert weight.grad is not None


def test_what_several_parameters_raise_is_quoted() -> None:
    pairs = "for each in module.named_parameters():\n    each.requires_grad = False\n"
    assert quotes("NGR503", AttributeError, lambda: run(pairs, module=model()))
    assert quotes("NGR503", AttributeError, lambda: run("module.parameters().requires_grad_(False)", module=model()))
    for several in ("module.parameters()", "list(module.parameters())", "list(module.named_parameters())[0]"):
        with pytest.raises(AttributeError):
            run(f"{several}.requires_grad = False", module=model())


def test_a_flag_that_is_called_raises_what_is_quoted() -> None:
    assert quotes("NGR503", TypeError, lambda: run("x.requires_grad(True)", x=torch.zeros(2)))


# --- NGR504 -----------------------------------------------------------------------------


def test_a_discarded_detach_changes_nothing() -> None:
    output = model()(torch.ones(2, 3))
    output.detach()
    run("output.detach", output=output)
    assert output.requires_grad
    assert output.grad_fn is not None
    output = output.detach()
    assert not output.requires_grad


def test_views_are_not_detached_in_place() -> None:
    error = "Can't detach views in-place. Use detach() instead."
    assert error in PAGES["NGR504"]
    with pytest.raises(RuntimeError, match=re.escape(error)):
        model()(torch.ones(2, 3)).squeeze().detach_()


# --- NGR505 -----------------------------------------------------------------------------


def test_volatile_does_nothing_but_warn() -> None:
    weight = torch.ones(2, requires_grad=True)
    with pytest.warns(UserWarning, match="volatile was removed") as warned:
        data = Variable(torch.ones(2), volatile=True)
    assert (data * weight).requires_grad
    assert f"UserWarning: {warned[0].message}" in PAGES["NGR505"]
    with pytest.warns(UserWarning, match="volatile was removed"):
        data.volatile = True
    assert (data * weight).requires_grad


# --- NGR506 -----------------------------------------------------------------------------


def squared_after(read: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor | None:
    """The gradient of a square whose base was changed on the way, through what was read of it."""
    weight = torch.ones(2, requires_grad=True)
    base = weight * 3
    result = (base**2).sum()
    read(base).zero_()
    result.backward()
    return weight.grad


def test_autograd_notices_a_change_through_detach_alone() -> None:
    error = "one of the variables needed for gradient computation has been modified by an inplace operation"
    assert f"RuntimeError: {error}" in PAGES["NGR506"]
    with pytest.raises(RuntimeError, match=error):
        squared_after(torch.Tensor.detach)
    wrong = squared_after(lambda base: base.data)
    assert wrong is not None
    assert not wrong.any()


def test_a_loss_has_no_first_item() -> None:
    loss = model()(torch.ones(2, 3)).mean()
    with pytest.raises(IndexError) as caught:
        loss.data[0]
    message = str(caught.value).partition(" or ")[0]
    assert message
    assert f"IndexError: {message}" in PAGES["NGR506"]
    assert loss.item() == loss.data


def test_data_and_detach_give_the_same_numbers() -> None:
    output = model()(torch.ones(2, 3))
    assert torch.equal(output.data, output.detach())
    assert output.data.data_ptr() == output.detach().data_ptr() == output.data_ptr()


def test_a_packed_sequence_has_data_and_no_detach() -> None:
    packed = nn.utils.rnn.pack_padded_sequence(torch.ones(2, 1, 3), torch.tensor([2]))
    output, _ = nn.LSTM(3, 3)(packed)
    assert isinstance(output.data, torch.Tensor)
    assert not hasattr(output, "detach")


# --- the fixes --------------------------------------------------------------------------

FREEZING = [
    "module = torch.nn.Linear(3, 2)\nmodule.requires_grad = False\n",
    "module = torch.nn.Linear(3, 2)\nfor each in module.parameters():\n    each.require_grad = False\n",
    "module = torch.nn.Linear(3, 2)\nfor each in module.parameters():\n    each.requires_grad == False\n",
    "module = torch.nn.Linear(3, 2)\nfor each in module.parameters():\n    each.requires_grad_ = False\n",
    "module = torch.nn.Linear(3, 2)\nmodule.requires_grad_ = False\n",
]


@pytest.mark.parametrize("code", FREEZING)
def test_the_fixes_freeze(code: str) -> None:
    before = run(f"import torch\n\n{code}")["module"]
    assert isinstance(before, nn.Module)
    assert trains(before)
    after = run(mended(f"import torch\n\n{code}"))["module"]
    assert isinstance(after, nn.Module)
    assert not trains(after)


def test_the_fix_of_an_argument_runs() -> None:
    code = "import torch\n\nweight = torch.zeros(2, require_grad=True)\n"
    with pytest.raises(TypeError):
        run(code)
    weight = run(mended(code))["weight"]
    assert isinstance(weight, torch.Tensor)
    assert weight.requires_grad


def test_the_fix_of_detach_detaches() -> None:
    code = "import torch\n\nx = torch.ones(2, requires_grad=True)\ny = torch.relu(x)\ny.detach()\n"
    assert [each.code for each in check(Source.of(code))] == ["NGR504"]
    before, after = run(code)["y"], run(mended(code))["y"]
    assert isinstance(before, torch.Tensor)
    assert isinstance(after, torch.Tensor)
    assert before.requires_grad
    assert not after.requires_grad


def test_make_subclass_spells_it_otherwise() -> None:
    assert torch.Tensor._make_subclass(torch.Tensor, torch.ones(2), require_grad=True).requires_grad
    with pytest.raises(TypeError, match="requires_grad"):
        torch.Tensor._make_subclass(torch.Tensor, torch.ones(2), requires_grad=True)
