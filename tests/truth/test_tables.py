"""What ``torch_api``, ``torch_classes`` and ``torch_operations`` claim of torch, run on torch.

An entry without a sample fails: nothing stands unverified.
"""

from __future__ import annotations

import asyncio
import importlib
import multiprocessing
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from multiprocessing.pool import ThreadPool

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from flake8_nograd import torch_api, torch_classes, torch_operations
from flake8_nograd.grad import GradMode

pytestmark = pytest.mark.filterwarnings("ignore")
"""torch deprecates some of the names; that a file uses them is why they stand in the tables."""


def words(text: str) -> list[str]:
    return text.split()


# --- Samples --------------------------------------------------------------------------


def matrix() -> Tensor:
    """Symmetric, positive definite, entries in (0, 1): in the domain of nearly everything."""
    return torch.tensor([[0.9, 0.1, 0.2], [0.1, 0.8, 0.15], [0.2, 0.15, 0.7]])


RECEIVERS: dict[str, Callable[[], Tensor]] = {
    "matrix": matrix,
    "vector": lambda: torch.tensor([0.3, 0.6, 0.9]),
    "batch": lambda: torch.stack([matrix(), matrix()]),
    "signal": lambda: torch.linspace(0.1, 0.9, 64),
    "images": lambda: torch.linspace(0.1, 0.9, 2 * 4 * 8 * 8).reshape(2, 4, 8, 8),
    "sequences": lambda: torch.linspace(0.1, 0.9, 2 * 4 * 8).reshape(2, 4, 8),
    "volumes": lambda: torch.linspace(0.1, 0.9, 2 * 4 * 4 * 4 * 4).reshape(2, 4, 4, 4, 4),
    "complex": lambda: torch.complex(matrix(), matrix()),
    "pairs": lambda: torch.tensor([[0.1, 0.2], [0.3, 0.4]]),
    "scalar": lambda: torch.tensor(0.5),
    "integers": lambda: torch.tensor([6, 4, 2]),
    "half": lambda: matrix().half(),
    "bfloat16": lambda: matrix().bfloat16(),
    "double": lambda: matrix().double(),
    "cfloat": lambda: matrix().cfloat(),
    "cdouble": lambda: matrix().cdouble(),
    "chalf": lambda: matrix().to(torch.complex32),
    "slanted": lambda: matrix().t(),
}


@dataclass(frozen=True)
class Sample:
    receiver: str = "matrix"
    arguments: Callable[[], tuple[object, ...]] = tuple
    keywords: dict[str, object] = field(default_factory=dict)

    def make(self) -> Tensor:
        """A leaf; requires gradients unless it holds integers."""
        made = RECEIVERS[self.receiver]()
        return made.requires_grad_(made.is_floating_point() or made.is_complex())

    def method(self, on: Tensor, name: str) -> object:
        return getattr(on, name)(*self.arguments(), **self.keywords)

    def function(self, on: Tensor, name: str) -> object:
        return getattr(torch, name)(on, *self.arguments(), **self.keywords)


SAMPLES: dict[str, Sample] = {}
"""Of methods, and of the functions that take the receiver first."""


def sample(
    names: str, receiver: str = "matrix", arguments: Callable[[], tuple[object, ...]] = tuple, **keywords: object
) -> None:
    for name in words(names):
        assert name not in SAMPLES, name
        SAMPLES[name] = Sample(receiver, arguments, keywords)


def index() -> Tensor:
    return torch.tensor([[0, 1, 2], [2, 1, 0], [1, 1, 1]])


def rows() -> Tensor:
    return torch.tensor([0, 2, 1])


def where() -> Tensor:
    return torch.tensor([[True, False, True], [False, True, False], [True, True, True]])


sample(
    "abs absolute neg negative exp exp2 expm1 log log2 log10 log1p sqrt rsqrt square reciprocal sin cos tan asin acos "
    "atan sinh cosh tanh asinh acosh atanh arcsin arccos arctan arcsinh arccosh arctanh sinc deg2rad rad2deg angle erf "
    "erfc erfinv lgamma digamma i0 logit sigmoid relu sign sgn floor ceil round trunc fix frac nan_to_num sum mean "
    "prod std var norm max min amax amin aminmax median nanmedian mode sort msort nansum nanmean trace corrcoef cov "
    "diff clone hardshrink fliplr flipud rot90 tril triu diag diagflat diag_embed bernoulli inverse pinverse det "
    "logdet slogdet cholesky cholesky_inverse matrix_exp svd qr unique unique_consecutive conj_physical"
)
sample("polygamma", "matrix", lambda: (1,))
sample("mvlgamma", "matrix", lambda: (1,))
sample(
    "add sub subtract mul multiply div divide true_divide remainder fmod pow float_power atan2 arctan2 maximum minimum "
    "floor_divide heaviside nextafter igamma igammac "
    "fmax fmin hypot copysign xlogy logaddexp logaddexp2 matmul mm inner kron dist",
    "matrix",
    lambda: (matrix(),),
)
sample("ldexp", "matrix", lambda: (torch.tensor([1, 2, 3]),))
sample("bmm", "batch", lambda: (torch.ones(2, 3, 3),))
sample("mv", "matrix", lambda: (torch.ones(3),))
sample("dot vdot outer ger cross", "vector", lambda: (torch.ones(3),))
sample("addmm", "matrix", lambda: (matrix(), matrix()))
sample("addmv", "vector", lambda: (matrix(), torch.ones(3)))
sample("addr", "matrix", lambda: (torch.ones(3), torch.ones(3)))
sample("addbmm", "matrix", lambda: (torch.ones(2, 3, 3), torch.ones(2, 3, 3)))
sample("baddbmm", "batch", lambda: (torch.ones(2, 3, 3), torch.ones(2, 3, 3)))
sample("addcmul addcdiv", "matrix", lambda: (matrix(), matrix()))
sample("lerp", "matrix", lambda: (matrix(), 0.5))
sample("kthvalue topk", "matrix", lambda: (2,))
sample("quantile nanquantile", "matrix", lambda: (0.5,))
sample("logsumexp cumsum cumprod cummax cummin logcumsumexp softmax log_softmax", "matrix", lambda: (0,))
sample("renorm", "matrix", lambda: (2, 0, 1.0))
sample("clamp clip", "matrix", lambda: (0.2, 0.8))
sample("clamp_min clamp_max", "matrix", lambda: (0.5,))
sample("prelu", "matrix", lambda: (torch.tensor([0.1]),))
sample("gather", "matrix", lambda: (0, index()))
sample("scatter scatter_add", "matrix", lambda: (0, index(), matrix()))
sample("scatter_reduce", "matrix", lambda: (0, index(), matrix(), "sum"))
sample("index_select", "matrix", lambda: (0, rows()))
sample("index_add index_copy", "matrix", lambda: (0, rows(), matrix()))
sample("index_fill", "matrix", lambda: (0, torch.tensor([0]), 1.0))
sample("index_put", "matrix", lambda: ((torch.tensor([0]),), torch.ones(3)))
sample("index_reduce", "matrix", lambda: (0, rows(), matrix(), "mean"))
sample("masked_select", "matrix", lambda: (where(),))
sample("masked_fill", "matrix", lambda: (where(), 0.0))
sample("masked_scatter", "matrix", lambda: (where(), torch.ones(9)))
sample("take", "matrix", lambda: (torch.tensor([0, 4]),))
sample("take_along_dim", "matrix", lambda: (index(), 0))
sample("put", "matrix", lambda: (torch.tensor([0, 4]), torch.ones(2)))
sample("select_scatter", "matrix", lambda: (torch.ones(3), 0, 0))
sample("slice_scatter", "matrix", lambda: (torch.ones(1, 3), 0, 0, 1))
sample("diagonal_scatter", "matrix", lambda: (torch.ones(3),))
sample("repeat_interleave", "matrix", lambda: (2,))
sample("repeat tile", "matrix", lambda: (2, 1))
SAMPLES["tile"] = Sample("matrix", lambda: ((2, 1),))
sample("sum_to_size", "matrix", lambda: (1, 3))
sample("flip", "matrix", lambda: ((0,),))
sample("roll", "matrix", lambda: (1, 0))
sample("narrow narrow_copy", "matrix", lambda: (0, 0, 2))
sample("matrix_power", "matrix", lambda: (2,))
sample("cholesky_solve", "matrix", lambda: (matrix(),))
sample("triangular_solve", "matrix", lambda: (matrix(),))
sample("stft", "signal", lambda: (16,), window=torch.ones(16), return_complex=True)
# Views.
sample("view", "matrix", lambda: (9,))
sample("view_as expand_as reshape_as type_as", "matrix", lambda: (matrix(),))
sample("expand", "vector", lambda: (2, 3))
sample("broadcast_to", "vector", lambda: ((2, 3),))
sample("t squeeze adjoint diagonal flatten ravel contiguous conj resolve_conj resolve_neg positive unbind")
sample("transpose swapaxes swapdims movedim moveaxis", "matrix", lambda: (0, 1))
sample("permute", "matrix", lambda: ((1, 0),))
sample("unsqueeze", "matrix", lambda: (0,))
sample("unflatten", "matrix", lambda: (0, (3, 1)))
sample("select", "matrix", lambda: (0, 1))
sample("as_strided", "matrix", lambda: ((2, 2), (3, 1)))
sample("unfold", "matrix", lambda: (0, 2, 1))
sample("chunk split tensor_split hsplit vsplit", "matrix", lambda: (3,))
sample("split_with_sizes", "matrix", lambda: ([1, 2],))
sample("dsplit", "batch", lambda: (3,))
sample("reshape", "matrix", lambda: ((9,),))
sample("to", "matrix", lambda: ("cpu",))
sample("type", "matrix", lambda: (torch.float32,))
sample("float cpu cuda xpu")
sample("double", "double")
sample("half", "half")
sample("bfloat16", "bfloat16")
sample("cfloat", "cfloat")
sample("cdouble", "cdouble")
sample("chalf", "chalf")
# No gradient.
sample("argmax argmin argsort argwhere nonzero count_nonzero isnan isinf isfinite isneginf")
sample("isposinf isreal signbit all any bool int long short byte char logical_not")
sample("nonzero_static", size=9)
sample("eq ne gt ge lt le not_equal greater greater_equal less less_equal isclose isin", "matrix", lambda: (matrix(),))
sample("logical_and logical_or logical_xor", "matrix", lambda: (matrix(),))
sample("bitwise_and bitwise_or bitwise_xor gcd lcm", "integers", lambda: (torch.tensor([1, 2, 3]),))
sample("bitwise_left_shift bitwise_right_shift", "integers", lambda: (1,))
sample("bitwise_not bincount", "integers")
sample("multinomial", "matrix", lambda: (2,))
sample("bucketize", "matrix", lambda: (torch.tensor([0.0, 0.5]),))
sample("searchsorted", "vector", lambda: (torch.tensor([0.5]),))
sample("zeros_like ones_like empty_like rand_like randn_like")
sample("full_like", "matrix", lambda: (1.0,))
sample("randint_like", "matrix", lambda: (5,))
sample("new_tensor", "matrix", lambda: ([1.0],))
sample("new_zeros new_ones new_empty", "matrix", lambda: (2,))
sample("new_full", "matrix", lambda: ((2,), 1.0))
sample("new_empty_strided", "matrix", lambda: ((2,), (1,)))
# Python values.
sample("item", "scalar")
sample("is_nonzero", "scalar")
sample(
    "tolist numpy size dim numel nelement ndimension stride storage_offset element_size data_ptr is_contiguous "
    "is_floating_point is_complex is_signed is_pinned is_shared is_inference is_conj is_neg get_device storage "
    "untyped_storage dense_dim sparse_dim is_tensor"
)
sample("allclose equal is_same_size is_set_to result_type", "matrix", lambda: (matrix(),))
# Only in place.
sample("copy", "matrix", lambda: (matrix(),))
sample("fill", "matrix", lambda: (1.0,))
sample("zero uniform random cauchy log_normal exponential normal detach")
sample("fill_diagonal geometric", "matrix", lambda: (0.5,))


