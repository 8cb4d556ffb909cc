"""Tables: what each torch (and framework) name does to grad mode, and gives back.

Names are canonical: ``canonical`` turns other spellings into them. What is
claimed of torch here is run on torch in ``tests/truth/test_tables.py``.
"""

from __future__ import annotations

SWITCHES = frozenset({"torch.no_grad", "torch.enable_grad", "torch.inference_mode", "torch.set_grad_enabled"})
"""Grad-mode context managers, which are decorators as well."""

ALIASES = {
    "torch.autograd.variable.Variable": "torch.autograd.Variable",
    "torch.Tensor.backward": "torch.autograd.backward",
    "torch.nn.parameter.Parameter": "torch.nn.Parameter",
    "torch.nn.modules.module.Module": "torch.nn.Module",
    "torch.nn.modules.Module": "torch.nn.Module",
    "torch.optim.optimizer.Optimizer": "torch.optim.Optimizer",
    "torch.cuda.amp.GradScaler": "torch.amp.GradScaler",
    "torch.cuda.amp.grad_scaler.GradScaler": "torch.amp.GradScaler",
    **{
        f"torch.autograd.{prefix}{name}": f"torch.{name}"
        for prefix in ("", "grad_mode.")
        for name in ("no_grad", "enable_grad", "inference_mode", "set_grad_enabled")
    },
}

_PREFIXES = (
    ("pytorch_lightning.core.lightning.", "lightning."),
    ("pytorch_lightning.callbacks.", "lightning."),
    ("pytorch_lightning.", "lightning."),
    ("lightning.pytorch.callbacks.", "lightning."),
    ("lightning.pytorch.", "lightning."),
    ("functorch.", "torch.func."),
    ("torch._C._functorch.", "torch.func."),
)


def canonical(name: str) -> str:
    """The one name of a thing that several modules export."""
    if name in ALIASES:
        return ALIASES[name]
    for prefix, instead in _PREFIXES:
        if name.startswith(prefix):
            return instead + name[len(prefix) :]
    return name


NEUTRAL_CONTEXTS = frozenset(
    {
        "contextlib.nullcontext",
        "contextlib.suppress",
        "torch.autocast",
        "torch.amp.autocast",
        "torch.cuda.amp.autocast",
        "torch.cuda.device",
        "torch.cuda.stream",
        "torch.profiler.profile",
        "torch.profiler.record_function",
        "torch.autograd.set_detect_anomaly",
        "torch.autograd.detect_anomaly",
        "torch.autograd.profiler.profile",
        "torch.autograd.profiler.record_function",
        "torch.random.fork_rng",
        "warnings.catch_warnings",
        "tqdm.tqdm",
        "tqdm.auto.tqdm",
    }
)
"""Context managers that leave grad mode alone."""

VIEW_METHODS = frozenset(
    "view view_as t squeeze unsqueeze chunk split transpose permute expand expand_as narrow select "
    "diagonal unbind unfold swapaxes swapdims movedim moveaxis tensor_split hsplit vsplit".split()
)
VIEW_FUNCTIONS = frozenset(
    "t squeeze unsqueeze chunk split transpose permute narrow select diagonal unbind swapaxes "
    "swapdims movedim moveaxis tensor_split hsplit vsplit".split()
)
VIEW_ATTRIBUTES = frozenset({"T", "mT", "H", "mH", "real"})
MAYBE_VIEW_METHODS = frozenset(
    "reshape reshape_as flatten contiguous to float double half bfloat16 cpu cuda type type_as ravel "
    "unflatten".split()
)
"""Give the tensor itself, a view, or a copy: which one, only the run tells."""

NON_DIFFERENTIABLE = frozenset(
    "argmax argmin argsort eq ne gt ge lt le isnan isinf isfinite bool int long short byte nonzero "
    "logical_and logical_or logical_not logical_xor greater less greater_equal less_equal not_equal "
    "bincount searchsorted isclose".split()
)
"""Methods and torch functions whose result never requires gradients."""

PLAIN_METHODS = frozenset(
    "item tolist numpy size dim numel nelement ndimension is_contiguous data_ptr element_size stride "
    "allclose equal storage_offset get_device is_floating_point".split()
)
"""Methods that give Python values or arrays."""

DIFFERENTIABLE_METHODS = frozenset(
    "add sub mul div matmul mm bmm mv dot sum mean max min amax amin softmax log_softmax sigmoid tanh relu "
    "exp log log2 log10 log1p expm1 pow sqrt rsqrt square abs norm clamp clip var std clone gather index_select "
    "masked_select masked_fill repeat repeat_interleave prod cumsum cumprod logsumexp neg reciprocal sin cos "
    "tan where lerp addmm addcmul addcdiv topk sort median cummax cummin kthvalue mode scatter scatter_add "
    "flip roll tril triu logit erf erfc floor ceil round trunc sign true_divide multiply subtract divide "
    "negative absolute nansum nanmean renorm cross outer".split()
)
"""Methods whose result requires gradients when an operand does and grad mode is on."""

