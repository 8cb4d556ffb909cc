"""Tables: what each torch (and framework) name does to gradients, and gives back.

Library names are canonical: ``canonical`` turns other spellings into them. What is
claimed of torch here is run on torch in ``tests/truth/test_tables.py``.
"""

from __future__ import annotations

import re

from .grad import ENABLE_GRAD, INFERENCE, NO_GRAD, Answer, Shift


def _words(text: str) -> frozenset[str]:
    """The words of a table."""
    return frozenset(text.split())


def _within(package: str, text: str) -> frozenset[str]:
    """The names of a package."""
    return frozenset(f"{package}.{name}" for name in text.split())


def _last(name: str) -> str:
    return name.rpartition(".")[2]


# --- Names ----------------------------------------------------------------------------

SWITCHES: dict[str, Shift | None] = {
    "torch.no_grad": NO_GRAD,
    "torch.enable_grad": ENABLE_GRAD,
    "torch.inference_mode": INFERENCE,
    "torch.set_grad_enabled": None,
}
"""Grad-mode context managers, which are decorators as well. ``None``: the argument decides.

``inference_mode`` takes an argument too: what stands here is ``inference_mode()``.
"""

STACKS = frozenset({"contextlib.ExitStack", "contextlib.AsyncExitStack"})
"""Managers that other managers are entered on."""

ALIASES: dict[str, str] = {
    **{
        f"torch.autograd.{prefix}{name}": f"torch.{name}"
        for prefix in ("", "grad_mode.")
        for name in ("no_grad", "enable_grad", "inference_mode", "set_grad_enabled")
    },
    "torch.autograd.variable.Variable": "torch.autograd.Variable",
    "torch.autograd.function.Function": "torch.autograd.Function",
    "torch.autograd.anomaly_mode.detect_anomaly": "torch.autograd.detect_anomaly",
    "torch.autograd.anomaly_mode.set_detect_anomaly": "torch.autograd.set_detect_anomaly",
    "torch.Tensor.backward": "torch.autograd.backward",
    "torch._tensor.Tensor": "torch.Tensor",
    "torch.nn.parameter.Parameter": "torch.nn.Parameter",
    "torch.nn.parameter.Buffer": "torch.nn.Buffer",
    "torch.nn.parameter.UninitializedParameter": "torch.nn.UninitializedParameter",
    "torch.nn.parallel.DataParallel": "torch.nn.DataParallel",
    "torch.nn.parallel.data_parallel.DataParallel": "torch.nn.DataParallel",
    "torch.nn.parallel.distributed.DistributedDataParallel": "torch.nn.parallel.DistributedDataParallel",
    "torch.utils.data.dataloader.DataLoader": "torch.utils.data.DataLoader",
    "torch.amp.autocast": "torch.autocast",
    "torch.amp.autocast_mode.autocast": "torch.autocast",
    "torch.cuda.amp.autocast": "torch.autocast",
    "torch.cuda.amp.autocast_mode.autocast": "torch.autocast",
    "torch.cpu.amp.autocast": "torch.autocast",
    "torch.cpu.amp.autocast_mode.autocast": "torch.autocast",
    "torch.GradScaler": "torch.amp.GradScaler",
    "torch.amp.grad_scaler.GradScaler": "torch.amp.GradScaler",
    "torch.cuda.amp.GradScaler": "torch.amp.GradScaler",
    "torch.cuda.amp.grad_scaler.GradScaler": "torch.amp.GradScaler",
    "torch.func.vmap": "torch.vmap",
    "functorch.vmap": "torch.vmap",
    "accelerate.accelerator.Accelerator": "accelerate.Accelerator",
    "transformers.optimization.AdamW": "transformers.AdamW",
    "transformers.optimization.Adafactor": "transformers.Adafactor",
    "transformers.pipelines.pipeline": "transformers.pipeline",
    "transformers.trainer.Trainer": "transformers.Trainer",
}
"""Other spellings of a name.

``autocast`` and ``GradScaler`` of ``torch.cuda.amp`` are subclasses of the general ones: for gradients the same.
"""

_COLLAPSED = (
    ("torch.nn.modules.", "torch.nn."),
    ("torch.optim.", "torch.optim."),
    ("pytorch_lightning.", "lightning."),
    ("lightning_fabric.", "lightning."),
    ("lightning.pytorch.", "lightning."),
    ("lightning.fabric.", "lightning."),
    ("lightning.", "lightning."),
)
"""Packages whose classes are known by their own name, whatever submodule they are imported from."""

_NOT_COLLAPSED = ("torch.optim.lr_scheduler.", "torch.optim.swa_utils.")

_RENAMED = (("functorch.", "torch.func."), ("torch._C._functorch.", "torch.func."))