FUNCTION_SAMPLES: dict[str, Callable[[Tensor], object]] = {
    "where": lambda x: torch.where(where(), x, x),
    "cat": lambda x: torch.cat([x, x]),
    "concat": lambda x: torch.concat([x, x]),
    "concatenate": lambda x: torch.concatenate([x, x]),
    "stack": lambda x: torch.stack([x, x]),
    "hstack": lambda x: torch.hstack([x, x]),
    "vstack": lambda x: torch.vstack([x, x]),
    "dstack": lambda x: torch.dstack([x, x]),
    "column_stack": lambda x: torch.column_stack([x, x]),
    "row_stack": lambda x: torch.row_stack([x, x]),
    "block_diag": lambda x: torch.block_diag(x, x),
    "cartesian_prod": lambda x: torch.cartesian_prod(x[0], x[1]),
    "combinations": lambda x: torch.combinations(x[0]),
    "einsum": lambda x: torch.einsum("ij,jk->ik", x, x),
    "tensordot": lambda x: torch.tensordot(x, x, 1),
    "chain_matmul": lambda x: torch.chain_matmul(x, x),
    "bilinear": lambda x: torch.bilinear(x, x, torch.ones(2, 3, 3)),
    "cdist": lambda x: torch.cdist(x, matrix()),
    "pdist": lambda x: torch.pdist(x),
    "cosine_similarity": lambda x: torch.cosine_similarity(x, matrix()),
    "pairwise_distance": lambda x: torch.pairwise_distance(x, matrix()),
    "std_mean": lambda x: torch.std_mean(x),
    "var_mean": lambda x: torch.var_mean(x),
    "complex": lambda x: torch.complex(x, x),
    "polar": lambda x: torch.polar(x, x),
    "rsub": lambda x: torch.rsub(x, x),
    "vander": lambda x: torch.vander(x[0]),
    "trapz": lambda x: torch.trapz(x),
    "trapezoid": lambda x: torch.trapezoid(x),
    "cumulative_trapezoid": lambda x: torch.cumulative_trapezoid(x),
    "selu": lambda x: torch.selu(x),
    "celu": lambda x: torch.celu(x),
    "rrelu": lambda x: torch.rrelu(x),
    "threshold": lambda x: torch.threshold(x, 0.1, 0.0),
    "dropout": lambda x: torch.dropout(x, 0.5, True),
    "alpha_dropout": lambda x: torch.alpha_dropout(x, 0.5, True),
    "feature_dropout": lambda x: torch.feature_dropout(x, 0.5, True),
    "feature_alpha_dropout": lambda x: torch.feature_alpha_dropout(x, 0.5, True),
    "conv1d": lambda x: torch.conv1d(x[None], torch.ones(2, 3, 2)),
    "conv2d": lambda x: torch.conv2d(x[None, None], torch.ones(2, 1, 2, 2)),
    "conv3d": lambda x: torch.conv3d(x[None, None, None], torch.ones(2, 1, 1, 2, 2)),
    "conv_transpose1d": lambda x: torch.conv_transpose1d(x[None], torch.ones(3, 2, 2)),
    "conv_transpose2d": lambda x: torch.conv_transpose2d(x[None, None], torch.ones(1, 2, 2, 2)),
    "conv_transpose3d": lambda x: torch.conv_transpose3d(x[None, None, None], torch.ones(1, 2, 1, 2, 2)),
    "max_pool1d": lambda x: torch.max_pool1d(x[None], 2),
    "max_pool2d": lambda x: torch.max_pool2d(x[None, None], 2),
    "max_pool3d": lambda x: torch.max_pool3d(x[None, None, None], (1, 2, 2)),
    "avg_pool1d": lambda x: torch.avg_pool1d(x[None], 2),
    "adaptive_avg_pool1d": lambda x: torch.adaptive_avg_pool1d(x[None], 2),
    "batch_norm": lambda x: torch.batch_norm(x, None, None, None, None, True, 0.1, 1e-5, False),
    "layer_norm": lambda x: torch.layer_norm(x, (3,)),
    "group_norm": lambda x: torch.group_norm(x, 1),
    "instance_norm": lambda x: torch.instance_norm(x[None], None, None, None, None, True, 0.1, 1e-5, False),
    "rms_norm": lambda x: torch.rms_norm(x, (3,)),
    "embedding": lambda x: torch.embedding(x, torch.tensor([0])),
    "binary_cross_entropy_with_logits": lambda x: torch.binary_cross_entropy_with_logits(x, matrix()),
    "kl_div": lambda x: torch.kl_div(x, matrix()),
    "ctc_loss": lambda x: torch.ctc_loss(
        x.log_softmax(1)[:, None], torch.tensor([[1]]), torch.tensor([3]), torch.tensor([1])
    ),
    "margin_ranking_loss": lambda x: torch.margin_ranking_loss(x, matrix(), torch.ones(3, 3)),
    "triplet_margin_loss": lambda x: torch.triplet_margin_loss(x, matrix(), matrix() * 2),
    "cosine_embedding_loss": lambda x: torch.cosine_embedding_loss(x, matrix(), torch.ones(3)),
    "hinge_embedding_loss": lambda x: torch.hinge_embedding_loss(x, torch.ones(3, 3)),
    "poisson_nll_loss": lambda x: torch.poisson_nll_loss(x, matrix(), True, False, 1e-8, 1),
    "pixel_shuffle": lambda x: torch.pixel_shuffle(x.reshape(9, 1, 1), 3),
    "pixel_unshuffle": lambda x: torch.pixel_unshuffle(x[None], 3),
    "channel_shuffle": lambda x: torch.channel_shuffle(x.reshape(1, 3, 3, 1), 3),
    "grid_sampler": lambda x: torch.grid_sampler(x[None, None], torch.zeros(1, 1, 1, 2), 0, 0, True),
    "istft": lambda x: torch.istft(
        torch.stft(x.flatten(), 4, window=torch.ones(4), return_complex=True), 4, window=torch.ones(4)
    ),
    "stft": lambda x: torch.stft(x.flatten(), 4, window=torch.ones(4), return_complex=True),
    "split_with_sizes": lambda x: torch.split_with_sizes(x, [1, 2]),
    "real": lambda x: torch.real(x.cfloat()),
    "imag": lambda x: torch.imag(x.cfloat()),
    "view_as_real": lambda x: torch.view_as_real(x.cfloat()),
    "view_as_complex": lambda x: torch.view_as_complex(x[:, :2].contiguous()),
    "polygamma": lambda x: torch.polygamma(1, x),
    "unique_consecutive": lambda x: torch.unique_consecutive(x),
    "broadcast_tensors": lambda x: torch.broadcast_tensors(x, torch.ones(2, 1, 1)),
    "meshgrid": lambda x: torch.meshgrid(x[0], x[1], indexing="ij"),
    "atleast_1d": lambda x: torch.atleast_1d(x),
    "atleast_2d": lambda x: torch.atleast_2d(x),
    "atleast_3d": lambda x: torch.atleast_3d(x),
    "searchsorted": lambda x: torch.searchsorted(x, x),
    "isin": lambda x: torch.isin(x, x),
    "unique": lambda x: torch.unique(x),
    "is_grad_enabled": lambda x: torch.is_grad_enabled(),
    "is_inference_mode_enabled": lambda x: torch.is_inference_mode_enabled(),
    "can_cast": lambda x: torch.can_cast(x.dtype, torch.float64),
}
"""Functions that take something else than the tensor and what its method takes."""


