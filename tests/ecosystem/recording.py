"""What a no-grad scope is for: the calls and updates in it, and the class of misuse its removal makes.

Read from the syntax and from names, with word lists of its own: a model that the
analysis does not recognise must still count as one here.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from enum import Enum
from pathlib import PurePosixPath

from flake8_nograd.torch_api import LIGHTNING_GRAD_OFF_HOOKS

from .freezing import Freezing
from .guards import FunctionNode, Guards, Scope, WithNode, dotted


class Kind(Enum):
    """What kind of misuse a removal makes."""

    EVAL_LOOP = "eval loop"
    """The function calls ``.eval()``; a loop is in or around the scope."""
    EVAL_SINGLE = "eval single"
    LOOP_BY_NAME = "loop by name"
    """A function named for evaluation, and a loop; nothing calls ``.eval()``."""
    UPDATE = "update"
    """In-place updates of a leaf in sight: a parameter, an item of ``parameters()``, a layer's weight."""
    UPDATE_WEIGHT = "update, unknown's weight"
    """Of the ``weight`` or ``bias`` of an object that nothing in the file explains."""
    UPDATE_ELSEWHERE = "update, no leaf in sight"
    TESTS = "tests"
    OTHER = "other"


class Excuse(Enum):
    """Why silence is right after a removal."""

    NONE = ""
    NESTED = "still under another scope"
    CALLERS = "every caller in the file has turned gradients off"
    FRAMEWORK = "a framework calls it without gradients"
    ITSELF = "what it calls turns gradients off itself"
    FROZEN = "the model is frozen, and what it is given needs no gradients"
    OWN = "a module runs itself or its parts: its callers decide about gradients"
    FORWARD = "a module's forward pass: what it puts in evaluation mode is frozen, not evaluated"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WORD = re.compile(r"[_\W\d]+|(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_MODELS = _words("""
    model models net nets network networks module backbone encoder decoder generator discriminator critic actor
    policy teacher student classifier detector segmentor predictor extractor autoencoder denoiser vocoder agent unet
    vae vqgan vqvae gan bert gpt llm resnet vgg inception clip transformer mlp cnn rnn lstm gru dqn diffusion flow
    learner estimator ema netg netd
""")
_BEFORE = _words("get make build create load save init set reset update export convert print count unwrap")
_NOT_FORWARD = _words("""
    eval train to cuda cpu half float double bfloat16 type state_dict load_state_dict parameters named_parameters
    modules named_modules children named_children buffers named_buffers zero_grad requires_grad_ apply add_module
    register_buffer register_parameter register_forward_hook get_parameter append extend items keys values get pop
    update save load save_pretrained from_pretrained share_memory compile format join split step freeze unfreeze
    set_train set_eval reset init_weights reset_parameters insert copy size dim numel __init__
""")
_RUNNING = _words("""
    forward infer inference inferer eval evaluate validate test predict predictions generate sample encode decode
    run step rollout act score compute extract embed embeddings features logits outputs preds loss accuracy metrics
""")
"""In the name of a function that a model is handed to: what it is likely to do with it."""
_EVALUATING = _words("""
    eval evaluate evaluation evaluator evaluating validate validation valid val vali test tests testing predict
    prediction predictions predictor infer inference score benchmark accuracy
""")
_NO_UPDATE = _words("requires_grad_ detach_ retain_grad_ share_memory_ rename_ squeeze_ unsqueeze_ t_")
_TEST_FOLDERS = _words("tests test testing unittests unit_tests")


def words_of(name: str) -> tuple[str, ...]:
    """The words of the last part of a path, in lower case."""
    return tuple(word.lower() for word in _WORD.split(name.rpartition(".")[2]) if word)


class Recording:
    """What in a file would record a graph, were gradients on."""

    def __init__(self, guards: Guards, filename: str = "") -> None:
        """Collect which objects are put in evaluation mode, and which names are leaves."""
        self.guards = guards
        self._filename = filename
        calls = [node for node in ast.walk(guards.tree) if isinstance(node, ast.Call)]
        self._evaluated = {path for call in calls if _evaluates(call) and (path := _receiver(call))}
        self._leaves = set(_leaves(guards.tree))
        self._layers = set(_layers(guards.tree))
        self._with_gradient = {
            path
            for node in ast.walk(guards.tree)
            if isinstance(node, ast.Attribute) and node.attr == "grad" and (path := dotted(node.value))
        }
        self._freezing = Freezing(guards)
        self._imports_lightning = any(
            "lightning" in name
            for node in ast.walk(guards.tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in (getattr(node, "module", None) or "", *(each.name for each in node.names))
        )
        self._calls: dict[str, list[ast.Call]] = {}
        for call in calls:
            if path := dotted(call.func):
                self._calls.setdefault(path.rpartition(".")[2], []).append(call)
        self._defined: dict[str, list[FunctionNode]] = {}
        for node in ast.walk(guards.tree):
            if isinstance(node, FunctionNode):
                self._defined.setdefault(node.name, []).append(node)

    def inside(self, scope: Scope) -> tuple[ast.AST, ...]:
        """The forward passes and updates that the scope guards, in the order of the tree."""
        place = (scope.line, scope.item)
        return tuple(
            node
            for statement in scope.node.body
            for node in ast.walk(statement)
            if (self.is_forward(node) or self.is_update(node)) and place in self.guards.guards_of(node)
        )

    def is_forward(self, node: ast.AST) -> bool:
        """Whether something like a model is called, or handed to a function that may call it."""
        if not isinstance(node, ast.Call):
            return False
        callee = dotted(node.func)
        last = callee.rpartition(".")[2] if callee else ""
        if last in _NOT_FORWARD or isinstance(self.guards.parents.get(node), ast.withitem):
            # ``with model.disable_adapter():`` runs nothing.
            return False
        if isinstance(node.func, ast.Attribute) and (node.func.attr == "forward" or self._is_model(node.func.value)):
            return True
        if callee == "self" or self._is_model(node.func):
            return True
        words = words_of(last)
        helper = last[:1].islower() and words[0] not in _BEFORE and bool(_RUNNING & set(words))
        given = [*node.args, *(keyword.value for keyword in node.keywords)]
        return helper and any(self._is_model(each) for each in given)

    def _is_model(self, expression: ast.expr) -> bool:
        path = dotted(expression)
        if path is None or path == "self":
            return False
        if path in self._evaluated:
            return True
        words = words_of(path)
        last = path.rpartition(".")[2]
        return bool(words) and not last[:1].isupper() and words[0] not in _BEFORE and words[-1] in _MODELS

    def is_update(self, node: ast.AST) -> bool:
        """Whether a tensor is changed in place: by a method, leaf or not; by an operator, a leaf.

        ``count += 1`` and ``table[key] = 1`` are no updates unless we know better.
        """
        if isinstance(node, ast.Call):
            return _updated(node) is not None
        return self.updates_leaf(node) or _is_weight(_target(node))

    def updates_leaf(self, node: ast.AST) -> bool:
        """Whether a leaf in sight is changed in place."""
        path = _target(node)
        if path is None:
            return False
        owner, dot, name = path.rpartition(".")
        if dot and name in {"weight", "bias"} and (owner in self._layers or (owner == "self" and self._in_layer(node))):
            return True
        function = self.guards.function_of(node)
        return path in self._leaves or path in self._with_gradient or path in _parameters(function or self.guards.tree)

    def _in_layer(self, node: ast.AST) -> bool:
        """Whether the class around is derived from a layer of torch, so that ``self.weight`` is its parameter."""
        owner = self._class_of(node)
        return owner is not None and any(_is_layer(base) for base in owner.bases)

    def kind(self, scope: Scope) -> Kind:
        """The class of a scope."""
        function = self.guards.function_of(scope.node) if isinstance(scope.node, WithNode) else scope.node
        if self._is_test(function):
            return Kind.TESTS
        recording = self.inside(scope)
        if any(self.updates_leaf(node) for node in recording):
            return Kind.UPDATE
        if any(self.is_forward(node) for node in recording):
            loop = self._has_loop(scope)
            if any(isinstance(node, ast.Call) and _evaluates(node) for node in _own(function or self.guards.tree)):
                return Kind.EVAL_LOOP if loop else Kind.EVAL_SINGLE
            if loop and function is not None and _EVALUATING & set(words_of(function.name)):
                return Kind.LOOP_BY_NAME
            return Kind.OTHER
        if any(_is_weight(_target(node)) for node in recording):
            return Kind.UPDATE_WEIGHT
        return Kind.UPDATE_ELSEWHERE if recording else Kind.OTHER

    def _has_loop(self, scope: Scope) -> bool:
        loops = (ast.For, ast.AsyncFor, ast.While)
        if any(isinstance(node, loops) for statement in scope.node.body for node in ast.walk(statement)):
            return True
        return isinstance(scope.node, WithNode) and bool(self.loops_around(scope))

    def loops_around(self, scope: Scope) -> tuple[ast.AST, ...]:
        """The loops of the same function that the scope stands in."""
        found = []
        if isinstance(scope.node, WithNode):
            for node in self.guards.around(scope.node):
                if isinstance(node, FunctionNode | ast.Lambda):
                    break
                if isinstance(node, ast.For | ast.AsyncFor | ast.While):
                    found.append(node)
        return tuple(found)

    def _is_test(self, function: FunctionNode | None) -> bool:
        path = PurePosixPath(self._filename)
        if _TEST_FOLDERS & set(path.parts[:-1]):
            return True
        named = path.stem.startswith("test_") or path.stem.endswith("_test") or path.stem == "conftest"
        if named and any(name.startswith("test_") for name in self._defined):
            return True
        owner = self.guards.parents.get(function) if function is not None else None
        bases = owner.bases if isinstance(owner, ast.ClassDef) else []
        return any((dotted(base) or "").endswith("TestCase") for base in bases)

    def excuse(self, scope: Scope) -> Excuse:
        """Why silence would be right without the scope, when that is simple to say."""
        place = (scope.line, scope.item)
        inside = self.inside(scope)
        if inside and all(set(self.guards.guards_of(node)) - {place} for node in inside):
            return Excuse.NESTED
        if inside and all(isinstance(node, ast.Call) and _generates(node) for node in inside):
            return Excuse.ITSELF
        if inside and all(
            isinstance(node, ast.Call)
            and self.is_forward(node)
            and self._freezing.passes_no_gradient(node, self.is_forward)
            for node in inside
        ):
            return Excuse.FROZEN
        function = scope.node if isinstance(scope.node, FunctionNode) else self.guards.function_of(scope.node)
        if function is None:
            return Excuse.NONE
        owner = self.guards.parents.get(function)
        bases = owner.bases if isinstance(owner, ast.ClassDef) else []
        if self._is_evaluation_hook(function):
            return Excuse.FRAMEWORK
        if any((dotted(base) or "").endswith("autograd.Function") for base in bases):
            return Excuse.FRAMEWORK
        if function.name == "forward" and bases:
            return Excuse.FORWARD
        if any((dotted(base) or "").endswith("Module") for base in bases) and self._runs_itself(function, scope):
            return Excuse.OWN
        return Excuse.CALLERS if self._guarded_by_callers(function, place, frozenset()) else Excuse.NONE

    def _is_evaluation_hook(self, function: FunctionNode | None) -> bool:
        """Whether Lightning runs a method of a module or callback without gradients."""
        owner = None if function is None else self.guards.parents.get(function)
        if function is None or function.name not in LIGHTNING_GRAD_OFF_HOOKS or not isinstance(owner, ast.ClassDef):
            return False
        bases = [dotted(base) or "" for base in owner.bases]
        callback = self._imports_lightning and any(base.endswith("Callback") for base in bases)
        return callback or any("Lightning" in base for base in bases)

    def _runs_itself(self, function: FunctionNode, scope: Scope) -> bool:
        """Whether a method of a module runs it, or parts of it, once, and does not train it afterwards."""
        trains = any(
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in {"train", "backward"}
            and not _evaluates(node)
            for node in _own(function)
        )
        own = all(
            isinstance(node, ast.Call) and self.is_forward(node) and (dotted(node.func) or "").split(".")[0] == "self"
            for node in self.inside(scope)
        )
        return own and not trains and not self._has_loop(scope)

    def _guarded_by_callers(
        self, function: FunctionNode, place: tuple[int, int | None], seen: frozenset[FunctionNode]
    ) -> bool:
        calls = self._calls_of(function)
        if not calls or function in seen:
            return False
        for call in calls:
            caller = self.guards.function_of(call)
            if caller is function or set(self.guards.guards_of(call)) - {place}:
                continue
            if self._is_evaluation_hook(caller):
                continue
            if caller is None or not self._guarded_by_callers(caller, place, seen | {function}):
                return False
        return True

    def _calls_of(self, function: FunctionNode) -> list[ast.Call]:
        """The calls of a function by its name, without those of its namesakes; none where we cannot tell."""
        calls, namesakes = self._calls.get(function.name, []), self._defined[function.name]
        if len(namesakes) == 1:
            return calls
        owners = [self.guards.parents.get(each) for each in namesakes]
        if any(_receiver(call) != "self" for call in calls) or len(set(owners)) < len(owners):
            return []
        others = [owner for owner in owners if owner is not self.guards.parents.get(function)]
        return [call for call in calls if self._class_of(call) not in others]

    def _class_of(self, node: ast.AST) -> ast.ClassDef | None:
        return next((each for each in self.guards.around(node) if isinstance(each, ast.ClassDef)), None)


def _updated(node: ast.AST) -> ast.expr | None:
    """What a statement or a call may change in place; not ``.data`` and ``.grad``, which autograd does not watch."""
    target: ast.expr | None = None
    if isinstance(node, ast.AugAssign):
        target = node.target
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        method, receiver = node.func.attr, node.func.value
        if method.endswith("_") and not method.endswith("__") and method not in _NO_UPDATE:
            # nn.init.zeros_(w) turns gradients off by itself.
            target = None if (dotted(receiver) or "").rpartition(".")[2] in {"init", "_init", "torch"} else receiver
    elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
        target = node.targets[0]
    inner = target
    while isinstance(inner, ast.Subscript | ast.Call | ast.Attribute):
        if isinstance(inner, ast.Attribute) and inner.attr in {"data", "grad"}:
            return None
        inner = inner.func if isinstance(inner, ast.Call) else inner.value
    return target


def _target(node: ast.AST) -> str | None:
    """The path of what is changed in place, without indexes; ``w`` of ``w[0].mul_(a).add_(b)``."""
    target = _updated(node)
    while isinstance(target, ast.Subscript | ast.Call):
        if isinstance(target, ast.Subscript):
            target = target.value
        elif isinstance(target.func, ast.Attribute) and target.func.attr.endswith("_"):
            # The result of the one is the target of the other.
            target = target.func.value
        else:
            return None
    return None if target is None else dotted(target)


def _is_weight(path: str | None) -> bool:
    return path is not None and path.endswith((".weight", ".bias"))


def _evaluates(call: ast.Call) -> bool:
    """``x.eval()`` or ``x.train(False)``."""
    if not isinstance(call.func, ast.Attribute):
        return False
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    if call.func.attr == "eval":
        return not given
    only = given[0] if len(given) == 1 else None
    return call.func.attr == "train" and isinstance(only, ast.Constant) and only.value is False


def _generates(call: ast.Call) -> bool:
    """``model.generate(...)``, which transformers decorates, and what imitates it."""
    return isinstance(call.func, ast.Attribute) and call.func.attr == "generate"


def _receiver(call: ast.Call) -> str | None:
    return dotted(call.func.value) if isinstance(call.func, ast.Attribute) else None


def _own(function: FunctionNode | ast.Module) -> Iterator[ast.AST]:
    """Everything in a function, or at module level, that no nested ``def`` holds."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, FunctionNode | ast.ClassDef):
            waiting.extend(ast.iter_child_nodes(node))


def _leaves(tree: ast.Module) -> Iterator[str]:
    """Names that are made parameters somewhere in the file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None and _makes_leaf(node.value):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if path := dotted(target):
                    yield path


def _layers(tree: ast.Module) -> Iterator[str]:
    """Names that hold a layer of torch: made as one, or asked whether they are one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            if _is_layer(node.value.func):
                yield from (path for target in node.targets if (path := dotted(target)))
        elif isinstance(node, ast.Call) and dotted(node.func) == "isinstance" and len(node.args) == 2:
            kinds = node.args[1].elts if isinstance(node.args[1], ast.Tuple) else [node.args[1]]
            if all(_is_layer(each) for each in kinds) and (path := dotted(node.args[0])):
                yield path


def _is_layer(expression: ast.expr) -> bool:
    home, _, name = (dotted(expression) or "").rpartition(".")
    return home in {"nn", "torch.nn"} and name[:1].isupper() and name not in {"Module", "Parameter"}


def _makes_leaf(value: ast.expr) -> bool:
    if not isinstance(value, ast.Call):
        return False
    if (dotted(value.func) or "").rpartition(".")[2] == "Parameter":
        off = [each for each in value.keywords if each.arg == "requires_grad"]
        return not (off and isinstance(off[0].value, ast.Constant) and off[0].value.value is False)
    if isinstance(value.func, ast.Attribute) and value.func.attr == "requires_grad_":
        return not value.args
    return any(
        each.arg == "requires_grad" and isinstance(each.value, ast.Constant) and each.value.value is True
        for each in value.keywords
    )


_ALL = re.compile(r"\bparameters\(|\bnamed_parameters\(|\[['\"]params['\"]\]")


def _parameters(function: FunctionNode | ast.Module) -> frozenset[str]:
    """The targets of loops over ``parameters()`` or an optimizer's ``params``."""
    found: set[str] = set()
    for node in _own(function):
        if isinstance(node, ast.For | ast.AsyncFor | ast.comprehension) and _ALL.search(ast.unparse(node.iter)):
            found |= {each.id for each in ast.walk(node.target) if isinstance(each, ast.Name)}
    return frozenset(found)
