"""Tables: what a name suggests where nothing in the file explains it.

A name alone never raises a finding: it only tells what a value probably is. Each
question takes a dotted path as well, and looks at its last part.
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from functools import cache
from itertools import takewhile

from .tables import table

_SPLIT = re.compile(r"[_\W]+|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_DIGITS = "0123456789"


@cache
def words_of(name: str) -> tuple[str, ...]:
    """Split the last part of a path: ``self.valDL2`` is ``val``, ``dl``; numbers at the end of a word are dropped."""
    part = name.rpartition("[")[0] or name
    key = name[len(part) :] if name.endswith(("']", '"]')) else ""
    last = part.rpartition(".")[2] + key
    words = (word.lower().rstrip(_DIGITS) for word in _SPLIT.split(last))
    return tuple(word for word in words if word)


def _any(words: tuple[str, ...], table: frozenset[str]) -> bool:
    return not table.isdisjoint(words)


def sounds_like_class(name: str) -> bool:
    """Whether a name is written as classes and constants are: ``ResNet``, ``G``, ``MODEL``."""
    last = name.rpartition(".")[2].lstrip("_")
    return last.isupper() or (last[:1].isupper() and "_" not in last)


MAKING_WORDS = table("""
    get make build create load init initialize setup prepare define construct set save store export convert wrap
    freeze unfreeze count print find select choose register add remove reset update configure parse run compute compose
    instantiate assemble restore
""")
"""Verbs: ``build_model`` gives a model and is none, ``get_loader`` no loader."""

ENVIRONMENT_WORDS = table("env envs environment environments gym")


@cache
def sounds_like_environment(name: str) -> bool:
    """``env``, ``self.test_envs``, ``eval_env.unwrapped``: what takes actions, step by step; not ``env_name``.

    Nor ``simulator``: through that of a physical system gradients are often taken.
    """
    return any(_any(words_of(part)[-1:], ENVIRONMENT_WORDS) for part in name.split("."))


# --- Models ---------------------------------------------------------------------------

MODEL_WORDS = table("""
    model models net nets network networks module backbone encoder decoder generator discriminator critic actor policy
    teacher student classifier detector segmentor segmenter regressor predictor extractor embedder autoencoder denoiser
    vocoder agent unet vae vqgan gan bert gpt llm lm resnet vgg transformer mlp cnn rnn lstm gru dqn diffusion
    gen disc ema qnetwork
""")
"""Nouns for a module with weights. The last word decides: ``target_network``, ``text_encoder_2``."""

MODEL_QUALIFIERS = table("""
    ema copy parallel ddp dp wrapped eval target old new local global without ft quantized fused pruned pretrained
    finetuned best main online source student teacher engine inference ref reference real fake target conv half int fp
    momentum frozen
""")
"""What follows the noun and leaves it a model: ``model_ema``, ``model_without_ddp``, ``model_ft``."""

NOT_MODEL_WORDS = table("""
    name path paths dir dirs root file files config cfg conf args arg opt opts options param params parameters kwargs
    id ids idx type class cls url list dict state states weights weight ckpt checkpoint fn func function output outputs
    out input inputs loss losses optimizer optim lr data loader dataset size dim dims zoo info key keys builder factory
    spec str version result results score scores time logger device dtype mask hidden tokenizer decay grad value rate
    len num count logits pred preds features feature feat feats to by is no
""")
"""With one of these a model's noun means something else: ``model_name``, ``models_dir``, ``net_params``."""

FEATURE_WORDS = table("feature features feat feats")
FEATURE_MODEL_WORDS = table("extractor encoder net network")
"""``feature_extractor``, ``feat_net``: here what a model gives says which model it is."""

_MODEL_FUSED = re.compile(r"^(?:net|model)[a-z]?$|^[a-z]*[a-z](?:net|model|rnn|cnn|mlp|vae)$")
"""``netg``, ``resnet``, ``mymodel``, ``textcnn``; an LSTM may give what is packed."""
_NOT_FUSED = table("internet magnet cabinet ethernet subnet planet dotnet inet telnet botnet sonnet bonnet")