def tensors(result: object) -> Iterator[Tensor]:
    """The tensors of a result, nested ones too."""
    if isinstance(result, Tensor):
        yield result
    elif isinstance(result, tuple | list):
        for each in result:
            yield from tensors(each)


def first(result: object) -> Tensor:
    return next(tensors(result))


def run_method(name: str) -> tuple[Tensor, object]:
    assert name in SAMPLES, f"no sample for {name}"
    made = SAMPLES[name].make()
    return made, SAMPLES[name].method(made, name)


def run_function(name: str) -> tuple[Tensor, object]:
    if name in FUNCTION_SAMPLES:
        made = Sample().make()
        return made, FUNCTION_SAMPLES[name](made)
    assert name in SAMPLES, f"no sample for {name}"
    made = SAMPLES[name].make()
    return made, SAMPLES[name].function(made, name)


def share(one: Tensor, other: Tensor) -> bool:
    return one.untyped_storage().data_ptr() == other.untyped_storage().data_ptr()


def each(names: frozenset[str] | dict[str, object], *but: str) -> pytest.MarkDecorator:
    assert set(but) <= set(names)
    return pytest.mark.parametrize("name", sorted(set(names) - set(but)))


# --- Views ----------------------------------------------------------------------------


@each(torch_operations.VIEW_METHODS)
def test_a_view_shares_memory_and_loses_its_graph_under_no_grad(name: str) -> None:
    made, result = run_method(name)
    for view in tensors(result):
        assert share(view, made)
        assert view.requires_grad
        assert view.grad_fn is not None
    with torch.no_grad():
        made, result = run_method(name)
    for view in tensors(result):
        assert share(view, made)
        assert view.grad_fn is None
        assert view.requires_grad, "the trap: it still says that it requires gradients"


@each(torch_operations.VIEW_ATTRIBUTES)
def test_a_view_by_attribute(name: str) -> None:
    made = Sample("complex").make()
    assert share(getattr(made, name), made)
    assert getattr(made, name).grad_fn is not None


@each(torch_operations.VIEW_FUNCTIONS)
def test_functions_that_give_views(name: str) -> None:
    made, result = run_function(name)
    assert first(result).requires_grad
    assert all(view._is_view() for view in tensors(result))
    if name not in {"real", "imag", "view_as_real", "view_as_complex"}:  # Their sample is converted first.
        assert share(first(result), made)


ON_ANOTHER_DEVICE = ("cuda", "xpu")
"""Cannot be run here: they copy from another device, and give the tensor itself on their own."""

COPIED: dict[str, Callable[[Tensor], object]] = {
    "reshape": lambda x: x.reshape(9),
    "reshape_as": lambda x: x.reshape_as(torch.ones(9)),
    "flatten": lambda x: x.flatten(),
    "ravel": lambda x: x.ravel(),
    "contiguous": lambda x: x.contiguous(),
    "conj": lambda x: x.conj(),
    "resolve_conj": lambda x: x.cfloat().conj().resolve_conj(),
    "resolve_neg": lambda x: x.cfloat().conj().imag.resolve_neg(),
    "positive": lambda x: x.positive(),
    "to": lambda x: x.to(torch.float64),
    "type": lambda x: x.type(torch.float64),
    "type_as": lambda x: x.type_as(torch.ones(1).double()),
    "float": lambda x: x.double().float(),
    "cpu": lambda x: x.cpu(),
    **{
        name: (lambda x, name=name: getattr(x, name)())
        for name in ("double", "half", "bfloat16", "cfloat", "cdouble", "chalf")
    },
}
"""Of a transposed float tensor, each gives a copy, or (``cpu``, ``conj``, ``positive``) the tensor itself."""


@each(torch_operations.MAYBE_VIEW_METHODS, *ON_ANOTHER_DEVICE)
def test_what_may_be_a_view_is_one_at_times_and_not_at_others(name: str) -> None:
    made, result = run_method(name)
    assert share(first(result), made)
    assert first(result).requires_grad
    assert name in COPIED, f"no sample for {name}"
    slanted = Sample("slanted").make()
    other = first(COPIED[name](slanted))
    assert other is slanted or not share(other, slanted)
    assert other.requires_grad
    with torch.no_grad():
        made, result = run_method(name)
        assert first(result).requires_grad, "the tensor itself, or a view, is still attached"


def test_conversions_to_another_device_are_methods() -> None:
    for name in ON_ANOTHER_DEVICE:
        assert callable(getattr(Tensor, name))


@each(torch_operations.MAYBE_VIEW_FUNCTIONS)
def test_functions_that_may_give_views(name: str) -> None:
    made, result = run_function(name)
    assert share(first(result), made)
    assert all(each.requires_grad for each in tensors(result))


def runs_of(name: str) -> list[Callable[[str], tuple[Tensor, object]]]:
    """The ways to run what is a method, a function, or both."""
    runs = [run for run, owner in ((run_method, Tensor), (run_function, torch)) if callable(getattr(owner, name, None))]
    assert runs
    return runs


