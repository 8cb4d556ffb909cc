"""Tables: what each operation on tensors does to their graph, and gives back; by bare name."""

from __future__ import annotations

from .tables import table, within

VIEW_METHODS: frozenset[str] = table("""
    view view_as expand expand_as broadcast_to
    t transpose swapaxes swapdims permute movedim moveaxis adjoint squeeze unsqueeze unflatten
    narrow select diagonal as_strided unfold
    chunk split split_with_sizes tensor_split hsplit vsplit dsplit unbind
""")
"""Methods that give a view, or several: the same memory; without a graph if made under ``no_grad``."""

VIEW_ATTRIBUTES: frozenset[str] = table("T H mT mH real imag")
"""Attributes that give a view. ``real``, ``H`` and ``mH`` of a real tensor: itself, or its transpose."""

MAYBE_VIEW_METHODS: frozenset[str] = table("""
    reshape reshape_as flatten ravel contiguous conj resolve_conj resolve_neg positive
    to type type_as float double half bfloat16 cfloat cdouble chalf cpu cuda xpu
""")
"""Give the tensor itself, a view, or a copy: which one, only the run tells."""

INTEGERS: frozenset[str] = within("torch", "uint8 int8 int16 int32 int64 uint16 uint32 uint64 bool short int long")
"""Types that no gradient flows through: what is made one of them, and its views, never require gradients."""

NEVER_ITSELF: frozenset[str] = table("reshape reshape_as ravel meshgrid")
"""Those of them, and of the functions below, that give a new tensor object in any case."""

VIEW_FUNCTIONS: frozenset[str] = (VIEW_METHODS - table("view view_as expand expand_as unfold")) | table(
    "real imag view_as_real view_as_complex broadcast_tensors"
)
"""The functions of ``torch`` that give views."""

MAYBE_VIEW_FUNCTIONS: frozenset[str] = table("""
    reshape flatten ravel conj resolve_conj resolve_neg positive atleast_1d atleast_2d atleast_3d meshgrid
""")
"""The functions of ``torch`` that give the tensor itself, a view, or a copy."""

ONE_FOR_EACH: frozenset[str] = table("broadcast_tensors meshgrid atleast_1d atleast_2d atleast_3d")
"""Those of these functions that give one tensor for each that they are given, where there are several."""

NON_DIFFERENTIABLE: frozenset[str] = table("""
    argmax argmin argsort argwhere nonzero nonzero_static count_nonzero bincount
    eq ne gt ge lt le not_equal greater greater_equal less less_equal
    isnan isinf isfinite isneginf isposinf isreal isclose isin signbit all any
    logical_and logical_or logical_xor logical_not
    bitwise_and bitwise_or bitwise_xor bitwise_not bitwise_left_shift bitwise_right_shift
    bool int long short byte char
    gcd lcm multinomial bucketize searchsorted
    zeros_like ones_like empty_like full_like rand_like randn_like randint_like
    new_tensor new_zeros new_ones new_empty new_full new_empty_strided
""")
"""Methods and functions whose tensor never requires gradients, even if the input does.

Those that make a tensor *like* another stand here too: nothing flows from the one to the other.
"""

OF_ANYTHING: frozenset[str] = table("bool any all")
"""Those of them that are functions of Python as well, which take anything."""

PLAIN_METHODS: frozenset[str] = table("""
    item tolist numpy size dim numel nelement ndimension stride storage_offset element_size data_ptr
    is_contiguous is_floating_point is_complex is_signed is_pinned is_shared is_inference is_conj is_neg
    is_nonzero is_same_size is_set_to get_device allclose equal storage untyped_storage dense_dim sparse_dim
""")
"""Methods that give Python values or arrays.

``numpy`` raises on a tensor that requires gradients, except under ``no_grad``.
"""

PLAIN_FUNCTIONS: frozenset[str] = table("""
    numel equal allclose is_tensor is_floating_point is_complex is_nonzero is_same_size is_signed is_grad_enabled
    is_inference_mode_enabled is_inference get_device result_type can_cast
""")
"""The functions of ``torch`` that give Python values."""