@cache
def sounds_like_model(name: str) -> bool:
    """``model``, ``self.net``, ``netG``, ``target_network``; not ``model_name``, ``build_model``, ``Net``."""
    words = words_of(name)
    if len(words) > 1 and words[-1] in FEATURE_MODEL_WORDS and words[-2] in FEATURE_WORDS:
        words = (*words[:-2], words[-1])
    if not words or sounds_like_class(name) or words[0] in MAKING_WORDS or _any(words, NOT_MODEL_WORDS):
        return False
    while len(words) > 1 and (words[-1] in MODEL_QUALIFIERS - MODEL_WORDS or len(words[-1]) <= 2):
        if words[-1] in MODEL_WORDS:
            break
        words = words[:-1]
    last = words[-1]
    if last == "module":
        return len(words) == 1
    return last in MODEL_WORDS or (last not in _NOT_FUSED and _MODEL_FUSED.match(last) is not None)


_LAYER = re.compile(r"^(fc|conv|bn|linear|layer)\d+(_\d+)*$|^(fc|features|classifier|lm_head)$")


@cache
def sounds_like_layer(name: str) -> bool:
    """Of an attribute of a model: ``fc``, ``layer4``, ``features``; not ``weight``, ``cls_token``, ``layers``."""
    return _LAYER.match(name) is not None


_REQUIRES_GRAD = re.compile(r"^(re[a-z]+?)_?(?:gra?d|gard)(?:ient)?s?_?$", re.IGNORECASE)
_SPELLED_LIKE = 0.75
"""How alike two words are, of 1 (difflib's ratio): to ``requires``, ``required`` is 0.88, ``retain`` 0.43."""


@cache
def misspells_requires_grad(name: str) -> bool:
    """``require_grad``, ``required_grads``, ``requires_gradient``; not ``requires_grad_``, ``retain_grad``."""
    found = _REQUIRES_GRAD.match(name)
    if found is None or name in {"requires_grad", "requires_grad_"}:
        return False
    return SequenceMatcher(None, found[1].lower(), "requires").ratio() >= _SPELLED_LIKE


PREPARING_WORDS = table("""
    prepare preprocess postprocess tokenize collate pad parse format load save build create make init initialize setup
    set reset configure check convert export register print normalize unnormalize denormalize
""")
"""Verbs of methods that a model has beside its forward pass."""
GETTING_WORDS = table("get generate sample")
PREPARED_WORDS = table("""
    mask masks id ids index indices label labels length lengths position positions noise shape size
""")
"""What such methods get that no weights are needed for."""
PREPOSITIONS = table("for from of with by in on to")


@cache
def sounds_like_preparation(name: str) -> bool:
    """Of a method of a model: ``prepare_sample``, ``build_mask``, ``get_ids_of_batch``; not ``predict_mask``."""
    words = words_of(name)
    if not words or words[0] in PREPARING_WORDS:
        return bool(words)
    got = list(takewhile(lambda word: word not in PREPOSITIONS, words))
    return words[0] in GETTING_WORDS and got[-1] in PREPARED_WORDS


PARAMETER_WORDS = table("param params parameter parameters")


@cache
def sounds_like_parameters(name: str) -> bool:
    """Of a method of a model: ``auxiliary_param``, ``get_arch_parameters``; not ``parameterize``, ``predict``."""
    return _any(words_of(name)[-1:], PARAMETER_WORDS)


# --- Averages -------------------------------------------------------------------------

AVERAGE_WORDS = table("running ema ewma moving avg average averaged polyak shadow")
"""``running_mean``, ``ema_loss``, ``self.moving_avg``, ``self.shadow[name]``."""


@cache
def sounds_like_average(name: str) -> bool:
    """``self.running_mean``, ``avg_loss``, ``ema``; not ``mean``, ``total``."""
    return _any(words_of(name), AVERAGE_WORDS)


BANK_WORDS = table("queue bank")
"""``self.queue`` of a contrastive model, ``memory_bank``; not ``memory``, through which gradients may flow."""


@cache
def sounds_like_bank(name: str) -> bool:
    """``self.queue``, ``feature_bank``: what earlier batches gave, to compare later ones with."""
    return _any(words_of(name), BANK_WORDS)


# --- Loaders --------------------------------------------------------------------------

LOADER_WORDS = table("loader loaders dataloader dataloaders dl dls batches iterator iterators")
"""``train_loader``, ``val_dl``, ``batches``."""

