"""Tables: which names make modules, optimizers, loaders and scalers, and what modules can do."""

from __future__ import annotations

import re

from .grad import Answer
from .tables import last_part, table, within

# --- Modules --------------------------------------------------------------------------

CRITERIA: frozenset[str] = within(
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

PARAMETERLESS: frozenset[str] = CRITERIA | within(
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

PASSING_ON: frozenset[str] = within(
    "torch.nn", "Dropout Dropout1d Dropout2d Dropout3d AlphaDropout FeatureAlphaDropout Flatten Unflatten Identity"
)
"""Modules that may give their input back, or a view of it."""

SAVING_MODULES: frozenset[str] = within(
    "torch.nn",
    """
    Linear Bilinear Embedding Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d PReLU
    BatchNorm1d BatchNorm2d BatchNorm3d LayerNorm GroupNorm RNN LSTM GRU RNNCell LSTMCell GRUCell
    MultiheadAttention TransformerEncoderLayer
    """,
)
"""Modules that save their input itself for the backward pass, when their weights require gradients."""

FAST_WITHOUT_GRADIENTS: frozenset[str] = within("torch.nn", "Transformer TransformerEncoder TransformerEncoderLayer")
"""Modules that take another way in evaluation mode without gradients, and give zeros where their input is padding.

Truth: tests/truth/test_rules.
"""

SAVING_OPERATIONS: frozenset[str] = (
    table("* / @ ** [] mul multiply div divide true_divide matmul mm bmm mv dot pow maximum minimum einsum")
    | table("gather index_select masked_fill masked_select")
    | within(
        "torch.nn.functional",
        """
        linear embedding conv1d conv2d conv3d mse_loss smooth_l1_loss huber_loss cross_entropy nll_loss
        binary_cross_entropy binary_cross_entropy_with_logits kl_div poisson_nll_loss
        """,
    )
    | within(
        "torch.nn",
        "MSELoss SmoothL1Loss HuberLoss CrossEntropyLoss NLLLoss BCELoss BCEWithLogitsLoss KLDivLoss PoissonNLLLoss",
    )
)
"""Operations that save each operand itself for the backward pass, when another one requires gradients.

Sums, differences and ``cat`` save none; ``l1_loss`` and ``cosine_similarity`` save something else.
"""

NN_BUT_NO_MODULE: frozenset[str] = within(
    "torch.nn", "Parameter Buffer UninitializedParameter UninitializedBuffer LinearCrossEntropyOptions"
)
"""Classes of ``torch.nn`` whose instances are no modules."""

CONTAINERS_OF_PARAMETERS: frozenset[str] = within("torch.nn", "ParameterList ParameterDict")
"""Modules in name, but never called."""

CONTAINERS_OF_MODULES: frozenset[str] = within("torch.nn", "Sequential ModuleList ModuleDict")
"""Modules of what they are handed."""


def is_module_class(name: str) -> bool:
    """Whether it is a class of ``torch.nn`` whose instances are modules."""
    package, _, last = name.rpartition(".")
    return package == "torch.nn" and last[:1].isupper() and name not in NN_BUT_NO_MODULE


MODEL_SOURCES: frozenset[str] = (
    within("torch", "compile jit.script jit.trace jit.load jit.freeze hub.load")
    | within("torch.nn", "DataParallel parallel.DistributedDataParallel SyncBatchNorm.convert_sync_batchnorm")
    | within("torch.optim.swa_utils", "AveragedModel")
    | table("torch.distributed.fsdp.FullyShardedDataParallel")
    | table("apex.parallel.DistributedDataParallel timm.create_model open_clip.create_model peft.get_peft_model")
    | within("efficientnet_pytorch.EfficientNet", "from_pretrained from_name")
    | within("sentence_transformers", "SentenceTransformer CrossEncoder")
    | table("lpips.LPIPS lightning.LightningModule.load_from_checkpoint")
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
_PLAIN_IN_MODEL_PACKAGES = table("""
    list_models get_weight get_model_weights get_model_builder register_model list_modules is_model
    global_mean_pool global_add_pool global_max_pool knn knn_graph radius radius_graph fps load_checkpoint
    get_preprocessing_fn get_preprocessing_params load_state_dict
""")
_PRETRAINED_PACKAGES = ("transformers.", "diffusers.", "peft.", "pytorch_transformers.", "pytorch_pretrained_bert.")
_NO_MODEL = re.compile(
    r"(Config|Tokenizer|TokenizerFast|Processor|Extractor|Scheduler|Pipeline|Output|Outputs|OutputWith\w+|Loss|_Weights)$"
)


TENSOR_CLASSES: frozenset[str] = within("torch", "Tensor nn.Parameter autograd.Variable")
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
    owner = last_part(head) if last in {"from_pretrained", "from_config"} else last
    if _NO_MODEL.search(owner) is not None:
        return False
    if name.startswith(_MODEL_PACKAGES):
        outside = ".losses." in name or ".metrics." in name or "_Weights." in name
        return not outside and last[:1].isalpha() and last not in _PLAIN_IN_MODEL_PACKAGES
    if name.startswith(_PRETRAINED_PACKAGES):
        return owner[:1].isupper() and ("Model" in owner or "For" in owner or "Autoencoder" in owner)
    return False


MODULE_RETURNS_SELF: frozenset[str] = table("""
    eval train to to_empty cuda cpu xpu ipu mtia half float double bfloat16 type requires_grad_ apply share_memory
""")
"""Methods of ``nn.Module`` that give the module back."""

MODULE_EVIDENCE_METHODS: frozenset[str] = table("""
    parameters named_parameters state_dict load_state_dict modules named_modules named_children named_buffers
    register_buffer register_forward_hook register_forward_pre_hook register_full_backward_hook
""")
"""Methods whose call on a name is evidence that it is a module.

Not ``eval``, which TensorFlow, pandas and editdistance have; nor ``train``, which estimators have; nor
``cuda`` and ``to``, which tensors have.
"""

MODULE_GIVES_MODULES: frozenset[str] = table("modules children named_modules named_children")
PLAIN_ATTRIBUTES_OF_LAYERS: frozenset[str] = table("padding_idx num_embeddings embedding_dim in_features out_features")
"""Attributes of ``nn.Linear`` and ``nn.Embedding`` that give numbers."""
"""Methods of modules that iterate over their parts, with their names or without."""

MODULE_METHODS_NOT_FORWARD: frozenset[str] = (
    MODULE_RETURNS_SELF
    | MODULE_EVIDENCE_METHODS
    | table("""
        zero_grad children buffers get_submodule set_submodule get_parameter get_buffer get_extra_state
        set_extra_state compile extra_repr add_module register_module register_parameter
        register_full_backward_pre_hook register_backward_hook register_state_dict_pre_hook
        register_state_dict_post_hook register_load_state_dict_pre_hook register_load_state_dict_post_hook
        __init__ items keys values append extend insert pop get size
    """)
    | table("""
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

OPTIMIZER_CLASSES: frozenset[str] = within(
    "torch.optim",
    "ASGD Adadelta Adafactor Adagrad Adam AdamW Adamax LBFGS Muon NAdam Optimizer RAdam RMSprop Rprop SGD SparseAdam",
) | table("""
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
    return name in OPTIMIZER_CLASSES or (name.startswith(_OPTIMIZER_PACKAGES) and last_part(name)[:1].isupper())


LOADER_CLASSES: frozenset[str] = table("""
    torchtext.data.Iterator torchtext.data.BucketIterator torchtext.legacy.data.Iterator
    torchtext.legacy.data.BucketIterator webdataset.WebLoader torchio.SubjectsLoader
    prefetch_generator.BackgroundGenerator
""")
"""Loaders that are not called ``...DataLoader``."""


def makes_loader(name: str) -> bool:
    """Whether calling this library name gives a data loader."""
    last = last_part(name)
    return "." in name and (
        name in LOADER_CLASSES
        or last.endswith("DataLoader")
        or (name.startswith("torch_geometric.loader.") and last.endswith("Loader"))
    )


SCALER_CLASSES: frozenset[str] = table("""
    torch.amp.GradScaler torch.distributed.fsdp.sharded_grad_scaler.ShardedGradScaler
    accelerate.Accelerator lightning.Fabric timm.utils.NativeScaler timm.utils.ApexScaler
""")
"""What scales a loss before ``backward``, or calls ``backward`` for us."""


def makes_scaler(name: str) -> bool:
    """Whether calling this library name gives something that calls backward for us."""
    return name in SCALER_CLASSES