@each(torch_operations.NEVER_ITSELF)
def test_what_gives_a_new_tensor_in_any_case(name: str) -> None:
    for run in runs_of(name):
        made, result = run(name)
        assert first(result) is not made


@each(torch_operations.INTEGERS)
def test_integers_have_no_graph(name: str) -> None:
    made = torch.ones(2, requires_grad=True).to(getattr(torch, name.removeprefix("torch.")))
    assert not made.requires_grad
    assert made.is_leaf


@each(torch_operations.ONE_FOR_EACH)
def test_functions_that_give_a_tensor_for_each(name: str) -> None:
    for given in (
        [torch.ones(2, requires_grad=True), torch.ones(2)],
        [torch.ones(2), torch.ones(2, requires_grad=True)],
    ):
        made = getattr(torch, name)(*given)
        assert [each.requires_grad for each in made] == [each.requires_grad for each in given]


def test_a_checkpoint_runs_without_gradients_first_and_once_more_with_them() -> None:
    modes = []

    def run(x: Tensor) -> Tensor:
        modes.append(torch.is_grad_enabled())
        return x * 2

    checkpoint(run, torch.ones(2, requires_grad=True), use_reentrant=True).sum().backward()
    assert modes == [False, True]


def test_dropout_that_drops_nothing_gives_the_tensor_itself() -> None:
    x = torch.ones(3)
    assert torch.nn.functional.dropout(x, training=False) is x
    assert x.float() is x


# --- Gradients ------------------------------------------------------------------------


@each(torch_operations.NON_DIFFERENTIABLE)
def test_a_result_without_a_graph(name: str) -> None:
    for run in runs_of(name):
        _, result = run(name)
        assert list(tensors(result))
        assert not any(each.requires_grad for each in tensors(result))


@each(torch_operations.PLAIN_METHODS, "numpy")
def test_a_result_that_is_no_tensor(name: str) -> None:
    _, result = run_method(name)
    assert not list(tensors(result))


def test_numpy_refuses_a_tensor_that_requires_gradients_except_under_no_grad() -> None:
    with pytest.raises(RuntimeError, match="requires grad"):
        run_method("numpy")
    with torch.no_grad():
        _, result = run_method("numpy")
    assert not list(tensors(result))


@pytest.mark.parametrize(
    "take",
    [
        np.array,
        np.argmax,
        np.exp,
        lambda x: np.array([x, x]),
        lambda x: np.stack([x, x]),
        lambda x: np.concatenate([[1.0], x]),
        lambda x: np.append([1.0], x.sum()),
    ],
)
def test_functions_of_numpy_refuse_a_tensor_that_requires_gradients(take: Callable[[Tensor], object]) -> None:
    made = torch.ones(2, requires_grad=True) * 2
    with pytest.raises(RuntimeError, match="requires grad"):
        take(made)
    take(made.detach())


@each(torch_operations.PLAIN_FUNCTIONS)
def test_functions_that_give_no_tensor(name: str) -> None:
    _, result = run_function(name)
    assert not list(tensors(result))


@each(torch_operations.PLAIN_ATTRIBUTES)
def test_an_attribute_that_is_no_tensor(name: str) -> None:
    made = Sample().make()
    assert not isinstance(getattr(made * 1, name), Tensor)


@each(torch_classes.PLAIN_ATTRIBUTES_OF_LAYERS)
def test_an_attribute_of_a_layer_that_is_a_number(name: str) -> None:
    layers = [each for each in (torch.nn.Linear(2, 3), torch.nn.Embedding(4, 3, padding_idx=0)) if hasattr(each, name)]
    assert layers
    assert all(isinstance(getattr(each, name), int) for each in layers)


@each(torch_operations.DETACHING)
def test_detaching(name: str) -> None:
    made = Sample().make() * 1
    result = getattr(made, name)
    result = result() if callable(result) else result
    assert not result.requires_grad
    assert share(result, made)
    assert made.requires_grad is (name != "detach_")


METHODS_OF_OTHERS = {
    "where": lambda x: x.where(where(), x),
    "istft": FUNCTION_SAMPLES["istft"],
    "stft": FUNCTION_SAMPLES["stft"],
}


@each(torch_operations.DIFFERENTIABLE_METHODS)
def test_a_method_records_with_gradients_on_and_only_then(name: str) -> None:
    def run() -> Tensor:
        if name in METHODS_OF_OTHERS:
            return first(METHODS_OF_OTHERS[name](Sample().make()))
        return first(run_method(name)[1])

    assert callable(getattr(Tensor, name))
    assert run().requires_grad
    for off in (torch.no_grad(), torch.inference_mode()):
        with off:
            assert not run().requires_grad


@each(torch_operations.DIFFERENTIABLE_FUNCTIONS)
def test_a_function_records_with_gradients_on_and_only_then(name: str) -> None:
    assert torch_operations.is_differentiable_function(f"torch.{name}")
    assert first(run_function(name)[1]).requires_grad
    with torch.no_grad():
        assert not first(run_function(name)[1]).requires_grad


@each(torch_operations.NOT_DIFFERENTIABLE_WITHIN)
def test_exceptions_in_packages_of_differentiable_functions(name: str) -> None:
    argument: object = 4 if "freq" in name else Sample().make().long() if name.endswith("one_hot") else Sample().make()
    assert not resolve(name)(argument).requires_grad
    assert not torch_operations.is_differentiable_function(name)


def test_packages_of_differentiable_functions() -> None:
    x = Sample().make()
    assert torch.nn.functional.relu(x).requires_grad
    assert torch.special.expit(x).requires_grad
    assert torch.linalg.norm(x).requires_grad
    assert torch.fft.fft(x).requires_grad
    for name in ("torch.nn.functional.relu", "torch.special.expit", "torch.linalg.norm", "torch.fft.fft"):
        assert torch_operations.is_differentiable_function(name)
    assert not torch_operations.is_differentiable_function("torch.argmax")


# --- Factories ------------------------------------------------------------------------

FACTORY_SAMPLES: dict[str, Callable[..., Tensor]] = {
    "tensor": lambda **k: torch.tensor([1.0], **k),
    "scalar_tensor": lambda **k: torch.scalar_tensor(1.0, **k),
    "full": lambda **k: torch.full((2,), 1.0, **k),
    "arange": lambda **k: torch.arange(2.0, **k),
    "range": lambda **k: torch.range(0.0, 2.0, **k),
    "linspace": lambda **k: torch.linspace(0, 1, 3, **k),
    "logspace": lambda **k: torch.logspace(0, 1, 3, **k),
    "randint": lambda **k: torch.randint(2, (2,), dtype=torch.float32, **k),
    "randperm": lambda **k: torch.randperm(2, dtype=torch.float32, **k),
    "normal": lambda **k: torch.normal(0.0, 1.0, (2,), **k),
    "empty_strided": lambda **k: torch.empty_strided((2,), (1,), **k),
    "empty_permuted": lambda **k: torch.empty_permuted((2,), (0,), **k),
    "full_like": lambda **k: torch.full_like(Sample().make(), 1.0, **k),
    "randint_like": lambda **k: torch.randint_like(Sample().make(), 5, **k),
    "from_numpy": lambda **k: torch.from_numpy(pytest.importorskip("numpy").ones(2), **k),
    "frombuffer": lambda **k: torch.frombuffer(bytearray(4), dtype=torch.float32, **k),
    "tril_indices": lambda **k: torch.tril_indices(2, 2, **k),
    "triu_indices": lambda **k: torch.triu_indices(2, 2, **k),
    **{
        name: (lambda name=name, **k: getattr(torch, name)(3, **k))
        for name in words(
            "zeros ones empty eye rand randn hann_window hamming_window blackman_window bartlett_window kaiser_window "
            "Tensor FloatTensor DoubleTensor LongTensor IntTensor ByteTensor BoolTensor"
        )
    },
    **{
        name: (lambda name=name, **k: getattr(torch, name)(Sample().make(), **k))
        for name in ("zeros_like", "ones_like", "empty_like", "rand_like", "randn_like")
    },
}


