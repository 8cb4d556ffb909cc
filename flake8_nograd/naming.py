"""What a name that nothing in the file explains suggests.

A name alone never raises a finding: it only settles what an expression probably is. Each
question takes a dotted path as well, and looks at its last segment.
"""

from __future__ import annotations

import re

_SPLIT = re.compile(r"[_\W]+|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NUMBER = re.compile(r"\d+$")


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def words_of(name: str) -> tuple[str, ...]:
    """The words of the last segment, lower case, without numbers at their end: ``self.valDL2`` is ``val dl``."""
    pieces = (_NUMBER.sub("", piece.lower()) for piece in _SPLIT.split(_last(name)))
    return tuple(piece for piece in pieces if piece)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# --------------------------------------------------------------------------------------
# Models

MODEL_WORDS = _words("""
    model models net network nets networks module backbone encoder decoder generator discriminator critic actor policy
    teacher student classifier detector segmentor segmenter regressor predictor extractor embedder vae gan unet
    resnet vgg bert gpt llm lm transformer mlp cnn rnn lstm gru autoencoder vqgan clip diffusion agent
    netg netd gen disc ema ensemble qnet vnet denoiser vocoder
""")
"""Nouns for a module with weights. They count as the last word (``target_net``) or before `MODEL_SUFFIXES`."""

MODEL_SUFFIXES = _words(
    "g d a b s t ema copy parallel ddp wrapped eval target old new local without ddp student teacher"
)
"""What follows the noun and leaves it a model: ``model_ema``, ``net_g``, ``model_without_ddp``, ``model_a``."""

NOT_MODEL_WORDS = _words("""
    name path paths dir dirs file files config cfg conf args arg opt opts params param parameters kwargs id ids type
    class cls url list dict state weights ckpt checkpoint fn func output outputs out input inputs loss optimizer optim
    data loader dataset size dim dims zoo info key keys builder factory spec str version results score scores
    time logger device dtype
""")
"""Words after which a name with a model's noun is something else: ``model_name``, ``models_dir``, ``net_params``."""

_MODEL_FUSED = re.compile(r"^(net|model)[a-z]?$|.*(net|model)$")
"""``netG``, ``resnet``, ``mymodel``."""
_NOT_FUSED = _words("internet magnet cabinet ethernet subnet planet dotnet inet telnet botnet")


def sounds_like_model(name: str) -> bool:
    """``model``, ``self.net``, ``netG``, ``target_network``; not ``model_name``."""
    words = words_of(name)
    if not words or _last(name).isupper():
        return False
    if set(words) & NOT_MODEL_WORDS:
        return False
    while len(words) > 1 and words[-1] in MODEL_SUFFIXES:
        words = words[:-1]
    last = words[-1]
    return last in MODEL_WORDS or (last not in _NOT_FUSED and _MODEL_FUSED.match(last) is not None)


# --------------------------------------------------------------------------------------
# Loaders

LOADER_WORDS = _words("loader loaders dataloader dataloaders dl batches iterator iter dls dldr ldr")
"""``train_loader``, ``val_dl``, ``test_iter``, ``batches``."""

DATA_SET_WORDS = LOADER_WORDS | _words("data set dataset generator gen ds queue")
"""What also follows ``train`` or ``val`` and is gone through batch by batch: ``val_data``, ``testset``."""

EVALUATION_WORDS = _words("val valid validation validate test testing eval evaluation dev heldout holdout vali tst")
TRAINING_WORDS = _words("train training tr trn trn trainval")

_FUSED_LOADER = re.compile(r"^(?P<purpose>[a-z]+?)(?P<what>dataloader|loader|iter|dl|set|data|dataset)$")
"""``trainloader``, ``testset``, ``valdata``: one word of two."""


def _loader_words(name: str) -> tuple[str, ...]:
    words: list[str] = []
    for word in words_of(name):
        fused = _FUSED_LOADER.match(word)
        if fused is None or word in LOADER_WORDS or fused["purpose"] not in EVALUATION_WORDS | TRAINING_WORDS:
            words.append(word)
        else:
            words += [fused["purpose"], fused["what"]]
    return tuple(words)


def _ends_in(words: tuple[str, ...], nouns: frozenset[str]) -> bool:
    """Whether the noun stands last, or first: ``loader_val``."""
    return bool(words) and (words[-1] in nouns or words[0] in nouns)


_NOT_LOADER_WORDS = _words(
    "len length size num n count batch_size path paths dir file name names fn idx index ratio split cfg"
)


def sounds_like_loader(name: str) -> bool:
    """``loader``, ``train_loader``, ``val_dl``, ``trainloader``, ``batches``."""
    words = _loader_words(name)
    return _ends_in(words, LOADER_WORDS) and not set(words) & _NOT_LOADER_WORDS


def _is_set_for(name: str, purposes: frozenset[str]) -> bool:
    words = _loader_words(name)
    return bool(set(words) & purposes) and _ends_in(words, DATA_SET_WORDS) and not set(words) & _NOT_LOADER_WORDS


def sounds_like_evaluation_loader(name: str) -> bool:
    """``val_loader``, ``testloader``, ``dev_iter``, ``validation_generator``."""
    return _is_set_for(name, EVALUATION_WORDS) and not _is_set_for(name, TRAINING_WORDS)


def sounds_like_training_loader(name: str) -> bool:
    """``train_loader``, ``trainset``, ``training_generator``."""
    return _is_set_for(name, TRAINING_WORDS)


# --------------------------------------------------------------------------------------
# Functions

EVALUATION_FUNCTION_WORDS = _words("""
    eval evaluate evaluation evaluator validate validation valid val test tests testing predict prediction predictions
    infer inference score benchmark accuracy
""")
"""Words of functions that only look at what a model gives."""

TRAINING_FUNCTION_WORDS = _words("""
    train training trainer fit finetune tune optimize optimise learn update pretrain backprop backward step distill
""")
"""Words of functions that change weights. With one of these a name is no evaluation: ``train_and_evaluate``."""


def sounds_like_evaluation(name: str) -> bool:
    """``evaluate``, ``eval_epoch``, ``validate``, ``test``, ``predict``; not ``train_and_evaluate``."""
    words = words_of(name)
    if "step" in words and words[0] in EVALUATION_FUNCTION_WORDS:
        return True
    if set(words) & TRAINING_FUNCTION_WORDS:
        return False
    return bool(set(words) & EVALUATION_FUNCTION_WORDS) or _is_sampling(words)


def _is_sampling(words: tuple[str, ...]) -> bool:
    """``generate_samples``, ``sample_images``, ``extract_features``: they draw, and train nothing."""
    return len(words) > 1 and (words[0], words[-1]) in {
        (verb, noun)
        for verb in ("generate", "sample", "save", "extract", "compute", "get", "plot", "visualize", "show")
        for noun in ("samples", "images", "features", "embeddings", "predictions", "accuracy", "metrics")
    }


def sounds_like_training(name: str) -> bool:
    """``train``, ``fit``, ``training_step``, ``update_critic``; not ``validation_step``."""
    words = words_of(name)
    if words and words[0] in EVALUATION_FUNCTION_WORDS:
        return False
    return bool(set(words) & TRAINING_FUNCTION_WORDS)


# --------------------------------------------------------------------------------------
# Values

DATA_NAMES = _words("""
    x y z xb yb xs ys bx by x0 x1 x2 xx yy inp inps inputs input target targets tgt src trg label labels lbl gt gts
    batch batches_data image images img imgs im ims data datum sample samples mask masks attention_mask token tokens
    input_ids token_ids ids text texts caption captions audio wav waveform mel mels spec frames frame video videos
    pixel_values points point cloud noise obs observation observations state states next_state next_states next_obs
    action actions reward rewards done dones features sequence sequences seq seqs length lengths inputs_ids
    source sources context question questions answer prompt prompts condition cond real real_imgs real_images
    user users item items rating ratings
""")
"""What a loader yields, or a caller hands in. Not features computed by a model: those have a binding."""

_DATA_ENDINGS = _words("""
    image images img imgs input inputs target targets label labels batch mask masks ids tokens data x y
    gt audio text noise obs observation sample samples
""")


def sounds_like_data(name: str) -> bool:
    """``x``, ``yb``, ``images``, ``input_ids``, ``batch_x``."""
    last = _last(name).lower()
    words = words_of(name)
    return last in DATA_NAMES or (bool(words) and (words[-1] in _DATA_ENDINGS or "_".join(words) in DATA_NAMES))


LOSS_WORDS = _words("loss losses cost objective err elbo nll")
"""The value to go back from."""
NOT_LOSS_WORDS = _words(
    "fn func function criterion module name names type weight weights scale scaler dict list log history"
)
"""``loss_fn`` computes one; ``loss_weight`` scales it; ``loss_history`` keeps floats."""
_LOSS_NAMES = re.compile(r"^loss[a-z]?$|.+loss$")


def sounds_like_loss(name: str) -> bool:
    """``loss``, ``total_loss``, ``lossG``, ``loss_d``, ``errD``; not ``loss_fn``."""
    if _last(name)[:1].isupper():
        return False
    words = words_of(name)
    if not words or set(words) & NOT_LOSS_WORDS:
        return False
    return words[-1] in LOSS_WORDS or words[0] in LOSS_WORDS or any(_LOSS_NAMES.match(word) for word in words)


CRITERION_WORDS = _words("criterion criteria criterions crit lossfn lossfunc lossfunction")
_FUNCTION_WORDS = _words("fn func function f module criterion fct layer")
_KINDS_OF_LOSS = _words("""
    ce bce mse mae l1 l kl nll ctc cross entropy dice focal huber smooth gan adv adversarial perceptual triplet hinge
    cosine contrastive reconstruction rec recon cls reg
""")


def sounds_like_criterion(name: str) -> bool:
    """``criterion``, ``criterionGAN``, ``loss_fn``, ``self.mse_loss``; not ``loss``.

    Asked of what is *called*: a called ``mse_loss`` computes a loss, a bare one is a value.
    """
    words = words_of(name)
    if not words:
        return False
    if set(words) & CRITERION_WORDS:
        return True
    if set(words) & LOSS_WORDS:
        return bool(set(words) & (_FUNCTION_WORDS | _KINDS_OF_LOSS))
    return _last(name).endswith("Loss") or words[-1] in {"bce", "mse"}


OPTIMIZER_WORDS = _words("optimizer optimizers optimiser optimisers optim optims opt opts adam sgd adamw solver")
_NOT_OPTIMIZER_WORDS = _words("config cfg args name type params level state dict class cls path lr scheduler step")


def sounds_like_optimizer(name: str) -> bool:
    """``optimizer``, ``optimizerD``, ``self.opt_g``, ``actor_optim``; not ``optimizer_name``."""
    words = words_of(name)
    return (
        bool(words)
        and (words[-1] in OPTIMIZER_WORDS or words[0] in OPTIMIZER_WORDS)
        and not set(words) & _NOT_OPTIMIZER_WORDS
    )


SCALER_WORDS = _words("scaler scalers gradscaler accelerator fabric lossscaler")


def sounds_like_scaler(name: str) -> bool:
    """``scaler``, ``self.grad_scaler``, ``accelerator``, ``fabric``: what calls ``backward`` for us."""
    words = words_of(name)
    return bool(words) and words[-1] in SCALER_WORDS


# --------------------------------------------------------------------------------------
# Foreign switches, attacks, frozen things

_NO_GRAD = re.compile(
    r"no_?grad|without_?grad|disable_?grad|grad(s|ients?)?_?(off|disabled)|inference_?(mode|context|guard)|eval_?(mode|context|decorator)"
    r"|evaluating|evaluation_?mode|freeze_?grad|no_?autograd|maybe_no_grad|set_grad|enable_grad|torch_inference"
)
"""Somebody's decorator or context manager that probably turns gradients off (or may): TTUR's ``eval_decorator``,
Tianshou's ``torch_train_mode`` is none, fairseq's ``inference_mode`` helpers, diffusers' ``no_grad_if``."""


def sounds_like_no_grad(name: str) -> bool:
    """``utils.no_grad``, ``eval_mode(model)``, ``inference_context``, ``evaluating(net)``."""
    spaced = "_".join(words_of(name))
    return _NO_GRAD.search(spaced) is not None


ATTACK_WORDS = _words("""
    attack attacks attacker adversary adversarial adv pgd fgsm ifgsm mifgsm bim cw deepfool autoattack trades vat
    perturb perturbation adapt adaptation saliency gradcam cam explain attribution attributions attribute integrated
    gradients gradient grad jacobian hessian hvp penalty invert inversion maml langevin sgld guidance energy
""")
"""What needs the gradient of an input, or adapts the weights, in the middle of an evaluation."""


def sounds_like_attack(name: str) -> bool:
    """``pgd_attack``, ``fgsm``, ``adapt``, ``compute_saliency``, ``gradient_penalty``; not ``no_grad``."""
    return bool(set(words_of(name)) & ATTACK_WORDS) and not sounds_like_no_grad(name)


FROZEN_WORDS = _words("frozen freeze freezed fixed detached")


def sounds_like_frozen(name: str) -> bool:
    """``frozen_encoder``, ``model_frozen``: the author says that it is not trained."""
    return bool(set(words_of(name)) & FROZEN_WORDS)


TEACHER_WORDS = _words("teacher target ema momentum reference ref old frozen")


def sounds_like_teacher(name: str) -> bool:
    """``teacher``, ``target_net``, ``ref_model``: looked at beside a model that trains."""
    return bool(set(words_of(name)) & TEACHER_WORDS)


TRAINING_FLAG_WORDS = _words("train training phase mode split stage backprop backward")


def sounds_like_training_flag(name: str) -> bool:
    """``train``, ``is_training``, ``phase``: a condition that shares code between training and evaluation."""
    return bool(set(words_of(name)) & TRAINING_FLAG_WORDS)