SET_WORDS = LOADER_WORDS | table("""
    iter data set dataset datasets generator gen ds queue images examples samples sentences queries
""")
"""What also follows ``train`` or ``val`` and is gone through piece by piece: ``val_data``, ``dev_iter``."""

EVALUATION_WORDS = table("val valid validation validate vali test testing tst eval evaluation dev heldout holdout")
TRAINING_WORDS = table("train training tr trn trainval")

_FUSED_SET = re.compile(r"^([a-z]+?)(dataloader|loader|iter|dl|dataset|set|data)s?$")
"""``trainloader``, ``testset``, ``valdata``: two words in one."""

NOT_LOADER_WORDS = table("""
    len length size num n count total max min cur current last path paths dir file name names fn idx index ratio split
    cfg config args kwargs class cls done per time type workers
""")


def _set_words(name: str) -> tuple[str, ...]:
    words: list[str] = []
    for word in words_of(name):
        fused = _FUSED_SET.match(word)
        if fused is not None and fused[1] in EVALUATION_WORDS | TRAINING_WORDS:
            words += fused.groups()
        else:
            words.append(word)
    return tuple(words)


def _is_set(words: tuple[str, ...], nouns: frozenset[str]) -> bool:
    """Whether the noun is last, or first and its purpose follows: ``val_loader``, ``loader_val``."""
    if not words or words[0] in MAKING_WORDS or _any(words, NOT_LOADER_WORDS):
        return False
    follows = words[0] in nouns and set(words[1:]) <= EVALUATION_WORDS | TRAINING_WORDS
    return words[-1] in nouns or follows


@cache
def sounds_like_loader(name: str) -> bool:
    """``loader``, ``train_loader``, ``val_dl``, ``trainloader``, ``batches``, ``loaders['val']``; not ``max_iter``."""
    words = _set_words(name)
    if not sounds_like_class(name) and _is_set(words, LOADER_WORDS):
        return True
    return words[-1:] == ("iter",) and _any(words, EVALUATION_WORDS | TRAINING_WORDS | {"data", "loader"})


@cache
def sounds_like_dataset(name: str) -> bool:
    """A loader, or ``dataset``, ``self.data``: what is gone through piece by piece."""
    return sounds_like_loader(name) or _is_set(_set_words(name), frozenset({"dataset", "datasets", "data"}))


@cache
def sounds_like_evaluation_loader(name: str) -> bool:
    """``val_loader``, ``testloader``, ``dev_iter``, ``test_data``; not ``train_val_loader``."""
    words = _set_words(name)
    return _is_set(words, SET_WORDS) and _any(words, EVALUATION_WORDS) and not _any(words, TRAINING_WORDS)


@cache
def sounds_like_evaluation_step(name: str) -> bool:
    """``eval_step``, ``validation_step``, ``test_step``: what a framework calls for each batch."""
    words = _set_words(name)
    return words[-1:] == ("step",) and _any(words, EVALUATION_WORDS) and not _any(words, TRAINING_WORDS)


@cache
def sounds_like_training_loader(name: str) -> bool:
    """``train_loader``, ``trainset``, ``training_generator``."""
    words = _set_words(name)
    return _is_set(words, SET_WORDS) and _any(words, TRAINING_WORDS)


# --- Functions ------------------------------------------------------------------------

EVALUATION_FUNCTION_WORDS = table("""
    eval evaluate evaluates evaluation evaluator evaluating validate validation valid val vali test tests testing
    predict predictions prediction infer inference score benchmark accuracy
""")
"""Words of functions that only look at what a model gives."""

TRAINING_FUNCTION_WORDS = table("""
    train training trainer fit finetune finetuning tune optimize optimise learn learner update pretrain pretraining
    backprop backward distill
""")
"""Words of functions that change weights. With one of these a name is no evaluation: ``train_and_evaluate``.

Not ``step``: conditions on ``step`` are about logging, and ``validation_step`` trains nothing.
"""

SHOWING_VERBS = table("generate sample save extract compute get plot visualize visualise show draw render")
SHOWN_NOUNS = table("""
    samples sample images image features embeddings embedding predictions metrics results grid
    representations representation states logits vectors latents
""")
"""``generate_samples``, ``extract_features``: a verb of the first and a noun of the second; they train nothing."""
SHOWING_NAMES = table("generate sample visualize visualise demo")