_DIFFERENTIABLE_FUNCTIONS = DIFFERENTIABLE_METHODS | frozenset(
    "cat stack concat concatenate hstack vstack dstack einsum tensordot cdist maximum minimum reshape flatten ravel "
    "baddbmm chain_matmul broadcast_to dist cosine_similarity pairwise_distance bilinear conv1d conv2d "
    "dropout layer_norm batch_norm meshgrid block_diag kron diag diag_embed trace inverse det logdet rot90 atan2".split()
)
_DIFFERENTIABLE_MODULES = (
    "torch.nn.functional.",
    "torch.special.",
    "torch.linalg.",
    "torch.fft.",
)


def is_differentiable_function(name: str) -> bool:
    """Whether the result of a torch function requires gradients when an argument does."""
    if name.startswith(_DIFFERENTIABLE_MODULES):
        return True
    head, _, last = name.rpartition(".")
    return head == "torch" and last in _DIFFERENTIABLE_FUNCTIONS


FACTORIES = frozenset(
    "tensor zeros ones rand randn randint randperm empty full arange linspace logspace eye zeros_like ones_like "
    "rand_like randn_like empty_like full_like randint_like from_numpy normal bernoulli FloatTensor LongTensor "
    "Tensor scalar_tensor empty_strided".split()
)
"""torch functions that make a leaf without a graph."""

NOT_IN_PLACE = frozenset({"requires_grad_", "detach_", "share_memory_", "rename_", "retain_grad_"})


def changes_in_place(method: str) -> bool:
    """Whether a tensor method changes its tensor: ``add_``, ``copy_``."""
    return method.endswith("_") and not method.endswith("__") and method not in NOT_IN_PLACE


FOREACH_PREFIX = "torch._foreach_"

_PARAMETERLESS = (
    "ReLU ReLU6 LeakyReLU ELU SELU CELU GELU SiLU Mish Sigmoid Tanh Softmax Softmax2d LogSoftmax Softplus Softsign "
    "Hardtanh Hardswish Hardsigmoid Dropout Dropout1d Dropout2d Dropout3d AlphaDropout Flatten Unflatten Identity "
    "MaxPool1d MaxPool2d MaxPool3d AvgPool1d AvgPool2d AvgPool3d AdaptiveAvgPool1d AdaptiveAvgPool2d "
    "AdaptiveAvgPool3d AdaptiveMaxPool1d AdaptiveMaxPool2d AdaptiveMaxPool3d Upsample UpsamplingNearest2d "
    "UpsamplingBilinear2d ZeroPad2d ReflectionPad2d ReplicationPad2d ConstantPad2d PixelShuffle CosineSimilarity "
    "PairwiseDistance"
).split()
PARAMETERLESS = frozenset(f"torch.nn.{name}" for name in _PARAMETERLESS)
"""Modules without weights: they record a graph only for inputs that have one."""

_CRITERIA = (
    "L1Loss NLLLoss PoissonNLLLoss GaussianNLLLoss KLDivLoss MSELoss BCELoss BCEWithLogitsLoss HingeEmbeddingLoss "
    "MultiLabelMarginLoss SmoothL1Loss HuberLoss SoftMarginLoss CrossEntropyLoss MultiLabelSoftMarginLoss "
    "CosineEmbeddingLoss MarginRankingLoss MultiMarginLoss TripletMarginLoss TripletMarginWithDistanceLoss CTCLoss "
    "NLLLoss2d"
).split()
CRITERIA = frozenset(f"torch.nn.{name}" for name in _CRITERIA)

_MODEL_MODULES = (
    "torchvision.models.",
    "segmentation_models_pytorch.",
    "timm.models.",
    "torch_geometric.nn.",
)
_MODEL_CALLS = frozenset(
    {
        "timm.create_model",
        "torch.hub.load",
        "torch.jit.load",
        "torch.jit.script",
        "torch.jit.trace",
        "torch.compile",
        "torch.nn.DataParallel",
        "torch.nn.parallel.DistributedDataParallel",
        "clip.load",
        "efficientnet_pytorch.EfficientNet.from_pretrained",
    }
)
_NOT_MODULES = frozenset(
    {"torch.nn.Parameter", "torch.nn.Module", "torch.nn.ParameterList", "torch.nn.ParameterDict"}
)


def makes_model(name: str) -> bool:
    """Whether calling this library name gives an ``nn.Module`` with weights."""
    head, _, last = name.rpartition(".")
    if name in _MODEL_CALLS:
        return True
    if head == "torch.nn" and last[:1].isupper():
        return name not in CRITERIA | PARAMETERLESS | _NOT_MODULES and not last.endswith("Loss")
    if name.startswith(_MODEL_MODULES):
        return last[:1].isalpha() and not last.endswith(("Weights", "Loss"))
    if name.startswith("transformers."):
        owner = head.rsplit(".", 1)[-1] if last in {"from_pretrained", "from_config"} else last
        return "Model" in owner and "Output" not in owner
    return False