@each(torch_operations.ALIASING)
def test_an_alias_of_a_tensor_has_its_graph(name: str) -> None:
    make = getattr(torch, name.rsplit(".", 1)[-1])
    kind = torch.float64 if name.endswith("DoubleTensor") else torch.float32
    x = torch.ones(3, requires_grad=True, dtype=kind)
    alias = make(x * 2)
    assert alias.grad_fn is not None
    alias.sum().backward()
    assert x.grad is not None
    assert make(x).grad_fn is not None
    assert make(3.0 * np.ones(2)).grad_fn is None


@each(torch_operations.FACTORIES)
def test_a_factory_makes_a_leaf_without_a_graph(name: str) -> None:
    assert name in FACTORY_SAMPLES, f"no sample for {name}"
    made = FACTORY_SAMPLES[name]()
    assert made.is_leaf
    assert not made.requires_grad


def test_as_tensor_keeps_the_graph_and_is_no_factory() -> None:
    x = Sample().make()
    assert torch.as_tensor(x).requires_grad
    assert torch.asarray(x).requires_grad
    assert not {"as_tensor", "asarray"} & torch_operations.FACTORIES


# --- In place -------------------------------------------------------------------------

ON_LEAF = "a leaf Variable that requires grad|a view of a leaf Variable that requires grad"

IN_PLACE_SAMPLES: dict[str, Callable[[Tensor], object]] = {
    "requires_grad_": lambda x: x.requires_grad_(),
    "float_power_": lambda x: x.detach().double().requires_grad_().float_power_(2),
    "resize_as_": lambda x: x.resize_as_(torch.ones(2, 2)),
    "resize_as_sparse_": lambda x: sparse(x).resize_as_sparse_(sparse(torch.ones(4, 4))),
    "sparse_resize_": lambda x: sparse(x).sparse_resize_((4, 4), 2, 0),
    "sparse_resize_and_clear_": lambda x: sparse(x).sparse_resize_and_clear_((4, 4), 2, 0),
    "apply_": lambda x: x.apply_(abs),
    "map_": lambda x: x.map_(matrix(), lambda a, b: a),
    "map2_": lambda x: x.map2_(matrix(), matrix(), lambda a, b, c: a),
    "resize_": lambda x: x.resize_(2, 2),
    "set_": lambda x: x.set_(matrix()),
    "detach_": lambda x: x.detach_(),
    "share_memory_": lambda x: x.share_memory_(),
    "index_put_": lambda x: x.index_put_((torch.tensor([0]),), torch.ones(3)),
}


def sparse(x: Tensor) -> Tensor:
    return x.detach().to_sparse().requires_grad_()


def in_place(name: str) -> None:
    if name in IN_PLACE_SAMPLES:
        IN_PLACE_SAMPLES[name](Sample().make())
        return
    base = name.removesuffix("_")
    assert base in SAMPLES, f"no sample for {name}"
    SAMPLES[base].method(SAMPLES[base].make(), name)


ON_INTEGERS = {
    name for name in vars(torch._C.TensorBase) if name.startswith(("bitwise_", "gcd_", "lcm_")) and name.endswith("_")
}
"""Integers cannot require gradients."""


@each({name for name in dir(Tensor) if torch_operations.changes_in_place(name)} - ON_INTEGERS)
def test_a_leaf_that_requires_gradients_takes_it_only_under_no_grad(name: str) -> None:
    with pytest.raises(RuntimeError, match=ON_LEAF):
        in_place(name)
    with torch.no_grad():
        in_place(name)


def test_a_method_that_torch_no_longer_has() -> None:
    assert not hasattr(Tensor, "rename_")


@each(torch_operations.NOT_IN_PLACE, "rename_")
def test_ends_in_an_underscore_and_is_none_of_that(name: str) -> None:
    assert not torch_operations.changes_in_place(name)
    try:
        in_place(name)
    except (RuntimeError, TypeError) as error:
        refused = str(error)
    else:
        return
    assert "leaf Variable" not in refused
    with torch.no_grad(), pytest.raises((RuntimeError, TypeError)):
        in_place(name)


def test_augmented_names_are_no_methods() -> None:
    assert not torch_operations.changes_in_place("__iadd__")
    assert not torch_operations.changes_in_place("__add__")
    assert not torch_operations.changes_in_place("_")
    assert not torch_operations.changes_in_place("add")


def test_foreach_functions_change_the_tensors_of_a_list() -> None:
    leaf = Sample().make()
    with pytest.raises(RuntimeError, match=ON_LEAF):
        torch._foreach_add_([leaf], 1.0)
    with torch.no_grad():
        torch._foreach_add_([leaf], 1.0)
    assert torch_operations.FOREACH_PREFIX == "torch._foreach_"


# --- Names ----------------------------------------------------------------------------