@cache
def sounds_like_evaluation(name: str) -> bool:
    """``evaluate``, ``eval_epoch``, ``validate``, ``test``, ``predict``; not ``train_and_evaluate``."""
    words = words_of(name)
    if not words or _any(words, TRAINING_FUNCTION_WORDS):
        return False
    if _any(words, EVALUATION_FUNCTION_WORDS) or (len(words) == 1 and words[0] in SHOWING_NAMES):
        return True
    return words[0] in SHOWING_VERBS and words[-1] in SHOWN_NOUNS


PREDICTING_WORDS = table("predict predicts predicting prediction predictions infer inference")


@cache
def sounds_like_predicting(name: str) -> bool:
    """``predict``, ``predict_batches``, ``run_inference``: it gives what a user asked for; not ``evaluate``."""
    words = words_of(name)
    return _any(words, PREDICTING_WORDS) and not _any(words, TRAINING_FUNCTION_WORDS)


INFERRING_VERBS = table("""
    classify detect segment recognize recognise transcribe translate caption forecast synthesize upscale colorize
    inpaint act
""")
INFERRED_NOUNS = table("action actions")


@cache
def sounds_like_inference(name: str) -> bool:
    """Of a function that puts its model in evaluation mode: ``classify``, ``detect_faces``, ``select_action``."""
    words = words_of(name)
    return bool(words) and (words[0] in INFERRING_VERBS or words[-1] in INFERRED_NOUNS)


CALLED_VERBS = MAKING_WORDS | INFERRING_VERBS | table("encode decode reconstruct predict infer generate")
"""What the name of a method begins with."""
PART_NOUNS = table("head heads layer layers block blocks module modules model models net")
"""What a verb before it leaves a part of a model: ``decode_head``."""


@cache
def sounds_like_method(name: str) -> bool:
    """Of an attribute: ``policy.decode_latents`` is called, and is no model; ``generator``, ``decode_head`` may be."""
    words = words_of(name)
    return bool(words) and words[0] in CALLED_VERBS and words[-1] not in PART_NOUNS


LOSS_WORDS = table("loss losses cost objective err elbo nll")
"""The value to go back from."""

ENCODING_WORDS = table("encode encoding embed embedding embeddings decode reconstruct")


@cache
def sounds_like_encoding(name: str) -> bool:
    """Of a method of a model: ``encode``, ``get_embeddings``, ``decode_latents``: what it runs is a part."""
    return _any(words_of(name), ENCODING_WORDS)


@cache
def says_evaluation(name: str) -> bool:
    """``_eval_step``, ``_validate``; not ``_predict``, of which as often a gradient is asked."""
    words = words_of(name)
    return _any(words, EVALUATION_WORDS | {"evaluate"}) and not _any(words, TRAINING_FUNCTION_WORDS)


RUNNING_WORDS = LOSS_WORDS | table("forward logits")


@cache
def sounds_like_running(name: str) -> bool:
    """Of what a model is handed to: ``compute_loss(model, batch)``, ``self.loss_and_metric``; not ``make_loss``."""
    words = words_of(name)
    makes = not words or sounds_like_class(name) or words[0] in MAKING_WORDS - {"compute", "get", "run"}
    return not makes and _any(words, RUNNING_WORDS) and not sounds_like_attack(name)


@cache
def sounds_like_inferer(name: str) -> bool:
    """``self.inferer``: an object of MONAI, which runs the model it is handed under the mode of its caller.

    So is ``self.inferer.run`` of others.
    """
    name = name.removesuffix(".run")
    return words_of(name)[-1:] == ("inferer",) and not sounds_like_class(name)


@cache
def sounds_like_loading(name: str) -> bool:
    """``load_from``, ``load_pretrained_weights``; not ``load_state_dict``, which torch calls."""
    words = words_of(name)
    return words[:1] == ("load",) and "state" not in words


@cache
def sounds_like_forward(name: str) -> bool:
    """``forward_features``, ``model_forward``: a pass that its callers differentiate, or do not."""
    return "forward" in words_of(name)


@cache
def sounds_like_training(name: str) -> bool:
    """``train``, ``fit``, ``training_step``, ``update_critic``; not ``update_metrics``, ``evaluate_training_set``."""
    words = words_of(name)
    if not words or words[0] in EVALUATION_FUNCTION_WORDS:
        return False
    if _any(words, TRAINING_FUNCTION_WORDS - {"update"}):
        return True
    return "update" in words and not _any(words, KEPT_WORDS)


