"""Tables: what an unbound name suggests.

A name alone never raises a finding; it may only tell what a value probably is
where the file shows nothing else.
"""

from __future__ import annotations

import re


def _words(name: str) -> list[str]:
    """The words of the last part of an access path: ``self.valLoader`` is val, loader."""
    last = name.rsplit(".", 1)[-1].split("[", 1)[0]
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", last)
    return [word.lower() for word in re.split(r"[_\W]+", spaced) if word]


_MODEL_WORDS = frozenset(
    "model net network backbone encoder decoder generator discriminator critic actor policy teacher student "
    "classifier unet vae gan netg netd bert gpt resnet transformer module detector segmentor ema extractor "
    "autoencoder denoiser predictor embedder agent qnetwork dqn llm".split()
)
_NOT_MODEL_WORDS = frozenset(
    "name path config cfg dir file id type kwargs args params key class classes size dim output outputs input "
    "inputs loss state dict hidden out mask ids tokenizer optimizer optim loader states list factory opt fn func".split()
)


def sounds_like_model(name: str) -> bool:
    """``model``, ``self.target_net``; not ``model_name``."""
    words = [word.rstrip("0123456789") for word in _words(name)]
    if not words or any(word in _NOT_MODEL_WORDS for word in words):
        return False
    return any(word in _MODEL_WORDS for word in words)


_LOADER_WORDS = frozenset("loader dataloader dataloaders loaders dl batches iterator".split())


def sounds_like_loader(name: str) -> bool:
    """``val_loader``, ``test_dl``."""
    words = _words(name)
    return bool(words) and words[-1] in _LOADER_WORDS


_EVALUATION_WORDS = frozenset(
    "val valid validation validate test testing eval evaluate evaluation evaluator dev".split()
)


def sounds_like_evaluation_loader(name: str) -> bool:
    """``val_loader``, ``test_data``."""
    words = _words(name)
    return any(word in _EVALUATION_WORDS for word in words) and "train" not in words


_TRAINING_WORDS = frozenset("train training fit finetune optimize learn pretrain trainer update".split())
_INFERENCE_WORDS = frozenset("predict prediction predictions infer inference".split())


def sounds_like_evaluation(name: str) -> bool:
    """``evaluate``, ``test_epoch``, ``predict``; not ``train_and_test``."""
    words = _words(name)
    return any(word in _EVALUATION_WORDS | _INFERENCE_WORDS for word in words) and not sounds_like_training(name)


def sounds_like_training(name: str) -> bool:
    """``train``, ``fit``, ``training_step``."""
    return any(word in _TRAINING_WORDS for word in _words(name))


_DATA_WORDS = frozenset(
    "x y xb yb inputs input targets target labels label batch image images img imgs data mask masks tokens ids "
    "sample samples".split()
)


def sounds_like_data(name: str) -> bool:
    """``x``, ``labels``, ``input_ids``."""
    words = _words(name)
    return bool(words) and words[-1] in _DATA_WORDS and not sounds_like_model(name)


def sounds_like_loss(name: str) -> bool:
    """``loss``, ``total_loss``; not ``loss_fn``."""
    words = _words(name)
    return bool(words) and words[-1] in {"loss", "losses", "cost", "objective"}


_CRITERION_WORDS = frozenset({"fn", "func", "function", "criterion"})


def sounds_like_criterion(name: str) -> bool:
    """``criterion``, ``loss_fn``."""
    words = _words(name)
    if not words:
        return False
    return words[-1] in {"criterion", "criteria"} or ("loss" in words[:-1] and words[-1] in _CRITERION_WORDS)


def sounds_like_optimizer(name: str) -> bool:
    """``optimizer``, ``opt_g``."""
    words = _words(name)
    return any(word in {"optimizer", "optim", "optimiser"} for word in words)


def sounds_like_scaler(name: str) -> bool:
    """``scaler``, ``self.accelerator``: what calls backward for us."""
    return any(word in {"scaler", "accelerator", "fabric", "engine"} for word in _words(name))


def sounds_like_no_grad(name: str) -> bool:
    """A decorator or context manager of somebody else that probably turns gradients off."""
    words = _words(name)
    text = "_".join(words)
    return any(
        part in text
        for part in ("no_grad", "nograd", "inference", "eval_mode", "evaluating", "evaluation", "eval_decorator", "freeze",
                     "without_grad", "torch_no", "set_grad", "grad_enabled", "disable_grad", "maybe_grad", "grad_ctx")
    )  # fmt: skip


def sounds_like_attack(name: str) -> bool:
    """``pgd_attack``, ``adapt``: what differentiates with respect to its input."""
    return any(
        word in {"attack", "pgd", "fgsm", "adversary", "adversarial", "perturb", "adapt", "saliency", "gradcam", "explain"}
        for word in _words(name)
    )


def sounds_like_training_flag(name: str) -> bool:
    """``train``, ``is_training``, ``phase``: a condition that shares code between training and evaluation."""
    words = _words(name)
    return any(word in {"train", "training", "phase", "mode", "split", "stage", "backprop"} for word in words)