def canonical(name: str) -> str:
    """The one name of a thing that several modules export.

    A member follows its class: ``torch.nn.modules.module.Module.eval`` is ``torch.nn.Module.eval``.
    """
    end = len(name)
    while end > 0:
        known = ALIASES.get(name[:end])
        if known is not None:
            return known + name[end:]
        end = name.rfind(".", 0, end)
    for prefix, instead in _COLLAPSED:
        if name.startswith(prefix) and not name.startswith(_NOT_COLLAPSED):
            parts = name[len(prefix) :].split(".")
            of_class = next((index for index, part in enumerate(parts) if part[:1].isupper()), None)
            if of_class is not None and not any(part.startswith("_") for part in parts[:of_class]):
                return instead + ".".join(parts[of_class:])
            return name if prefix.startswith("torch.") else instead + name[len(prefix) :]
    for prefix, instead in _RENAMED:
        if name.startswith(prefix):
            return instead + name[len(prefix) :]
    return name


# --- Context managers -----------------------------------------------------------------

NEUTRAL_CONTEXTS: frozenset[str] = (
    _within("contextlib", "nullcontext suppress closing redirect_stdout redirect_stderr chdir")
    | _words("open builtins.open io.open gzip.open bz2.open lzma.open codecs.open tarfile.open zipfile.ZipFile")
    | _words("os.scandir numpy.errstate numpy.printoptions numpy.load h5py.File PIL.Image.open")
    | _within("tempfile", "TemporaryDirectory NamedTemporaryFile TemporaryFile")
    | _within("threading", "Lock RLock Semaphore Condition")
    | _within("multiprocessing", "Pool Lock pool.Pool pool.ThreadPool")
    | _within("concurrent.futures", "ThreadPoolExecutor ProcessPoolExecutor")
    | _words("warnings.catch_warnings unittest.mock.patch unittest.mock.patch.object")
    | _within("pytest", "raises warns deprecated_call")
    | _words("tqdm.tqdm tqdm.trange tqdm.auto.tqdm tqdm.auto.trange tqdm.notebook.tqdm rich.progress.Progress")
    | _within("torch", "autocast amp.autocast cuda.amp.autocast device random.fork_rng multiprocessing.Pool")
    | _within("torch.autograd", "detect_anomaly set_detect_anomaly set_multithreading_enabled")
    | _within("torch.autograd.graph", "save_on_cpu saved_tensors_hooks allow_mutation_on_saved_tensors")
    | _within("torch.autograd.profiler", "profile record_function emit_nvtx")
    | _within("torch.profiler", "profile record_function")
    | _within("torch.cuda", "device device_of stream Stream graph nvtx.range profiler.profile")
    | _within("torch.backends", "cudnn.flags mkldnn.flags mkl.verbose mkldnn.verbose cuda.sdp_kernel")
    | _words("torch.nn.attention.sdpa_kernel torch.nn.utils.parametrize.cached")
    | _words("torch.utils.tensorboard.SummaryWriter tensorboardX.SummaryWriter wandb.init mlflow.start_run")
    | _words("matplotlib.pyplot.style.context accelerate.init_empty_weights")
)
"""Context managers that leave grad mode alone."""

# --- Methods of tensors and functions of torch, by bare name --------------------------

VIEW_METHODS: frozenset[str] = _words("""
    view view_as expand expand_as broadcast_to
    t transpose swapaxes swapdims permute movedim moveaxis adjoint squeeze unsqueeze unflatten
    narrow select diagonal as_strided unfold
    chunk split split_with_sizes tensor_split hsplit vsplit dsplit unbind
""")
"""Methods that give a view, or several: the same memory; without a graph if made under ``no_grad``."""

VIEW_ATTRIBUTES: frozenset[str] = _words("T H mT mH real imag")
"""Attributes that give a view. ``real``, ``H`` and ``mH`` of a real tensor: itself, or its transpose."""

MAYBE_VIEW_METHODS: frozenset[str] = _words("""
    reshape reshape_as flatten ravel contiguous conj resolve_conj resolve_neg positive
    to type type_as float double half bfloat16 cfloat cdouble chalf cpu cuda xpu
""")
"""Give the tensor itself, a view, or a copy: which one, only the run tells."""

VIEW_FUNCTIONS: frozenset[str] = (VIEW_METHODS - _words("view view_as expand expand_as unfold")) | _words(
    "real imag view_as_real view_as_complex broadcast_tensors"
)
"""The functions of ``torch`` that give views."""

MAYBE_VIEW_FUNCTIONS: frozenset[str] = _words("""
    reshape flatten ravel conj resolve_conj resolve_neg positive atleast_1d atleast_2d atleast_3d meshgrid
""")
"""The functions of ``torch`` that give the tensor itself, a view, or a copy."""