@cache
def sounds_like_training_on(callee: str) -> bool:
    """Whether what it is handed trains: ``agent.learn``, ``trainer.update``; not ``meter.update``, ``pca.fit``."""
    holder, _, name = callee.rpartition(".")
    words = set(words_of(name))
    if not sounds_like_training(name) or "fit" in words or sounds_like_metric(callee):
        return False
    if words_of(name)[0] == "on" or _any((*words_of(holder)[-1:], words_of(name)[0]), RECORD_WORDS):
        # callbacks.on_train_end(loss), logger.train_info(loss): an event that others hear of.
        return False
    if words & (TRAINING_FUNCTION_WORDS - {"update"}):
        return True
    return bool(holder) and (sounds_like_model(holder) or sounds_like_training(holder))


@cache
def mentions_training(name: str) -> bool:
    """Of a flag or a function: ``self.training``, ``is_train``, ``train_step``; not ``is_trained``, ``constraint``."""
    words = [word for part in name.split(".") for word in words_of(part)]
    return any("train" in word and not word.endswith("trained") and word not in NOT_OF_TRAINING for word in words)


NOT_OF_TRAINING = table("strain strains constrain constrains constraint constraints restrain restraint restraints")
"""Other words that have it in them."""


KEPT_WORDS = table(
    "metric metrics meter meters stats statistics progress bar log logs history average averages postfix"
)
"""What ``update`` is said of without training: ``update_metrics``."""

METRIC_WORDS = table("""
    metric metrics meter meters evaluator evaluators accuracy acc auc auroc precision recall stats statistics
""")
"""``metric.update``, ``self.evaluator.process``, ``accuracy``."""


@cache
def sounds_like_metric(name: str) -> bool:
    """What a result is handed to, to be looked at: ``metric.update``, ``evaluator.process``; not ``criterion``.

    Any part of the path may say so.
    """
    return any(_any(words_of(part), METRIC_WORDS) for part in name.split("."))


RECORD_WORDS = METRIC_WORDS | table("log logs logger print score scores scorer iou miou psnr ssim prec top progress")


@cache
def sounds_like_record(name: str) -> bool:
    """What takes numbers of a result and leaves it: a metric, ``self.log``, ``losses.update``; not ``memory.update``.

    Any part of the path may say so.
    """
    *owners, last = name.split(".")
    if last == "update" and any(sounds_like_loss(each) for each in owners):
        return True
    return last == "save_image" or any(_any(words_of(part), RECORD_WORDS) for part in (*owners, last))


GRADIENT_FLAG_WORDS = table("grad grads gradient gradients")


@cache
def sounds_like_gradient_flag(name: str) -> bool:
    """``enable_valid_grad``, ``requires_grad``, ``is_grad_enabled``; not ``gradient_checkpointing``."""
    words = words_of(name)
    return _any(words[-1:], GRADIENT_FLAG_WORDS) or words[-2:] == ("grad", "enabled")


# --- Values ---------------------------------------------------------------------------

DATA_NAMES = table("""
    x y xb yb xs ys bx by xx yy inp inps inputs input target targets tgt src trg label labels lbl gt gts
    batch batches image images img imgs im ims data datum sample samples mask masks attention_mask token tokens
    input_ids token_ids ids text texts caption captions audio wav waveform mel mels spec frames frame video videos
    pixel_values points noise obs observation observations state states next_state next_states next_obs
    action actions reward rewards done dones sequence sequences seq seqs length lengths
    question questions answer prompt prompts user users item items rating ratings
""")
"""What a loader yields, or a caller hands in.

Not ``features``, ``z``, ``context``: as often another module computed them, with a graph.
"""

DATA_ENDINGS = table("""
    image images img imgs input inputs target targets label labels batch mask masks ids token tokens data x y
    gt audio text noise obs observation sample samples
""")
"""``real_images``, ``batch_x``, ``next_obs``."""


@cache
def sounds_like_data(name: str) -> bool:
    """``x``, ``yb``, ``images``, ``input_ids``, ``batch_x``; not ``model``, ``features``, ``X_PATH``."""
    words = words_of(name)
    if not words or sounds_like_model(name):
        return False
    return "_".join(words) in DATA_NAMES or words[-1] in DATA_ENDINGS