PLAIN_ATTRIBUTES: frozenset[str] = table("""
    shape dtype device layout ndim itemsize nbytes requires_grad is_leaf grad_fn retains_grad output_nr
    is_cuda is_cpu is_sparse is_quantized is_meta is_mps is_nested
""")
"""Attributes of tensors that give Python values."""

DETACHING: frozenset[str] = table("detach detach_ data")
"""What cuts the graph off: ``detach`` and ``data`` share the memory, ``detach_`` works in place."""

_COMMON = table("""
    abs absolute neg negative exp exp2 expm1 log log2 log10 log1p sqrt rsqrt square reciprocal
    sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh arcsin arccos arctan arcsinh arccosh arctanh
    sinc deg2rad rad2deg angle erf erfc erfinv lgamma digamma polygamma mvlgamma i0 logit sigmoid relu
    sign sgn floor ceil round trunc fix frac nan_to_num

    add sub subtract mul multiply div divide true_divide remainder fmod pow float_power atan2 arctan2
    maximum minimum fmax fmin hypot copysign xlogy logaddexp logaddexp2 ldexp
    matmul mm bmm mv dot vdot inner outer ger kron cross dist
    addmm addmv addr addbmm baddbmm addcmul addcdiv lerp

    sum mean prod std var norm max min amax amin aminmax median nanmedian mode kthvalue topk sort msort
    nansum nanmean quantile nanquantile logsumexp cumsum cumprod cummax cummin logcumsumexp
    renorm trace corrcoef cov diff

    clone clamp clamp_min clamp_max clip softmax log_softmax prelu hardshrink
    gather scatter scatter_add scatter_reduce index_select index_add index_copy index_fill index_put
    masked_select masked_fill masked_scatter take take_along_dim put where select_scatter slice_scatter
    diagonal_scatter repeat_interleave tile flip fliplr flipud roll rot90 tril triu diag diag_embed diagflat
    narrow_copy bernoulli unique unique_consecutive floor_divide

    inverse pinverse det logdet slogdet cholesky cholesky_inverse cholesky_solve
    matrix_exp matrix_power svd qr triangular_solve stft istft
""")

DIFFERENTIABLE_METHODS: frozenset[str] = _COMMON | table("repeat sum_to_size")
"""Methods whose result requires gradients when an operand does and grad mode is on.

Of those that give values with indices (``max``, ``topk``, ``sort``): the values. ``sign``, ``floor`` and
``round`` belong here: their gradient is zero, but the graph is there; ``unique`` and ``floor_divide`` too:
they have none, and raise in the backward pass.
"""

DIFFERENTIABLE_FUNCTIONS: frozenset[str] = _COMMON | table("""
    cat concat concatenate stack hstack vstack dstack column_stack row_stack block_diag cartesian_prod combinations
    einsum tensordot chain_matmul bilinear cdist pdist cosine_similarity pairwise_distance
    std_mean var_mean complex polar rsub vander trapz trapezoid cumulative_trapezoid
    selu celu rrelu threshold dropout alpha_dropout feature_dropout feature_alpha_dropout
    conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d
    max_pool1d max_pool2d max_pool3d avg_pool1d adaptive_avg_pool1d
    batch_norm layer_norm group_norm instance_norm rms_norm embedding
    binary_cross_entropy_with_logits kl_div ctc_loss margin_ranking_loss triplet_margin_loss
    cosine_embedding_loss hinge_embedding_loss poisson_nll_loss
    pixel_shuffle pixel_unshuffle channel_shuffle grid_sampler
""")
"""The same for the functions of ``torch``."""

SHARED_WITH_OTHERS: frozenset[str] = table("""
    add bfloat16 clip conj cpu cuda cumprod cumsum diagonal dot double expand flatten float half max mean min mode
    prod put ravel repeat reshape round sort split squeeze std sum swapaxes take to trace transpose type var view xpu
""")
"""Methods of tensors that arrays, modules, distributions or built-in types have as well."""