def makes_optimizer(name: str) -> bool:
    """Whether calling (or inheriting from) this library name gives an optimizer."""
    head, _, last = name.rpartition(".")
    if head == "torch.optim" or name.startswith(("torch.optim.", "bitsandbytes.optim.")):
        return last[:1].isupper() and "lr_scheduler" not in head and "swa_utils" not in head
    return name in {"transformers.AdamW", "transformers.Adafactor", "transformers.optimization.AdamW"}


def makes_loader(name: str) -> bool:
    """Whether calling this library name gives a data loader."""
    last = name.rsplit(".", 1)[-1]
    return last.endswith(("DataLoader", "NeighborLoader")) and "." in name


def makes_scaler(name: str) -> bool:
    """Whether calling this library name gives something that calls backward for us."""
    return name in {
        "torch.amp.GradScaler",
        "accelerate.Accelerator",
        "lightning.fabric.Fabric",
        "lightning.Fabric",
    }


SELF_GUARDED_METHODS = frozenset({"generate", "encode", "prediction_step", "translate", "transcribe"})
"""Methods that run without gradients by themselves: Hugging Face ``generate`` is
decorated with ``no_grad``, ``encode`` of sentence-transformers with ``inference_mode``."""

SELF_GUARDED_CALLABLES = frozenset({"transformers.pipeline", "transformers.pipelines.pipeline"})

MODULE_RETURNS_SELF = frozenset(
    "eval train to cuda cpu half float double bfloat16 requires_grad_ apply share_memory type to_empty xpu".split()
)
MODULE_EVIDENCE_METHODS = frozenset(
    "parameters named_parameters state_dict load_state_dict named_modules modules named_children "
    "register_forward_hook register_buffer".split()
)
"""Methods whose call on a name is evidence that it is a module."""
MODULE_METHODS_NOT_FORWARD = (
    MODULE_RETURNS_SELF
    | MODULE_EVIDENCE_METHODS
    | frozenset(
        "zero_grad children buffers named_buffers get_submodule get_parameter compile extra_repr add_module "
        "register_module register_parameter register_forward_pre_hook register_full_backward_hook "
        "register_backward_hook register_load_state_dict_post_hook save save_pretrained from_pretrained init_weights "
        "reset_parameters load save_checkpoint load_checkpoint named_parameters freeze unfreeze get_config config "
        "summary export push_to_hub gradient_checkpointing_enable resize_token_embeddings get_input_embeddings "
        "set_input_embeddings tie_weights load_weights save_weights init init_hidden reset backward step "
        "items keys values append extend get size __init__ log log_dict print fit train_model "
        "configure_optimizers train_dataloader val_dataloader print_trainable_parameters no_sync "
        "enable_input_require_grads set_epoch update num_parameters".split()
    )
)
"""Methods of modules that are no forward passes."""

LIGHTNING_GRAD_OFF_HOOKS = frozenset(
    "validation_step test_step predict_step validation_epoch_end test_epoch_end predict_epoch_end "
    "validation_step_end test_step_end on_validation_start on_validation_end on_validation_epoch_start "
    "on_validation_epoch_end on_validation_batch_start on_validation_batch_end on_test_start on_test_end "
    "on_test_epoch_start on_test_epoch_end on_test_batch_start on_test_batch_end on_predict_start on_predict_end "
    "on_predict_epoch_start on_predict_epoch_end on_predict_batch_start on_predict_batch_end".split()
)
LIGHTNING_GRAD_ON_HOOKS = frozenset(
    "training_step training_epoch_end training_step_end on_train_start on_train_end on_train_epoch_start "
    "on_train_epoch_end on_train_batch_start on_train_batch_end".split()
)
AUTOGRAD_FUNCTION_METHODS = frozenset({"forward", "backward", "setup_context", "vjp", "jvp"})
HOOK_REGISTRARS = frozenset(
    {
        "register_hook",
        "register_post_accumulate_grad_hook",
        "register_full_backward_hook",
        "register_full_backward_pre_hook",
        "register_backward_hook",
        "register_prehook",
    }
)
"""Autograd calls these hooks with gradients off."""

DIFFERENTIATORS = frozenset(
    {"torch.autograd.backward", "torch.autograd.grad"}
    | {f"torch.autograd.functional.{name}" for name in ("jacobian", "hessian", "vjp", "jvp", "hvp", "vhp")}
    | {
        f"torch.func.{name}"
        for name in ("grad", "grad_and_value", "vjp", "jvp", "jacrev", "jacfwd", "hessian")
    }
)

_STAR_NAMES = {
    "torch": frozenset(name.removeprefix("torch.") for name in SWITCHES) | FACTORIES,
    "torch.nn": frozenset({"Module", "Parameter", "Linear", "Sequential", "CrossEntropyLoss", "MSELoss"}),
}


def star_names(module: str) -> frozenset[str]:
    """The names of a star import that matter here."""
    return _STAR_NAMES.get(module, frozenset())