NOT_LOSS_WORDS = table("""
    fn func function criterion module name names type weight weights scale scaler dict list log logs history meter
    factor coef ratio avg average
""")
"""``loss_fn`` computes one; ``loss_weight`` scales it; ``loss_history`` and ``avg_loss`` are floats."""
_LOSS_FUSED = re.compile(r"^[a-z]*loss[a-z]?$")


@cache
def sounds_like_loss(name: str) -> bool:
    """``loss``, ``total_loss``, ``lossG``, ``loss_d``, ``errD``; not ``loss_fn``, ``MSELoss``."""
    words = words_of(name)
    if not words or sounds_like_class(name) or words[0] in MAKING_WORDS or _any(words, NOT_LOSS_WORDS):
        return False
    return words[-1] in LOSS_WORDS or words[0] in LOSS_WORDS or any(_LOSS_FUSED.match(word) for word in words)


@cache
def mentions_loss(name: str) -> bool:
    """Of a function: ``compute_loss``, ``loss_of``; what it gives is often differentiated by its callers."""
    return _any(words_of(name), LOSS_WORDS)


CRITERION_WORDS = table("criterion criteria criterions crit lossfn lossfunc lossfunction")
COMPUTING_WORDS = table("fn fns func function fct f module criterion")
NOT_CRITERION_WORDS = table("name type weight weights cfg config args kwargs class dict list")


@cache
def sounds_like_criterion(name: str) -> bool:
    """``criterion``, ``criterionGAN``, ``loss_fn``; not ``loss``, ``l1_loss``, which as often are values."""
    words = words_of(name)
    if not words or words[0] in MAKING_WORDS or sounds_like_class(name) or _any(words, NOT_CRITERION_WORDS):
        return False
    return _any(words, CRITERION_WORDS) or (_any(words, LOSS_WORDS) and words[-1] in COMPUTING_WORDS)


OPTIMIZER_WORDS = table("optimizer optimizers optimiser optimisers optim optims")
NOT_OPTIMIZER_WORDS = table("""
    config cfg args kwargs name type params param level state dict class cls path lr scheduler step steps weight key
""")


@cache
def sounds_like_optimizer(name: str) -> bool:
    """``optimizer``, ``optimizerD``, ``opt_g``, ``actor_optim``; not ``optimizer_name``, nor ``opt``: command lines."""
    words = words_of(name)
    if not words or sounds_like_class(name) or words[0] in MAKING_WORDS or _any(words, NOT_OPTIMIZER_WORDS):
        return False
    if _any(words, OPTIMIZER_WORDS):
        return True
    return "opt" in words and len(words) > 1 and all(len(word) < 4 or word in MODEL_WORDS for word in words)


@cache
def sounds_like_optimizer_class(name: str) -> bool:
    """``DualOptimizer``, ``base.BaseOptim``: its ``step`` calls methods of the classes derived from it."""
    last = name.rpartition(".")[2]
    return sounds_like_class(last) and _any(words_of(last), OPTIMIZER_WORDS)


SCALER_WORDS = table("scaler gradscaler lossscaler accelerator fabric engine")


@cache
def sounds_like_scaler(name: str) -> bool:
    """``scaler``, ``self.grad_scaler``, ``accelerator``, ``fabric``, ``model_engine``: what calls backward for us."""
    words = words_of(name)
    return bool(words) and words[-1] in SCALER_WORDS


# --- Switches of others, attacks, frozen things ---------------------------------------

_NO_GRAD = re.compile(
    r"no_?(?:auto_?)?grad|without_?grad|disabled?_?(?:auto_?)?grad|grads?_?(?:off|disabled|enabled|mode|ctx|context)"
    r"|(?:set|use|maybe|enable|freeze|toggle)_?grad|(?:^|_)inference_?(?:mode|context|ctx|guard|only)|(?:^|_)inference$"
    r"|(?:^|_)eval_?(?:mode|context|ctx|decorator)|(?:^|_)evaluating$|(?:^|_)evaluation_?(?:mode|context)"
)
"""Somebody's decorator or context manager that may turn gradients off (or on).

``eval_decorator`` (lucidrains), ``inference_context`` (detectron2), ``smart_inference_mode`` (Ultralytics),
``torch_no_grad`` (openfold): each does. A bare ``inference`` decorates too.
"""