OF_TENSORS_ALONE: frozenset[str] = (VIEW_METHODS | MAYBE_VIEW_METHODS | DIFFERENTIABLE_METHODS) - SHARED_WITH_OTHERS
"""Methods that say that what they are called on is a tensor."""

TAKING_TENSORS: frozenset[str] = table("torchvision.utils.save_image torchvision.utils.make_grid")
"""Functions that raise unless they are given tensors
(https://docs.pytorch.org/vision/stable/_modules/torchvision/utils.html)."""

REARRANGING: frozenset[str] = table("einops.rearrange einops.repeat einops.reduce")
"""Functions of other packages that reshape their first argument, or add up parts of it: perhaps a view of it
(https://einops.rocks/api/rearrange/)."""

_DIFFERENTIABLE_OR_SAME = DIFFERENTIABLE_FUNCTIONS | MAYBE_VIEW_FUNCTIONS
_DIFFERENTIABLE_MODULES = ("torch.nn.functional.", "torch.special.", "torch.linalg.", "torch.fft.")
NOT_DIFFERENTIABLE_WITHIN: frozenset[str] = table("""
    torch.nn.functional.one_hot torch.linalg.matrix_rank torch.fft.fftfreq torch.fft.rfftfreq
""")
"""The exceptions in packages whose functions are otherwise differentiable."""


def is_differentiable_function(name: str) -> bool:
    """Whether the result of a torch function requires gradients when an argument does."""
    if name.startswith(_DIFFERENTIABLE_MODULES):
        return name not in NOT_DIFFERENTIABLE_WITHIN
    package, _, function = name.rpartition(".")
    return package == "torch" and function in _DIFFERENTIABLE_OR_SAME


FACTORIES: frozenset[str] = table("""
    tensor scalar_tensor zeros ones empty full eye arange range linspace logspace
    rand randn randint randperm normal empty_strided empty_permuted
    zeros_like ones_like empty_like full_like rand_like randn_like randint_like
    from_numpy frombuffer tril_indices triu_indices
    hann_window hamming_window blackman_window bartlett_window kaiser_window
    Tensor FloatTensor DoubleTensor LongTensor IntTensor ByteTensor BoolTensor
""")
"""Functions of ``torch`` that make a leaf without a graph.

Not ``as_tensor`` and ``asarray``: of a tensor that requires gradients they keep the graph.
"""

INVENTING: frozenset[str] = table("""
    zeros ones empty full eye arange linspace rand randn randint randperm
    zeros_like ones_like full_like rand_like randn_like randint_like
""")
"""Those that are given a shape, not content."""

COPYING: frozenset[str] = within(
    "torch", "tensor scalar_tensor from_numpy Tensor FloatTensor DoubleTensor autograd.Variable nn.Parameter"
)
"""Of those, and beside them, what makes a leaf of the numbers of its argument."""

ALIASING: frozenset[str] = within("torch", "Tensor FloatTensor DoubleTensor")
"""Those that give an alias of a tensor, with its graph, and copy anything else."""

NOT_IN_PLACE: frozenset[str] = table("""
    requires_grad_ detach_ share_memory_ rename_ apply_ map_ map2_
    resize_ resize_as_ logical_and_ logical_or_ logical_xor_ logical_not_
""")
"""End in an underscore, and a leaf that requires gradients takes them, or refuses them even under ``no_grad``.

``rename_`` is gone from torch 2.13.
"""


def changes_in_place(method: str) -> bool:
    """Whether a tensor method changes its tensor: torch marks them by one final underscore."""
    return (
        method.endswith("_") and not method.endswith("__") and not method.startswith("_") and method not in NOT_IN_PLACE
    )


def in_place_function(name: str) -> str:
    """The operation of a function that changes its first argument: ``clamp_`` of ``torch.clamp_``; empty for others."""
    module, _, last = name.rpartition(".")
    return last if module in {"torch", "torch.nn.functional"} and changes_in_place(last) else ""


FOREACH_PREFIX = "torch._foreach_"
"""Functions on lists of tensors; with a final underscore they change them in place."""