def resolve(name: str) -> object:
    """The object of a dotted name, importing what is needed."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:length]))
        except ImportError:
            continue
        for part in parts[length:]:
            found = getattr(found, part)
        return found
    raise ImportError(name)


OTHER_PACKAGES = ("accelerate.", "transformers.", "lightning", "pytorch_lightning.")
"""Their names are not verified here: the project does not install them."""


def torch_names(names: frozenset[str] | dict[str, object]) -> list[str]:
    return sorted(name for name in names if name.startswith(("torch.", "functorch.")))


@pytest.mark.parametrize("name", torch_names(torch_api.ALIASES))
def test_an_alias_is_the_same_thing(name: str) -> None:
    alias, canonical = resolve(name), resolve(torch_api.ALIASES[name])
    if name == "torch.Tensor.backward":
        return  # A method and a function: both are what starts the backward pass.
    assert torch_api.canonical(name) == torch_api.ALIASES[name]
    if name == "functorch.vmap":
        return  # The older function, with the same meaning.
    assert alias is canonical or (isinstance(alias, type) and issubclass(alias, canonical))


def test_what_is_not_verified_belongs_to_other_packages() -> None:
    assert all(name.startswith(OTHER_PACKAGES) for name in set(torch_api.ALIASES) - set(torch_names(torch_api.ALIASES)))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("torch.no_grad", "torch.no_grad"),
        ("torch.autograd.grad_mode.no_grad", "torch.no_grad"),
        ("torch.nn.modules.module.Module.eval", "torch.nn.Module.eval"),
        ("torch.nn.modules.Module", "torch.nn.Module"),
        ("torch.nn.modules.utils", "torch.nn.modules.utils"),
        ("torch.optim.optimizer.Optimizer", "torch.optim.Optimizer"),
        ("torch.optim.lr_scheduler.StepLR", "torch.optim.lr_scheduler.StepLR"),
        ("torch.optim.swa_utils.AveragedModel", "torch.optim.swa_utils.AveragedModel"),
        ("torch.autograd.variable.Variable", "torch.autograd.Variable"),
        ("torch.cuda.amp.GradScaler", "torch.amp.GradScaler"),
        ("pytorch_lightning.LightningModule", "lightning.LightningModule"),
        ("pytorch_lightning.core.lightning.LightningModule", "lightning.LightningModule"),
        ("lightning.pytorch.callbacks.Callback", "lightning.Callback"),
        ("lightning.pytorch.seed_everything", "lightning.seed_everything"),
        ("lightning.fabric.Fabric", "lightning.Fabric"),
        ("functorch.jacrev", "torch.func.jacrev"),
        ("numpy.zeros", "numpy.zeros"),
        ("", ""),
    ],
)
def test_canonical(name: str, expected: str) -> None:
    assert torch_api.canonical(name) == expected
    assert torch_api.canonical(expected) == expected


def classes_below(package: str) -> Iterator[tuple[str, str]]:
    """Every public class of the submodules of a package, with the module it is defined in."""
    owner = importlib.import_module(package)
    for path in vars(owner).values():
        if type(path) is type(owner) and path.__name__.startswith(package + "."):
            for name, value in vars(path).items():
                if isinstance(value, type) and value.__module__ == path.__name__ and name[:1].isupper():
                    yield path.__name__, name


@pytest.mark.parametrize("package", ["torch.nn.modules", "torch.optim"])
def test_collapsing_a_submodule_finds_the_same_class(package: str) -> None:
    pairs = list(classes_below(package))
    assert pairs
    for module, name in pairs:
        full = f"{module}.{name}"
        short = torch_api.canonical(full)
        if short != full and hasattr(resolve(short.rpartition(".")[0]), name):
            assert resolve(short) is resolve(full)


@pytest.mark.parametrize("module", ["torch", "torch.autograd", "torch.nn", "torch.nn.functional", "torch.optim"])
def test_what_a_star_binds(module: str) -> None:
    bound: dict[str, object] = {}
    exec(f"from {module} import *", bound)
    assert torch_api.star_names(module)
    assert torch_api.star_names(module) <= set(bound)


def test_stars_elsewhere_bind_nothing_of_interest() -> None:
    assert torch_api.star_names("numpy") == frozenset()
    assert "no_grad" in torch_api.star_names("torch")
    # torch.__all__ lacks it.
    assert "set_grad_enabled" not in torch_api.star_names("torch")


# --- Switches and contexts ------------------------------------------------------------


def current() -> GradMode:
    if torch.is_inference_mode_enabled():
        return GradMode.INFERENCE
    return GradMode.ON if torch.is_grad_enabled() else GradMode.OFF


ENTER = {GradMode.ON: nullcontext, GradMode.OFF: torch.no_grad, GradMode.INFERENCE: torch.inference_mode}


@each(torch_api.SWITCHES)
@pytest.mark.parametrize("before", ENTER, ids=lambda mode: str(mode.name))
def test_a_switch_does_what_its_shift_says(name: str, before: GradMode) -> None:
    shift = torch_api.SWITCHES[name]
    if shift is None:
        assert name == "torch.set_grad_enabled"
        with torch.set_grad_enabled(False):
            assert current() is GradMode.OFF
        with torch.set_grad_enabled(True):
            assert current() is GradMode.ON
        return
    with ENTER[before](), resolve(name)():
        x = Sample().make() if current() is not GradMode.INFERENCE else matrix()
        after = current()
        assert shift.of(before) is after
        assert (x * 2).requires_grad is (after is GradMode.ON)


CONTEXT_SAMPLES: dict[str, Callable[[], object]] = {
    "torch.autocast": lambda: torch.autocast("cpu"),
    "torch.amp.autocast": lambda: torch.amp.autocast("cpu"),
    "torch.cuda.amp.autocast": lambda: torch.cuda.amp.autocast(enabled=False),
    "torch.device": lambda: torch.device("cpu"),
    "torch.random.fork_rng": lambda: torch.random.fork_rng(devices=[]),
    "torch.autograd.set_detect_anomaly": lambda: torch.autograd.set_detect_anomaly(False),
    "torch.autograd.set_multithreading_enabled": lambda: torch.autograd.set_multithreading_enabled(True),
    "torch.autograd.graph.saved_tensors_hooks": lambda: torch.autograd.graph.saved_tensors_hooks(id, id),
    "torch.autograd.profiler.record_function": lambda: torch.autograd.profiler.record_function("x"),
    "torch.autograd.profiler.emit_nvtx": lambda: torch.autograd.profiler.emit_nvtx(enabled=False),
    "torch.profiler.record_function": lambda: torch.profiler.record_function("x"),
    "torch.cuda.device": lambda: torch.cuda.device(-1),
    "torch.cuda.device_of": lambda: torch.cuda.device_of(matrix()),
    "torch.cuda.stream": lambda: torch.cuda.stream(None),
    "torch.backends.mkl.verbose": lambda: torch.backends.mkl.verbose(0),
    "torch.backends.mkldnn.verbose": lambda: torch.backends.mkldnn.verbose(0),
    "torch.nn.attention.sdpa_kernel": lambda: torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH),
    **{
        name: (lambda name=name: resolve(name)())
        for name in words(
            "torch.autograd.detect_anomaly torch.autograd.graph.save_on_cpu torch.autograd.profiler.profile "
            "torch.autograd.graph.allow_mutation_on_saved_tensors torch.profiler.profile torch.backends.cudnn.flags "
            "torch.backends.mkldnn.flags torch.backends.cuda.sdp_kernel torch.nn.utils.parametrize.cached"
        )
    },
}
NEED_A_DEVICE = {"torch.cuda.Stream", "torch.cuda.graph", "torch.cuda.nvtx.range", "torch.cuda.profiler.profile"}
NEED_FILES = {"torch.utils.tensorboard.SummaryWriter", "torch.multiprocessing.Pool"}
"""A writer of logs and a pool of processes: no switch could hide there."""


@pytest.mark.parametrize("name", sorted(set(torch_names(torch_api.NEUTRAL_CONTEXTS)) - NEED_FILES - NEED_A_DEVICE))
def test_a_neutral_context_leaves_grad_mode_alone(name: str) -> None:
    assert name in CONTEXT_SAMPLES, f"no sample for {name}"
    for before, enter in ENTER.items():
        with enter(), CONTEXT_SAMPLES[name]():
            assert current() is before


@pytest.mark.parametrize("name", sorted(NEED_A_DEVICE))
def test_contexts_of_devices_exist(name: str) -> None:
    assert callable(resolve(name))


STANDARD = tuple(
    words(
        "contextlib. io. gzip. bz2. lzma. codecs. tarfile. zipfile. os. tempfile. threading. "
        "multiprocessing. concurrent. "
        "warnings. unittest. builtins. pytest."
    )
)


@pytest.mark.parametrize("name", sorted(name for name in torch_api.NEUTRAL_CONTEXTS if name.startswith(STANDARD)))
def test_contexts_of_the_standard_library_exist(name: str) -> None:
    if name == "contextlib.chdir":
        return  # Since Python 3.11.
    importlib.import_module("multiprocessing.pool")
    assert callable(resolve(name))


# --- Modules --------------------------------------------------------------------------

MODULE_ARGUMENTS: dict[str, tuple[object, ...]] = {
    "AlphaDropout": (),
    "Softmax": (1,),
    "Threshold": (0.1, 0.0),
    "Unflatten": (1, (1, 1)),
    "Fold": ((2, 2), 1),
    "Unfold": (2,),
    "PixelShuffle": (2,),
    "PixelUnshuffle": (2,),
    "ChannelShuffle": (2,),
    "LPPool1d": (2, 2),
    "LPPool2d": (2, 2),
    "LPPool3d": (2, 2),
    "ConstantPad1d": (1, 0.0),
    "ConstantPad2d": (1, 0.0),
    "ConstantPad3d": (1, 0.0),
    "FractionalMaxPool2d": (2, 1),
    "FractionalMaxPool3d": (2, 1),
    "LocalResponseNorm": (2,),
    "CrossMapLRN2d": (2,),
    "UpsamplingBilinear2d": (2,),
    "UpsamplingNearest2d": (2,),
    **dict.fromkeys(words("Linear Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d"), (4, 4, 1)),
    **dict.fromkeys(words("Embedding EmbeddingBag RNN LSTM GRU RNNCell LSTMCell GRUCell"), (4, 4)),
    **dict.fromkeys(words("BatchNorm1d BatchNorm2d BatchNorm3d SyncBatchNorm LayerNorm RMSNorm"), (4,)),
    **dict.fromkeys(words("MaxPool1d MaxPool2d MaxPool3d AvgPool1d AvgPool2d AvgPool3d"), (2,)),
    **dict.fromkeys(words("MaxUnpool1d MaxUnpool2d MaxUnpool3d"), (2,)),
    **{f"Adaptive{kind}Pool{n}d": (1,) for kind in ("Max", "Avg") for n in (1, 2, 3)},
    **{f"{kind}Pad{n}d": (1,) for kind in ("Zero", "Circular", "Reflection", "Replication") for n in (1, 2, 3)},
    "FeatureAlphaDropout": (),
    "Bilinear": (4, 4, 4),
    "GroupNorm": (2, 4),
    "MultiheadAttention": (4, 2),
    "Transformer": (4, 2, 1, 1, 4),
    "TransformerEncoderLayer": (4, 2, 4),
    "TransformerDecoderLayer": (4, 2, 4),
    "AdaptiveLogSoftmaxWithLoss": (4, 10, [5]),
    "LinearCrossEntropyLoss": (4, 10),
    "PReLU": (),
}
WITHOUT_WEIGHTS_OF_THEIR_OWN = set(
    words("""
    Module Container Sequential ModuleList ModuleDict ParameterList ParameterDict RNNBase RNNCellBase DataParallel
    TransformerEncoder TransformerDecoder InstanceNorm1d InstanceNorm2d InstanceNorm3d
    """)
)
"""Their weights are those of what they hold, or come with ``affine=True``."""


def module_names() -> list[str]:
    return sorted(
        name
        for name, value in vars(nn).items()
        if name[:1].isupper() and isinstance(value, type) and not name.startswith("Lazy")
    )


@pytest.mark.parametrize("name", module_names())
def test_classes_of_torch_nn(name: str) -> None:
    made = getattr(nn, name)
    full = f"torch.nn.{name}"
    assert torch_classes.is_module_class(full) is issubclass(made, nn.Module)
    if not issubclass(made, nn.Module) or name in WITHOUT_WEIGHTS_OF_THEIR_OWN:
        assert full not in torch_classes.PARAMETERLESS
        return
    weights = list(made(*MODULE_ARGUMENTS.get(name, ())).parameters())
    assert (full in torch_classes.PARAMETERLESS) is (not weights)
    assert torch_classes.makes_model(full) is bool(weights)


@each(torch_classes.CRITERIA | torch_classes.PARAMETERLESS)
def test_parameterless_classes_exist(name: str) -> None:
    assert issubclass(resolve(name), nn.Module)


@each(torch_classes.CONTAINERS_OF_MODULES)
def test_a_container_of_modules_has_what_it_is_handed_as_a_part(name: str) -> None:
    part = nn.Linear(2, 2)
    made = (
        resolve(name)({"part": part} if name.endswith("Dict") else [part]) if "Module" in name else nn.Sequential(part)
    )
    assert part in made.modules()


def test_every_loss_without_weights_is_a_criterion() -> None:
    losses = {f"torch.nn.{name}" for name in module_names() if "Loss" in name} - torch_classes.NN_BUT_NO_MODULE
    assert losses - torch_classes.CRITERIA == {
        "torch.nn.AdaptiveLogSoftmaxWithLoss",
        "torch.nn.LinearCrossEntropyLoss",
    }


SELF_ARGUMENTS: dict[str, Callable[[nn.Module], object]] = {
    "to": lambda module: module.to("cpu"),
    "to_empty": lambda module: module.to_empty(device="cpu"),
    "type": lambda module: module.type(torch.float32),
    "apply": lambda module: module.apply(lambda inner: None),
}


@each(torch_classes.MODULE_RETURNS_SELF, *ON_ANOTHER_DEVICE, "ipu", "mtia")
def test_a_method_that_gives_the_module_back(name: str) -> None:
    module = nn.Linear(2, 2)
    assert SELF_ARGUMENTS.get(name, lambda module: getattr(module, name)())(module) is module


@each(torch_classes.MODULE_EVIDENCE_METHODS)
def test_evidence_is_a_method_of_modules(name: str) -> None:
    assert callable(getattr(nn.Module, name))


def test_every_method_of_modules_is_known() -> None:
    public = {name for name in vars(nn.Module) if not name.startswith("_") and callable(getattr(nn.Module, name))}
    unknown = public - torch_classes.MODULE_METHODS_NOT_FORWARD - {"forward"}
    assert unknown == set()


@pytest.mark.parametrize("name", torch_names(torch_classes.OPTIMIZER_CLASSES))
def test_optimizers_of_torch(name: str) -> None:
    assert issubclass(resolve(name), torch.optim.Optimizer)
    assert torch_classes.makes_optimizer(name)


def test_every_optimizer_of_torch_is_known() -> None:
    for name, value in vars(torch.optim).items():
        known = torch_classes.makes_optimizer(f"torch.optim.{name}")
        assert known is (isinstance(value, type) and issubclass(value, torch.optim.Optimizer))


@pytest.mark.parametrize(
    "name", [*torch_names(torch_classes.MODEL_SOURCES), *torch_names(torch_classes.SCALER_CLASSES)]
)
def test_sources_of_torch_exist(name: str) -> None:
    assert callable(resolve(name))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("torch.nn.Linear", True),
        ("torch.nn.LSTM", True),
        ("torch.nn.Module", False),
        ("torch.nn.ReLU", False),
        ("torch.nn.CrossEntropyLoss", False),
        ("torch.nn.Parameter", False),
        ("torch.nn.functional.relu", False),
        ("torch.hub.load", True),
        ("torch.load", False),
        ("torchvision.models.resnet18", True),
        ("torchvision.models.detection.fasterrcnn_resnet50_fpn", True),
        ("torchvision.models.ResNet18_Weights", False),
        ("torchvision.models.ResNet18_Weights.DEFAULT.transforms", False),
        ("torchvision.models.list_models", False),
        ("transformers.AutoModel.from_pretrained", True),
        ("transformers.BertForSequenceClassification.from_pretrained", True),
        ("transformers.AutoTokenizer.from_pretrained", False),
        ("transformers.AutoConfig.from_pretrained", False),
        ("transformers.BertModel", True),
        ("transformers.modeling_outputs.BaseModelOutput", False),
        ("transformers.TrainingArguments", False),
        ("diffusers.UNet2DConditionModel.from_pretrained", True),
        ("diffusers.AutoencoderKL.from_pretrained", True),
        ("diffusers.DDPMScheduler.from_pretrained", False),
        ("diffusers.DDIMPipeline", False),
        ("segmentation_models_pytorch.Unet", True),
        ("segmentation_models_pytorch.losses.DiceLoss", False),
        ("timm.create_model", True),
        ("numpy.zeros", False),
    ],
)
def test_makes_model(name: str, expected: bool) -> None:
    assert torch_classes.makes_model(name) is expected


def test_makes_the_rest() -> None:
    assert torch_classes.makes_optimizer("bitsandbytes.optim.Adam8bit")
    assert not torch_classes.makes_optimizer("torch.optim.lr_scheduler.StepLR")
    assert torch_classes.makes_loader("torch.utils.data.DataLoader")
    assert torch_classes.makes_loader("torch_geometric.loader.NeighborLoader")
    assert torch_classes.makes_loader("webdataset.WebLoader")
    assert not torch_classes.makes_loader("torch.utils.data.Dataset")
    assert not torch_classes.makes_loader("DataLoader")
    assert torch_classes.makes_scaler("torch.amp.GradScaler")
    assert torch_classes.makes_scaler(torch_api.canonical("lightning.fabric.Fabric"))
    assert not torch_classes.makes_scaler("sklearn.preprocessing.StandardScaler")


# --- Hooks, functions, differentiators ------------------------------------------------


def modes_in_hook(
    register: Callable[[Callable[..., None], nn.Module, Tensor], object], *, create_graph: bool = False
) -> set[GradMode]:
    seen: set[GradMode] = set()
    module = nn.Linear(3, 3)
    x = Sample().make() * 1
    register(lambda *arguments: seen.add(current()), module, x)
    with warnings.catch_warnings():
        # It warns of the cycle that a gradient with a graph makes.
        warnings.filterwarnings("ignore", "Using backward", UserWarning)
        module(x).sum().backward(create_graph=create_graph)
    return seen


HOOKS: dict[str, Callable[[Callable[..., None], nn.Module, Tensor], object]] = {
    "register_hook": lambda hook, module, x: x.register_hook(hook),
    "register_prehook": lambda hook, module, x: x.grad_fn.register_prehook(hook),
    "register_multi_grad_hook": lambda hook, module, x: torch.autograd.graph.register_multi_grad_hook([x], hook),
    "register_post_accumulate_grad_hook": lambda hook, module, x: module.weight.register_post_accumulate_grad_hook(
        hook
    ),
    "register_full_backward_hook": lambda hook, module, x: module.register_full_backward_hook(hook),
    "register_full_backward_pre_hook": lambda hook, module, x: module.register_full_backward_pre_hook(hook),
    "register_backward_hook": lambda hook, module, x: module.register_backward_hook(hook),
    "register_forward_hook": lambda hook, module, x: module.register_forward_hook(hook),
    "register_forward_pre_hook": lambda hook, module, x: module.register_forward_pre_hook(hook),
}


@each(torch_api.HOOK_REGISTRARS)
def test_backward_hooks_run_without_gradients_but_for_a_graph(name: str) -> None:
    assert modes_in_hook(HOOKS[name]) == {GradMode.OFF}
    assert modes_in_hook(HOOKS[name], create_graph=True) == {GradMode.ON}


@each(torch_api.FORWARD_HOOK_REGISTRARS)
def test_forward_hooks_run_in_the_mode_of_the_caller(name: str) -> None:
    if name.startswith("register_module_"):
        seen: set[GradMode] = set()
        handle = getattr(nn.modules.module, name)(lambda *arguments: seen.add(current()))
        try:
            nn.Linear(3, 3)(matrix())
        finally:
            handle.remove()
    else:
        seen = modes_in_hook(HOOKS[name])
    assert seen == {GradMode.ON}


def test_methods_of_an_autograd_function_run_without_gradients_but_backwards_for_a_graph() -> None:
    seen: dict[str, GradMode] = {}

    class Old(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, x: Tensor) -> Tensor:
            seen["forward"] = current()
            return x * 2

        @staticmethod
        def backward(ctx: object, gradient: Tensor) -> Tensor:
            seen["backward"] = current()
            return gradient * 2

        @staticmethod
        def jvp(ctx: object, tangent: Tensor) -> Tensor:
            seen["jvp"] = current()
            return tangent * 2

    class New(torch.autograd.Function):
        @staticmethod
        def forward(x: Tensor) -> Tensor:
            return x * 2

        @staticmethod
        def setup_context(ctx: object, inputs: object, output: object) -> None:
            seen["setup_context"] = current()

        @staticmethod
        def vjp(ctx: object, gradient: Tensor) -> Tensor:
            seen["vjp"] = current()
            return gradient * 2

    Old.apply(Sample().make()).sum().backward()
    New.apply(Sample().make()).sum().backward()
    with torch.autograd.forward_ad.dual_level():
        Old.apply(torch.autograd.forward_ad.make_dual(matrix(), matrix()))
    assert seen.pop("jvp") is GradMode.ON, "that of the caller"
    forwards, backwards = torch_api.AUTOGRAD_FUNCTION_METHODS, torch_api.AUTOGRAD_FUNCTION_BACKWARDS
    assert seen == dict.fromkeys(forwards | backwards, GradMode.OFF)
    with torch.inference_mode(), torch.enable_grad():
        Old.apply(matrix())
    assert seen.pop("forward") is GradMode.INFERENCE, "it stays"
    for made in (Old, New):
        x = Sample().make()
        torch.autograd.grad(made.apply(x).sum(), x, create_graph=True)
    assert seen == {**dict.fromkeys(forwards, GradMode.OFF), **dict.fromkeys(backwards, GradMode.ON)}


def square(x: Tensor) -> Tensor:
    return (x * x).sum()


def vector() -> Tensor:
    return torch.tensor([1.0, 2.0])


DIFFERENTIATED: dict[str, Callable[[], object]] = {
    "torch.autograd.functional.jacobian": lambda: torch.autograd.functional.jacobian(square, vector()),
    "torch.autograd.functional.hessian": lambda: torch.autograd.functional.hessian(square, vector()),
    "torch.autograd.functional.vjp": lambda: torch.autograd.functional.vjp(square, vector())[1],
    "torch.autograd.functional.jvp": lambda: torch.autograd.functional.jvp(square, vector(), vector())[1],
    "torch.autograd.functional.hvp": lambda: torch.autograd.functional.hvp(square, vector(), vector())[1],
    "torch.autograd.functional.vhp": lambda: torch.autograd.functional.vhp(square, vector(), vector())[1],
    "torch.func.grad": lambda: torch.func.grad(square)(vector()),
    "torch.func.grad_and_value": lambda: torch.func.grad_and_value(square)(vector())[0],
    "torch.func.vjp": lambda: torch.func.vjp(square, vector())[1](torch.tensor(1.0))[0],
    "torch.func.jvp": lambda: torch.func.jvp(square, (vector(),), (vector(),))[1],
    "torch.func.jacrev": lambda: torch.func.jacrev(square)(vector()),
    "torch.func.jacfwd": lambda: torch.func.jacfwd(square)(vector()),
    "torch.func.hessian": lambda: torch.func.hessian(square)(vector()),
    "torch.autograd.grad": lambda: torch.autograd.grad(square(vector().requires_grad_()), [vector()]),
    "torch.autograd.backward": lambda: torch.autograd.backward(square(vector().requires_grad_())),
}


@each(torch_api.DIFFERENTIATORS)
def test_what_differentiates_under_no_grad(name: str) -> None:
    assert callable(resolve(name))
    with torch.no_grad():
        if torch_api.DIFFERENTIATORS[name]:
            assert first(DIFFERENTIATED[name]()).abs().sum() > 0
        else:
            with pytest.raises(RuntimeError, match="does not require grad"):
                DIFFERENTIATED[name]()


def test_jacobian_under_inference_mode_is_zero_without_a_word() -> None:
    with torch.inference_mode():
        assert first(DIFFERENTIATED["torch.autograd.functional.jacobian"]()).abs().sum() == 0


# --- Threads --------------------------------------------------------------------------


def in_thread() -> GradMode:
    seen: list[GradMode] = []
    thread = threading.Thread(target=lambda: seen.append(current()))
    thread.start()
    thread.join()
    return seen[0]


def in_timer() -> GradMode:
    seen: list[GradMode] = []
    timer = threading.Timer(0, lambda: seen.append(current()))
    timer.start()
    timer.join()
    return seen[0]


def in_executor() -> GradMode:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(current).result()


def in_pool() -> GradMode:
    with ThreadPool(1) as pool:
        return pool.apply(current)


THREADS: dict[str, Callable[[], GradMode]] = {
    "threading.Thread": in_thread,
    "threading.Timer": in_timer,
    "asyncio.to_thread": lambda: asyncio.run(asyncio.to_thread(current)),
    "concurrent.futures.ThreadPoolExecutor": in_executor,
    "multiprocessing.pool.ThreadPool": in_pool,
}


@each(torch_api.THREAD_STARTERS)
def test_a_thread_starts_with_gradients_on(name: str) -> None:
    assert name in THREADS, f"no sample for {name}"
    for off in (torch.no_grad(), torch.inference_mode()):
        with off:
            assert THREADS[name]() is GradMode.ON


def _report(queue: multiprocessing.SimpleQueue[bool]) -> None:
    queue.put(torch.is_grad_enabled())


@pytest.mark.parametrize(("method", "inherited"), [("fork", True), ("spawn", False)])
def test_a_forked_process_inherits_the_mode_and_a_spawned_one_does_not(method: str, inherited: bool) -> None:
    context = multiprocessing.get_context(method)
    queue = context.SimpleQueue()
    with torch.no_grad(), warnings.catch_warnings():
        process = context.Process(target=_report, args=(queue,))
        process.start()
        on = queue.get()
        process.join()
    assert on is not inherited


# --- Frameworks that are not installed ------------------------------------------------


def test_hooks_of_lightning_are_on_or_off_but_not_both() -> None:
    assert not torch_api.LIGHTNING_GRAD_OFF_HOOKS & torch_api.LIGHTNING_GRAD_ON_HOOKS


OTHERS: tuple[type, ...] = (np.ndarray, nn.Module, torch.distributions.Distribution, str, list, tuple, dict, set)
"""What methods of models give, beside tensors."""


@each(torch_operations.SHARED_WITH_OTHERS)
def test_others_have_the_method_too(name: str) -> None:
    assert hasattr(Tensor, name)
    assert any(hasattr(other, name) for other in OTHERS)


@each(torch_operations.OF_TENSORS_ALONE)
def test_no_other_has_the_method(name: str) -> None:
    assert hasattr(Tensor, name)
    assert not any(hasattr(other, name) for other in OTHERS)


def test_tables_of_methods_do_not_contradict_one_another() -> None:
    tables = [
        torch_operations.VIEW_METHODS,
        torch_operations.MAYBE_VIEW_METHODS,
        torch_operations.NON_DIFFERENTIABLE,
        torch_operations.PLAIN_METHODS,
        torch_operations.DIFFERENTIABLE_METHODS,
    ]
    assert sum(map(len, tables)) == len(frozenset().union(*tables))