_BATCHING = re.compile(r"^(?:batch_?size|bs|(?:num|n)_(?:workers|batches)|show_progress(?:_bar)?|progress_bar)$")


@cache
def sounds_like_batching(name: str) -> bool:
    """Of an argument: ``batch_size``, ``num_workers``; who takes it goes through data itself, batch by batch."""
    return _BATCHING.match(name) is not None


MANAGER_WORDS = table("context ctx guard manager mode scope")
"""What says of a context manager only that it is one."""


@cache
def sounds_like_no_grad(name: str) -> bool:
    """``utils.no_grad``, ``eval_mode(model)``, ``inference.context``, ``evaluating(net)``; not ``run_model``.

    A class may be a model ``ForInference``.
    """
    words = words_of(name)
    if words and MANAGER_WORDS.issuperset(words):
        words = words_of(name.rpartition(".")[0]) + words
    if sounds_like_class(name) and words[-1:] == ("inference",):
        words = words[:-1]
    return _NO_GRAD.search("_".join(words)) is not None


FREEZING_WORDS = table("freeze freezing frozen")


@cache
def sounds_like_freezing(name: str) -> bool:
    """Of a context manager: ``freezing(model.parameters())``, ``self.frozen_critic()``; not ``freeze_time``."""
    words = words_of(name)
    return _any(words, FREEZING_WORDS) and "time" not in words


ATTACK_WORDS = table("""
    attack attacks attacker adversary adversarial adv pgd fgsm ifgsm mifgsm bim cw deepfool autoattack trades vat
    perturb perturbation adapt adaptation saliency gradcam cam explain attribution attributions attribute integrated
    gradients gradient grads grad jacobian hessian hessians fisher hvp penalty invert inversion maml langevin sgld
    guidance energy
""")
"""What needs the gradient of an input, or adapts the weights, in the middle of an evaluation."""

TRANSFORM_WORDS = table("transform transforms")


@cache
def sounds_like_attack(name: str) -> bool:
    """``pgd_attack``, ``fgsm``, ``adapt``, ``compute_saliency``, ``gradient_penalty``; not ``no_grad``.

    Nor ``invert_transform``, ``adapt_transforms``: what was done to an image is done to its segmentation.
    """
    words = words_of(name)
    if _any(words, TRANSFORM_WORDS):
        return False
    attacks = _any(words, ATTACK_WORDS) or any(word.startswith(("attack", "adversar")) for word in words)
    return attacks and not sounds_like_no_grad(name)


GRADIENT_WORDS = table("force forces stress stresses virial grad grads gradient gradients hessian jacobian")
"""Of what a model computes by differentiating inside: forces are the gradient of an energy."""


@cache
def sounds_like_gradient(name: str) -> bool:
    """Of a part of what a model gives: ``forces``, ``pred_stress``, ``grad``; not ``logits``, ``grad_fn``."""
    return name != "grad_fn" and _any(words_of(name), GRADIENT_WORDS)


FORCES_WORDS = table("forces stress stresses virial virials")


@cache
def sounds_like_forces(name: str) -> bool:
    """``forces``, ``pred_stress``, ``compute_force``: gradients of an energy; not ``force``, a verb as well."""
    words = words_of(name)
    return _any(words, FORCES_WORDS) or words[:2] == ("compute", "force")


FEATURE_NETWORKS = table("vgg vgg11 vgg13 vgg16 vgg19 perceptual percep lpips inception")


@cache
def sounds_like_feature_network(name: str) -> bool:
    """``vgg``, whose features of two images are compared, to train what made one; a ``feature_extractor`` may learn."""
    words = words_of(name)
    return _any(words, FEATURE_NETWORKS) and not _any(words, NOT_MODEL_WORDS)


TEACHER_WORDS = table("teacher target ema momentum reference ref old frozen")


@cache
def sounds_like_teacher(name: str) -> bool:
    """``teacher``, ``target_net``, ``ref_model``: looked at beside a model that trains."""
    return _any(words_of(name), TEACHER_WORDS)


QUESTION_WORDS = table("is has can should needs supports")


@cache
def sounds_like_question(name: str) -> bool:
    """Of a function: ``torch.cuda.is_available``, ``self.has_cuda``; not ``autocast``."""
    words = words_of(name)
    return len(words) > 1 and words[0] in QUESTION_WORDS
