"""Tables: how torch and frameworks are spelt, and what their names do to grad mode.

Library names are canonical: ``canonical`` turns other spellings into them. What is
claimed of torch here is run on torch in ``tests/truth/test_tables.py``.
"""

from __future__ import annotations

from . import torch_classes, torch_operations
from .grad import ENABLE_GRAD, INFERENCE, NO_GRAD, Shift
from .tables import last_part, table, within

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
    within("contextlib", "nullcontext suppress closing redirect_stdout redirect_stderr chdir")
    | table("open builtins.open io.open gzip.open bz2.open lzma.open codecs.open tarfile.open zipfile.ZipFile")
    | table("os.scandir numpy.errstate numpy.printoptions numpy.load h5py.File PIL.Image.open")
    | within("tempfile", "TemporaryDirectory NamedTemporaryFile TemporaryFile")
    | within("threading", "Lock RLock Semaphore Condition")
    | within("multiprocessing", "Pool Lock pool.Pool pool.ThreadPool")
    | within("concurrent.futures", "ThreadPoolExecutor ProcessPoolExecutor")
    | table("warnings.catch_warnings unittest.mock.patch unittest.mock.patch.object")
    | within("pytest", "raises warns deprecated_call")
    | table("tqdm.tqdm tqdm.trange tqdm.auto.tqdm tqdm.auto.trange tqdm.notebook.tqdm rich.progress.Progress")
    | within("torch", "autocast amp.autocast cuda.amp.autocast device random.fork_rng multiprocessing.Pool")
    | within("torch.autograd", "detect_anomaly set_detect_anomaly set_multithreading_enabled")
    | within("torch.autograd.graph", "save_on_cpu saved_tensors_hooks allow_mutation_on_saved_tensors")
    | within("torch.autograd.profiler", "profile record_function emit_nvtx")
    | within("torch.profiler", "profile record_function")
    | within("torch.cuda", "device device_of stream Stream graph nvtx.range profiler.profile")
    | within("torch.backends", "cudnn.flags mkldnn.flags mkl.verbose mkldnn.verbose cuda.sdp_kernel")
    | table("torch.nn.attention.sdpa_kernel torch.nn.utils.parametrize.cached")
    | table("torch.utils.tensorboard.SummaryWriter tensorboardX.SummaryWriter wandb.init mlflow.start_run")
    | table("matplotlib.pyplot.style.context accelerate.init_empty_weights")
)
"""Context managers that leave grad mode alone."""

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
    "select_action": "LeRobot's policies: no_grad; that of REINFORCE gives what it trains on",
    "predict_action_chunk": "LeRobot's policies: no_grad",
    "forward_on_instance": "AllenNLP: Model.forward_on_instance, through forward_on_instances",
    "forward_on_instances": "AllenNLP: Model.forward_on_instances, no_grad inside",
}
"""Methods of libraries' models and trainers that run without gradients by themselves, and how we know.

By name only: of a class of the file, the file tells.
"""

RUNNING_FUNCTIONS: frozenset[str] = table("""
    monai.inferers.sliding_window_inference monai.inferers.utils.sliding_window_inference
    torch.nn.parallel.data_parallel
""")
"""Functions that run the model they are handed, under the mode of their caller, and give what it gives.

https://docs.monai.io/en/stable/inferers.html#sliding-window-inference-function
"""

NEEDING_TORCH: frozenset[str] = table("""
    torch torchvision torchaudio torchtext torchmetrics torch_geometric pytorch_lightning lightning
""")
"""Packages that name torch among their requirements: a file that imports one cannot be imported without it."""

SETTING_DECORATORS: frozenset[str] = table("torch.optim.optimizer._use_grad_for_differentiable")
"""Decorators that set grad mode by an option: off in an optimizer's ``step``, unless it is ``differentiable``."""

KEEPING_NOTHING: frozenset[str] = (
    frozenset(SWITCHES)
    | table("""
        staticmethod classmethod property abc.abstractmethod contextlib.contextmanager typing.no_type_check
        typing.override typing_extensions.override typing.overload
    """)
    | within("torch", "autocast compile jit.export jit.ignore jit.unused jit.script jit.script_method")
    | within("torch.amp", "autocast custom_fwd custom_bwd")
    | within("torch.cuda.amp", "autocast custom_fwd custom_bwd")
)
"""Decorators whose function gives what it computes anew at each call, and that keep nothing of it."""

SELF_GUARDED_CALLABLES: frozenset[str] = table("""
    transformers.pipeline ignite.engine.create_supervised_evaluator
    torch.optim.swa_utils.update_bn
    diffusers.DiffusionPipeline.from_pretrained diffusers.StableDiffusionPipeline.from_pretrained
    diffusers.StableDiffusionXLPipeline.from_pretrained diffusers.AutoPipelineForText2Image.from_pretrained
""")
"""Functions that run forward passes without gradients, or whose result does."""

# --- Frameworks and hooks -------------------------------------------------------------

GIVES_THE_MODEL: frozenset[str] = (
    table("torch.compile torch.jit.script torch.jit.trace torch.nn.DataParallel")
    | table("torch.nn.parallel.DistributedDataParallel torch.nn.SyncBatchNorm.convert_sync_batchnorm")
    | table("torch.quantization.prepare torch.ao.quantization.prepare")
)
"""What gives the model it is given, wrapped, in the mode it is in."""