NON_DIFFERENTIABLE: frozenset[str] = _words("""
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

PLAIN_METHODS: frozenset[str] = _words("""
    item tolist numpy size dim numel nelement ndimension stride storage_offset element_size data_ptr
    is_contiguous is_floating_point is_complex is_signed is_pinned is_shared is_inference is_conj is_neg
    is_nonzero is_same_size is_set_to get_device allclose equal storage untyped_storage dense_dim sparse_dim
""")
"""Methods that give Python values or arrays.

``numpy`` raises on a tensor that requires gradients, except under ``no_grad``.
"""

PLAIN_FUNCTIONS: frozenset[str] = _words("""
    numel equal allclose is_tensor is_floating_point is_complex is_nonzero is_same_size is_signed is_grad_enabled
    is_inference_mode_enabled is_inference get_device result_type can_cast
""")
"""The functions of ``torch`` that give Python values."""

PLAIN_ATTRIBUTES: frozenset[str] = _words("""
    shape dtype device layout ndim itemsize nbytes name requires_grad is_leaf grad_fn retains_grad output_nr
    is_cuda is_cpu is_sparse is_quantized is_meta is_mps is_nested
""")
"""Attributes that give Python values."""

DETACHING: frozenset[str] = _words("detach detach_ data")
"""What cuts the graph off: ``detach`` and ``data`` share the memory, ``detach_`` works in place."""

_COMMON = _words("""
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

DIFFERENTIABLE_METHODS: frozenset[str] = _COMMON | _words("repeat sum_to_size")
"""Methods whose result requires gradients when an operand does and grad mode is on.

Of those that give values with indices (``max``, ``topk``, ``sort``): the values. ``sign``, ``floor`` and
``round`` belong here: their gradient is zero, but the graph is there; ``unique`` and ``floor_divide`` too:
they have none, and raise in the backward pass.
"""

DIFFERENTIABLE_FUNCTIONS: frozenset[str] = _COMMON | _words("""
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

SHARED_WITH_OTHERS: frozenset[str] = _words("""
    add bfloat16 clip conj cpu cuda cumprod cumsum diagonal dot double expand flatten float half max mean min mode
    prod put ravel repeat reshape round sort split squeeze std sum swapaxes take to trace transpose type var view xpu
""")
"""Methods of tensors that arrays, modules, distributions or built-in types have as well."""

OF_TENSORS_ALONE: frozenset[str] = (VIEW_METHODS | MAYBE_VIEW_METHODS | DIFFERENTIABLE_METHODS) - SHARED_WITH_OTHERS
"""Methods that say that what they are called on is a tensor."""

TAKING_TENSORS: frozenset[str] = _words("torchvision.utils.save_image torchvision.utils.make_grid")
"""Functions that raise unless they are given tensors
(https://docs.pytorch.org/vision/stable/_modules/torchvision/utils.html)."""

_DIFFERENTIABLE_OR_SAME = DIFFERENTIABLE_FUNCTIONS | MAYBE_VIEW_FUNCTIONS
_DIFFERENTIABLE_MODULES = ("torch.nn.functional.", "torch.special.", "torch.linalg.", "torch.fft.")
NOT_DIFFERENTIABLE_WITHIN: frozenset[str] = _words("""
    torch.nn.functional.one_hot torch.linalg.matrix_rank torch.fft.fftfreq torch.fft.rfftfreq
""")
"""The exceptions in packages whose functions are otherwise differentiable."""


def is_differentiable_function(name: str) -> bool:
    """Whether the result of a torch function requires gradients when an argument does."""
    if name.startswith(_DIFFERENTIABLE_MODULES):
        return name not in NOT_DIFFERENTIABLE_WITHIN
    package, _, function = name.rpartition(".")
    return package == "torch" and function in _DIFFERENTIABLE_OR_SAME


FACTORIES: frozenset[str] = _words("""
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

INVENTING: frozenset[str] = _words("""
    zeros ones empty full eye arange linspace rand randn randint randperm
    zeros_like ones_like full_like rand_like randn_like randint_like
""")
"""Those that are given a shape, not content."""

COPYING: frozenset[str] = _within(
    "torch", "tensor scalar_tensor from_numpy Tensor FloatTensor DoubleTensor autograd.Variable nn.Parameter"
)
"""Of those, and beside them, what makes a leaf of the numbers of its argument."""

ALIASING: frozenset[str] = _within("torch", "Tensor FloatTensor DoubleTensor")
"""Those that give an alias of a tensor, with its graph, and copy anything else."""

IN_PLACE_METHODS: frozenset[str] = _words("""
    add_ sub_ subtract_ mul_ multiply_ div_ divide_ true_divide_ pow_ neg_ abs_ sqrt_ rsqrt_ reciprocal_
    exp_ log_ square_ sigmoid_ tanh_ relu_ sign_ round_ floor_ ceil_ trunc_ frac_ remainder_ fmod_
    copy_ fill_ zero_ fill_diagonal_ clamp_ clamp_min_ clamp_max_ clip_ nan_to_num_
    lerp_ addcmul_ addcdiv_ addmm_ addmv_ addr_ addbmm_ baddbmm_ renorm_ cumsum_ cumprod_
    normal_ uniform_ random_ bernoulli_ exponential_ geometric_ cauchy_ log_normal_
    masked_fill_ masked_scatter_ scatter_ scatter_add_ scatter_reduce_ index_add_ index_copy_ index_fill_
    index_put_ put_ tril_ triu_
""")
"""The usual methods that change a tensor in place; ``changes_in_place`` knows the rest by their ending."""

NOT_IN_PLACE: frozenset[str] = _words("""
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

# --- Modules --------------------------------------------------------------------------

CRITERIA: frozenset[str] = _within(
    "torch.nn",
    """
    L1Loss MSELoss SmoothL1Loss HuberLoss CrossEntropyLoss NLLLoss NLLLoss2d BCELoss BCEWithLogitsLoss KLDivLoss
    CTCLoss PoissonNLLLoss GaussianNLLLoss CosineEmbeddingLoss HingeEmbeddingLoss MarginRankingLoss
    MultiLabelMarginLoss MultiLabelSoftMarginLoss MultiMarginLoss SoftMarginLoss
    TripletMarginLoss TripletMarginWithDistanceLoss
    """,
)
"""The losses of ``torch.nn``: modules without weights.

Not ``AdaptiveLogSoftmaxWithLoss`` and ``LinearCrossEntropyLoss``, which have them.
"""

PARAMETERLESS: frozenset[str] = CRITERIA | _within(
    "torch.nn",
    """
    ReLU ReLU6 RReLU LeakyReLU ELU SELU CELU GELU GLU SiLU Mish Sigmoid Tanh Softmax Softmax2d LogSoftmax Softmin
    Softplus Softsign Softshrink Hardshrink Hardsigmoid Hardswish Hardtanh LogSigmoid Tanhshrink Threshold
    Dropout Dropout1d Dropout2d Dropout3d AlphaDropout FeatureAlphaDropout
    Flatten Unflatten Identity Fold Unfold Upsample UpsamplingBilinear2d UpsamplingNearest2d
    PixelShuffle PixelUnshuffle ChannelShuffle CosineSimilarity PairwiseDistance
    MaxPool1d MaxPool2d MaxPool3d AvgPool1d AvgPool2d AvgPool3d LPPool1d LPPool2d LPPool3d
    AdaptiveMaxPool1d AdaptiveMaxPool2d AdaptiveMaxPool3d AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d
    FractionalMaxPool2d FractionalMaxPool3d MaxUnpool1d MaxUnpool2d MaxUnpool3d
    ZeroPad1d ZeroPad2d ZeroPad3d ConstantPad1d ConstantPad2d ConstantPad3d CircularPad1d CircularPad2d CircularPad3d
    ReflectionPad1d ReflectionPad2d ReflectionPad3d ReplicationPad1d ReplicationPad2d ReplicationPad3d
    LocalResponseNorm CrossMapLRN2d
    """,
)
"""Modules without weights: they record a graph only for inputs that have one."""

PASSING_ON: frozenset[str] = _within(
    "torch.nn", "Dropout Dropout1d Dropout2d Dropout3d AlphaDropout FeatureAlphaDropout Flatten Unflatten Identity"
)
"""Modules that may give their input back, or a view of it."""

SAVING_MODULES: frozenset[str] = _within(
    "torch.nn",
    """
    Linear Bilinear Embedding Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d PReLU
    BatchNorm1d BatchNorm2d BatchNorm3d LayerNorm GroupNorm RNN LSTM GRU RNNCell LSTMCell GRUCell
    MultiheadAttention TransformerEncoderLayer
    """,
)
"""Modules that save their input itself for the backward pass, when their weights require gradients."""

SAVING_OPERATIONS: frozenset[str] = (
    _words("* / @ ** [] mul multiply div divide true_divide matmul mm bmm mv dot pow maximum minimum einsum")
    | _words("gather index_select masked_fill masked_select")
    | _within(
        "torch.nn.functional",
        """
        linear embedding conv1d conv2d conv3d mse_loss smooth_l1_loss huber_loss cross_entropy nll_loss
        binary_cross_entropy binary_cross_entropy_with_logits kl_div poisson_nll_loss
        """,
    )
    | _within(
        "torch.nn",
        "MSELoss SmoothL1Loss HuberLoss CrossEntropyLoss NLLLoss BCELoss BCEWithLogitsLoss KLDivLoss PoissonNLLLoss",
    )
)
"""Operations that save each operand itself for the backward pass, when another one requires gradients.

Sums, differences and ``cat`` save none; ``l1_loss`` and ``cosine_similarity`` save something else.
"""

NN_BUT_NO_MODULE: frozenset[str] = _within(
    "torch.nn", "Parameter Buffer UninitializedParameter UninitializedBuffer LinearCrossEntropyOptions"
)
"""Classes of ``torch.nn`` whose instances are no modules."""

CONTAINERS_OF_PARAMETERS: frozenset[str] = _within("torch.nn", "ParameterList ParameterDict")
"""Modules in name, but never called."""


def is_module_class(name: str) -> bool:
    """Whether it is a class of ``torch.nn`` whose instances are modules."""
    package, _, last = name.rpartition(".")
    return package == "torch.nn" and last[:1].isupper() and name not in NN_BUT_NO_MODULE


MODEL_SOURCES: frozenset[str] = (
    _within("torch", "compile jit.script jit.trace jit.load jit.freeze hub.load")
    | _within("torch.nn", "DataParallel parallel.DistributedDataParallel SyncBatchNorm.convert_sync_batchnorm")
    | _within("torch.optim.swa_utils", "AveragedModel")
    | _words("torch.distributed.fsdp.FullyShardedDataParallel")
    | _words("apex.parallel.DistributedDataParallel timm.create_model open_clip.create_model peft.get_peft_model")
    | _within("efficientnet_pytorch.EfficientNet", "from_pretrained from_name")
    | _within("sentence_transformers", "SentenceTransformer CrossEncoder")
    | _words("lpips.LPIPS lightning.LightningModule.load_from_checkpoint")
)
"""Functions and classes outside ``torch.nn`` that give a model.

Not ``torch.load``, which gives a checkpoint as often; not ``clip.load``, which gives a pair.
"""

_NO_WEIGHTS = PARAMETERLESS | CONTAINERS_OF_PARAMETERS | {"torch.nn.Module"}
_MODEL_PACKAGES = (
    "torchvision.models.",
    "segmentation_models_pytorch.",
    "timm.models.",
    "torch_geometric.nn.",
    "monai.networks.nets.",
)
_PLAIN_IN_MODEL_PACKAGES = _words("""
    list_models get_weight get_model_weights get_model_builder register_model list_modules is_model
    global_mean_pool global_add_pool global_max_pool knn knn_graph radius radius_graph fps load_checkpoint
    get_preprocessing_fn get_preprocessing_params load_state_dict
""")
_PRETRAINED_PACKAGES = ("transformers.", "diffusers.", "peft.", "pytorch_transformers.", "pytorch_pretrained_bert.")
_NO_MODEL = re.compile(
    r"(Config|Tokenizer|TokenizerFast|Processor|Extractor|Scheduler|Pipeline|Output|Outputs|OutputWith\w+|Loss|_Weights)$"
)


TENSOR_CLASSES: frozenset[str] = _within("torch", "Tensor nn.Parameter autograd.Variable")
"""Classes whose objects are tensors, and no modules."""


def is_model_class(name: str) -> bool:
    """Whether it is torch's own class of modules, or one of its layers with weights: ``torch.nn.Linear``."""
    return name == "torch.nn.Module" or (is_module_class(name) and name not in _NO_WEIGHTS)


def makes_model(name: str) -> bool:
    """Whether calling it gives an ``nn.Module`` with weights: ``AutoModel.from_pretrained``, ``resnet18``."""
    if name in MODEL_SOURCES:
        return True
    if is_module_class(name):
        return name not in _NO_WEIGHTS
    head, _, last = name.rpartition(".")
    owner = _last(head) if last in {"from_pretrained", "from_config"} else last
    if _NO_MODEL.search(owner) is not None:
        return False
    if name.startswith(_MODEL_PACKAGES):
        outside = ".losses." in name or ".metrics." in name or "_Weights." in name
        return not outside and last[:1].isalpha() and last not in _PLAIN_IN_MODEL_PACKAGES
    if name.startswith(_PRETRAINED_PACKAGES):
        return owner[:1].isupper() and ("Model" in owner or "For" in owner or "Autoencoder" in owner)
    return False


MODULE_RETURNS_SELF: frozenset[str] = _words("""
    eval train to to_empty cuda cpu xpu ipu mtia half float double bfloat16 type requires_grad_ apply share_memory
""")
"""Methods of ``nn.Module`` that give the module back."""

MODULE_EVIDENCE_METHODS: frozenset[str] = _words("""
    parameters named_parameters state_dict load_state_dict modules named_modules named_children named_buffers
    register_buffer register_forward_hook register_forward_pre_hook register_full_backward_hook
""")
"""Methods whose call on a name is evidence that it is a module.

Not ``eval``, which TensorFlow, pandas and editdistance have; nor ``train``, which estimators have; nor
``cuda`` and ``to``, which tensors have.
"""

MODULE_GIVES_MODULES: frozenset[str] = _words("modules children named_modules named_children")
"""Methods of modules that iterate over their parts, with their names or without."""

MODULE_METHODS_NOT_FORWARD: frozenset[str] = (
    MODULE_RETURNS_SELF
    | MODULE_EVIDENCE_METHODS
    | _words("""
        zero_grad children buffers get_submodule set_submodule get_parameter get_buffer get_extra_state
        set_extra_state compile extra_repr add_module register_module register_parameter
        register_full_backward_pre_hook register_backward_hook register_state_dict_pre_hook
        register_state_dict_post_hook register_load_state_dict_pre_hook register_load_state_dict_post_hook
        __init__ items keys values append extend insert pop get size
    """)
    | _words("""
        save load save_weights load_weights save_checkpoint load_checkpoint load_model save_model save_networks
        load_networks save_pretrained from_pretrained push_to_hub save_hyperparameters load_from_checkpoint
        init init_weights init_hidden reset reset_parameters tie_weights freeze unfreeze fuse info summary
        config get_config export print num_parameters print_trainable_parameters print_networks
        gradient_checkpointing_enable gradient_checkpointing_disable enable_input_require_grads
        resize_token_embeddings get_input_embeddings set_input_embeddings get_output_embeddings
        merge_and_unload no_sync fit train_model backward step update update_learning_rate set_epoch
        log log_dict configure_optimizers train_dataloader val_dataloader test_dataloader
    """)
)
"""Methods of modules, torch's first and then what frameworks and habit add, that are no forward passes."""

MODULE_FREEZES: dict[str, Answer] = {"freeze": Answer.YES, "unfreeze": Answer.NO}
"""Methods that freeze all weights, or none any more, where they are handed nothing: Lightning's, and others' by habit.

https://lightning.ai/docs/pytorch/stable/common/lightning_module.html#freeze
"""

# --- What trains, loads and scales ----------------------------------------------------

OPTIMIZER_CLASSES: frozenset[str] = _within(
    "torch.optim",
    "ASGD Adadelta Adafactor Adagrad Adam AdamW Adamax LBFGS Muon NAdam Optimizer RAdam RMSprop Rprop SGD SparseAdam",
) | _words("""
    transformers.AdamW transformers.Adafactor pytorch_transformers.AdamW pytorch_pretrained_bert.BertAdam
    lion_pytorch.Lion adabelief_pytorch.AdaBelief ranger.Ranger
    timm.optim.create_optimizer timm.optim.create_optimizer_v2
    deepspeed.ops.adam.FusedAdam deepspeed.ops.adam.DeepSpeedCPUAdam
""")
"""Classes, and makers, of optimizers."""

_OPTIMIZER_PACKAGES = (
    "bitsandbytes.optim.",
    "apex.optimizers.",
    "torch_optimizer.",
    "pytorch_optimizer.",
    "schedulefree.",
)


def makes_optimizer(name: str) -> bool:
    """Whether calling (or inheriting from) this library name gives an optimizer."""
    return name in OPTIMIZER_CLASSES or (name.startswith(_OPTIMIZER_PACKAGES) and _last(name)[:1].isupper())


LOADER_CLASSES: frozenset[str] = _words("""
    torchtext.data.Iterator torchtext.data.BucketIterator torchtext.legacy.data.Iterator
    torchtext.legacy.data.BucketIterator webdataset.WebLoader torchio.SubjectsLoader
    prefetch_generator.BackgroundGenerator
""")
"""Loaders that are not called ``...DataLoader``."""


def makes_loader(name: str) -> bool:
    """Whether calling this library name gives a data loader."""
    last = _last(name)
    return "." in name and (
        name in LOADER_CLASSES
        or last.endswith("DataLoader")
        or (name.startswith("torch_geometric.loader.") and last.endswith("Loader"))
    )


SCALER_CLASSES: frozenset[str] = _words("""
    torch.amp.GradScaler torch.distributed.fsdp.sharded_grad_scaler.ShardedGradScaler
    accelerate.Accelerator lightning.Fabric timm.utils.NativeScaler timm.utils.ApexScaler
""")
"""What scales a loss before ``backward``, or calls ``backward`` for us."""


def makes_scaler(name: str) -> bool:
    """Whether calling this library name gives something that calls backward for us."""
    return name in SCALER_CLASSES


# --- What runs without gradients by itself --------------------------------------------

SELF_GUARDED_METHODS: dict[str, str] = {
    "generate": "transformers: GenerationMixin.generate is decorated with no_grad",
    "encode": "sentence-transformers: encode is decorated with inference_mode",
    "translate": "fairseq's hub interface: no_grad inside",
    "transcribe": "whisper and NeMo: no_grad",
    "predict": "transformers and Lightning trainers, CrossEncoder, segmentation_models_pytorch, stable-baselines",
    "prediction_step": "transformers: Trainer.prediction_step, no_grad inside",
    "prediction_loop": "transformers: through prediction_step",
    "evaluation_loop": "transformers: through prediction_step",
    "evaluate": "transformers: Trainer.evaluate, through prediction_step",
    "validate": "Lightning: Trainer.validate, inference_mode",
    "test": "Lightning: Trainer.test, inference_mode; BaseModel.test of CycleGAN's repository, no_grad",
}
"""Methods of libraries' models and trainers that run without gradients by themselves, and how we know.

By name only: of a class of the file, the file tells.
"""

SETTING_DECORATORS: frozenset[str] = _words("torch.optim.optimizer._use_grad_for_differentiable")
"""Decorators that set grad mode by an option: off in an optimizer's ``step``, unless it is ``differentiable``."""

SELF_GUARDED_CALLABLES: frozenset[str] = _words("""
    transformers.pipeline ignite.engine.create_supervised_evaluator
    torch.optim.swa_utils.update_bn
    diffusers.DiffusionPipeline.from_pretrained diffusers.StableDiffusionPipeline.from_pretrained
    diffusers.StableDiffusionXLPipeline.from_pretrained diffusers.AutoPipelineForText2Image.from_pretrained
""")
"""Functions that run forward passes without gradients, or whose result does."""

# --- Frameworks and hooks -------------------------------------------------------------

GIVES_THE_MODEL: frozenset[str] = (
    _words("torch.compile torch.jit.script torch.jit.trace torch.nn.DataParallel")
    | _words("torch.nn.parallel.DistributedDataParallel torch.nn.SyncBatchNorm.convert_sync_batchnorm")
    | _words("torch.quantization.prepare torch.ao.quantization.prepare")
)
"""What gives the model it is given, wrapped, in the mode it is in."""

LIGHTNING_GRAD_OFF_HOOKS: frozenset[str] = _words("""
    validation_step test_step predict_step validation_step_end test_step_end
    validation_epoch_end test_epoch_end predict_epoch_end
    on_validation_start on_validation_end on_validation_epoch_start on_validation_epoch_end
    on_validation_batch_start on_validation_batch_end on_validation_model_eval on_validation_model_train
    on_test_start on_test_end on_test_epoch_start on_test_epoch_end on_test_batch_start on_test_batch_end
    on_test_model_eval on_test_model_train
    on_predict_start on_predict_end on_predict_epoch_start on_predict_epoch_end
    on_predict_batch_start on_predict_batch_end on_predict_model_eval on_predict_model_train
""")
"""Steps and hooks that Lightning's trainer runs without gradients."""

LIGHTNING_GRAD_ON_HOOKS: frozenset[str] = _words("""
    training_step training_step_end training_epoch_end
    on_train_start on_train_end on_train_epoch_start on_train_epoch_end on_train_batch_start on_train_batch_end
    on_before_backward on_after_backward on_before_optimizer_step on_before_zero_grad
    configure_optimizers configure_gradient_clipping optimizer_step optimizer_zero_grad
""")
"""Steps and hooks that Lightning's trainer runs with gradients.

``optimizer_step`` itself: the optimizer's own ``step`` then turns them off.
"""

AUTOGRAD_FUNCTION_METHODS: frozenset[str] = _words("forward setup_context")
"""Methods of ``torch.autograd.Function`` that torch runs without gradients.

Not ``jvp``: it runs in the mode of the caller.
"""

AUTOGRAD_FUNCTION_BACKWARDS: frozenset[str] = _words("backward vjp")
"""Methods of ``torch.autograd.Function`` that torch runs with gradients for ``create_graph``, and else without."""

HOOK_REGISTRARS: frozenset[str] = _words("""
    register_hook register_post_accumulate_grad_hook register_full_backward_hook
    register_full_backward_pre_hook register_backward_hook register_prehook register_multi_grad_hook
""")
"""Autograd calls these hooks, with gradients for ``create_graph``, and else without."""

TEXT_KEYWORDS: frozenset[str] = _words("max_tokens")
"""Of an engine that takes a text and gives one, as llama.cpp's ``Llama`` and the clients of servers do: no module."""

COMPARING: frozenset[str] = _words("allclose equal eq isclose torch.testing.assert_close")
"""What says whether two tensors are alike, and nothing of either."""

MEMORY_PEAKS: frozenset[str] = _words("torch.cuda.max_memory_allocated torch.cuda.reset_peak_memory_stats")

FORWARD_HOOK_REGISTRARS: frozenset[str] = _words("""
    register_forward_hook register_forward_pre_hook register_module_forward_hook register_module_forward_pre_hook
""")
"""These hooks run in the grad mode of whoever runs the forward pass."""

DIFFERENTIATORS: dict[str, bool] = {
    "torch.autograd.backward": False,
    "torch.autograd.grad": False,
    **{f"torch.autograd.functional.{name}": True for name in ("jacobian", "hessian", "vjp", "jvp", "hvp", "vhp")},
    **{f"torch.func.{name}": True for name in ("grad", "grad_and_value", "vjp", "jvp", "jacrev", "jacfwd", "hessian")},
}
"""What differentiates, and whether it does so under ``no_grad`` too: it turns gradients on for itself.

Under ``inference_mode`` ``torch.autograd.functional.jacobian`` gives zeros without a word.
"""

OTHER_FRAMEWORKS: frozenset[str] = _words("""
    chainer equinox flax haiku jax jittor keras mindspore mlx mxnet oneflow paddle tensorflow tinygrad
""")
"""Their models have ``eval()`` as well, and some a ``no_grad``, which is none of our business."""

THREAD_STARTERS: frozenset[str] = _words("""
    threading.Thread threading.Timer asyncio.to_thread
    concurrent.futures.ThreadPoolExecutor multiprocessing.pool.ThreadPool
""")
"""What runs functions in another thread: there grad mode is on again.

Not processes: a forked one inherits the mode, a spawned one does not, and which it is the platform decides.
"""

THREAD_METHODS: frozenset[str] = _words("""
    submit map apply imap imap_unordered starmap map_async apply_async starmap_async
""")
"""Methods of executors and pools that hand a function to another thread."""


def runs_in_a_thread(name: str) -> bool:
    """Whether what is called, or a method of what it made, takes functions and runs them in another thread."""
    maker, _, method = name.rpartition(".")
    return name in THREAD_STARTERS or (maker in THREAD_STARTERS and method in THREAD_METHODS)


# --- Stars ----------------------------------------------------------------------------

_STAR_NAMES: dict[str, frozenset[str]] = {
    "torch": (
        (
            DIFFERENTIABLE_FUNCTIONS
            | NON_DIFFERENTIABLE
            | VIEW_FUNCTIONS
            | MAYBE_VIEW_FUNCTIONS
            | PLAIN_FUNCTIONS
            | FACTORIES
            | _words("no_grad enable_grad inference_mode autocast GradScaler as_tensor asarray detach")
            | _words("device compile save load manual_seed vmap")
        )
        - _words("bool int long short byte char")
        - _words("new_tensor new_zeros new_ones new_empty new_full new_empty_strided unique")
    ),
    "torch.autograd": _words("""
        Function Variable backward grad no_grad enable_grad inference_mode set_grad_enabled grad_mode variable
        detect_anomaly set_detect_anomaly set_multithreading_enabled gradcheck gradgradcheck
    """),
    "torch.nn": frozenset(_last(name) for name in PARAMETERLESS)
    | _words("""
        Module Parameter Buffer ParameterList ParameterDict UninitializedParameter Sequential ModuleList ModuleDict
        Linear Bilinear LazyLinear Embedding EmbeddingBag PReLU
        Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d LazyConv1d LazyConv2d LazyConv3d
        BatchNorm1d BatchNorm2d BatchNorm3d SyncBatchNorm LayerNorm GroupNorm RMSNorm
        InstanceNorm1d InstanceNorm2d InstanceNorm3d
        RNN RNNBase RNNCell LSTM LSTMCell GRU GRUCell MultiheadAttention
        Transformer TransformerEncoder TransformerDecoder TransformerEncoderLayer TransformerDecoderLayer
        AdaptiveLogSoftmaxWithLoss DataParallel functional init utils parallel modules parameter
    """),
    "torch.nn.functional": _words("""
        relu relu_ relu6 leaky_relu elu selu celu gelu glu silu mish sigmoid tanh softmax log_softmax softmin
        softplus softsign logsigmoid hardtanh hardswish hardsigmoid gumbel_softmax threshold normalize
        linear bilinear embedding embedding_bag one_hot
        dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout
        conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d fold unfold
        max_pool1d max_pool2d max_pool3d avg_pool1d avg_pool2d avg_pool3d lp_pool2d
        adaptive_max_pool1d adaptive_max_pool2d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d
        batch_norm layer_norm group_norm instance_norm rms_norm local_response_norm
        interpolate upsample grid_sample affine_grid pad pixel_shuffle pixel_unshuffle
        cross_entropy nll_loss mse_loss l1_loss smooth_l1_loss huber_loss kl_div ctc_loss
        binary_cross_entropy binary_cross_entropy_with_logits poisson_nll_loss gaussian_nll_loss
        cosine_similarity cosine_embedding_loss pairwise_distance margin_ranking_loss triplet_margin_loss
        hinge_embedding_loss multi_margin_loss soft_margin_loss multilabel_margin_loss multilabel_soft_margin_loss
        scaled_dot_product_attention multi_head_attention_forward
    """),
    "torch.optim": _words("""
        ASGD Adadelta Adafactor Adagrad Adam AdamW Adamax LBFGS NAdam Optimizer RAdam RMSprop Rprop SGD SparseAdam
        Muon lr_scheduler swa_utils
    """),
}


def star_names(module: str) -> frozenset[str]:
    """The names of a star import that matter here."""
    return _STAR_NAMES.get(module, frozenset())