LIGHTNING_GRAD_OFF_HOOKS: frozenset[str] = table("""
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

LIGHTNING_GRAD_ON_HOOKS: frozenset[str] = table("""
    training_step training_step_end training_epoch_end
    on_train_start on_train_end on_train_epoch_start on_train_epoch_end on_train_batch_start on_train_batch_end
    on_before_backward on_after_backward on_before_optimizer_step on_before_zero_grad
    configure_optimizers configure_gradient_clipping optimizer_step optimizer_zero_grad
""")
"""Steps and hooks that Lightning's trainer runs with gradients.

``optimizer_step`` itself: the optimizer's own ``step`` then turns them off.
"""

AUTOGRAD_FUNCTION_METHODS: frozenset[str] = table("forward setup_context")
"""Methods of ``torch.autograd.Function`` that torch runs without gradients.

Not ``jvp``: it runs in the mode of the caller.
"""

AUTOGRAD_FUNCTION_BACKWARDS: frozenset[str] = table("backward vjp")
"""Methods of ``torch.autograd.Function`` that torch runs with gradients for ``create_graph``, and else without."""

HOOK_REGISTRARS: frozenset[str] = table("""
    register_hook register_post_accumulate_grad_hook register_full_backward_hook
    register_full_backward_pre_hook register_backward_hook register_prehook register_multi_grad_hook
""")
"""Autograd calls these hooks, with gradients for ``create_graph``, and else without."""

TEXT_KEYWORDS: frozenset[str] = table("max_tokens")
"""Of an engine that takes a text and gives one, as llama.cpp's ``Llama`` and the clients of servers do: no module."""

COMPARING: frozenset[str] = (
    table("allclose equal eq isclose")
    | within("torch.testing", "assert_close assert_allclose")
    | within("numpy.testing", "assert_allclose assert_equal assert_array_equal assert_array_almost_equal")
)
"""What says whether two tensors are alike, and nothing of either."""

MEMORY_PEAKS: frozenset[str] = table("torch.cuda.max_memory_allocated torch.cuda.reset_peak_memory_stats")

FORWARD_HOOK_REGISTRARS: frozenset[str] = table("""
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

MEANT_WITH_GRADIENTS: frozenset[str] = table("""
    .register_hook .retain_grad .requires_grad_
    torch.is_grad_enabled torch.utils.checkpoint.checkpoint torch.func.functional_call
""")
"""Calls that mean another thing, or raise, without gradients; with a dot in front, methods of anything."""

WITHOUT_TENSORS: frozenset[str] = table("""
    cv2 datetime json logging math matplotlib nltk np numpy os pandas PIL random re scipy sklearn sys time
""")
"""Libraries that give numbers, arrays and texts, and keep no tensor that they are handed."""

OTHER_FRAMEWORKS: frozenset[str] = table("""
    chainer equinox flax haiku jax jittor keras mindspore mlx MNN mxnet oneflow paddle tensorflow tinygrad
""")
"""Their models have ``eval()`` as well, and some a ``no_grad``, which is none of our business."""

THREAD_STARTERS: frozenset[str] = table("""
    threading.Thread threading.Timer asyncio.to_thread
    concurrent.futures.ThreadPoolExecutor multiprocessing.pool.ThreadPool
""")
"""What runs functions in another thread: there grad mode is on again.

Not processes: a forked one inherits the mode, a spawned one does not, and which it is the platform decides.
"""

THREAD_METHODS: frozenset[str] = table("""
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
            torch_operations.DIFFERENTIABLE_FUNCTIONS
            | torch_operations.NON_DIFFERENTIABLE
            | torch_operations.VIEW_FUNCTIONS
            | torch_operations.MAYBE_VIEW_FUNCTIONS
            | torch_operations.PLAIN_FUNCTIONS
            | torch_operations.FACTORIES
            | table("no_grad enable_grad inference_mode autocast GradScaler as_tensor asarray detach")
            | table("device compile save load manual_seed vmap")
        )
        - table("bool int long short byte char")
        - table("new_tensor new_zeros new_ones new_empty new_full new_empty_strided unique")
    ),
    "torch.autograd": table("""
        Function Variable backward grad no_grad enable_grad inference_mode set_grad_enabled grad_mode variable
        detect_anomaly set_detect_anomaly set_multithreading_enabled gradcheck gradgradcheck
    """),
    "torch.nn": frozenset(last_part(name) for name in torch_classes.PARAMETERLESS)
    | table("""
        Module Parameter Buffer ParameterList ParameterDict UninitializedParameter Sequential ModuleList ModuleDict
        Linear Bilinear LazyLinear Embedding EmbeddingBag PReLU
        Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d LazyConv1d LazyConv2d LazyConv3d
        BatchNorm1d BatchNorm2d BatchNorm3d SyncBatchNorm LayerNorm GroupNorm RMSNorm
        InstanceNorm1d InstanceNorm2d InstanceNorm3d
        RNN RNNBase RNNCell LSTM LSTMCell GRU GRUCell MultiheadAttention
        Transformer TransformerEncoder TransformerDecoder TransformerEncoderLayer TransformerDecoderLayer
        AdaptiveLogSoftmaxWithLoss DataParallel functional init utils parallel modules parameter
    """),
    "torch.nn.functional": table("""
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
    "torch.optim": table("""
        ASGD Adadelta Adafactor Adagrad Adam AdamW Adamax LBFGS NAdam Optimizer RAdam RMSprop Rprop SGD SparseAdam
        Muon lr_scheduler swa_utils
    """),
}


HANDED_ON: dict[str, str] = {"torch": "torch", "nn": "torch.nn"}
"""What a star import of any module brings along, if it is used here and nothing else binds it."""


def star_names(module: str) -> frozenset[str]:
    """The names of a star import that matter here."""
    return _STAR_NAMES.get(module, frozenset())
