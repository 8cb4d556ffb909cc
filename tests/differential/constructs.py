"""Which constructs a program has, and on which lines: so that none of those that are meant to occur goes missing."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator

EXPECTED = (
    *("if", "else", "while", "for", "break", "except", "finally", "match", "known outcome"),
    *("def", "method", "closure", "lambda", "generator", "yield from", "comprehension", "global", "nonlocal"),
    *("class of Module", "class of object", "class of Optimizer", "class of no_grad", "Parameter"),
    *(f"with: {each}" for each in ("no_grad", "enable_grad", "inference_mode", "inference_mode(True)")),
    *(f"with: {each}" for each in ("inference_mode(False)", "inference_mode(computed)", "set_grad_enabled(False)")),
    *(f"with: {each}" for each in ("set_grad_enabled(True)", "set_grad_enabled(computed)", "ExitStack")),
    *(f"with: {each}" for each in ("nullcontext", "of the program", "a name", "several", "either of two")),
    *(f"decorator: {each}" for each in ("no_grad", "enable_grad", "inference_mode", "set_grad_enabled(False)")),
    *(f"decorator: {each}" for each in ("set_grad_enabled(True)", "inference_mode(True)", "inference_mode(False)")),
    *(f"decorator: {each} without parentheses" for each in ("no_grad", "enable_grad", "inference_mode")),
    *(f"decorator: {each}" for each in ("contextmanager", "of the program", "a name", "wraps", "staticmethod")),
    *("statement: set_grad_enabled", "statement: no_grad", "saved and restored", "switch in a variable"),
    *("switch around a function", "enter_context", "partial", "is_grad_enabled"),
    *("leaf", "Linear", "Sequential", "ModuleList", "Dropout", "register_buffer", "MSELoss", "mse_loss"),
    *("view", ".detach()", ".data", ".data =", ".clone()", "detach_", "requires_grad_", ".requires_grad ="),
    *(f"in place: {each}" for each in ("method", "augmented", "item", "out=", "foreach")),
    *(".backward()", "autograd.backward", "autograd.grad", ".grad", "step(closure)"),
    *("optimizer: SGD", "optimizer: Adam", ".step()", ".zero_grad()", "clip_grad_norm_", ".train()", ".eval()"),
    *("rebinding", "alias", "unpacking", "unpacking: star", "attribute is bound", "walrus"),
    *("container: list", "container: dict", "container: tuple", ".append()", "item", "deepcopy", "load_state_dict"),
    *(f"for: {each}" for each in ("range", "enumerate", "zip", "parameters", "named_parameters", "param_groups")),
    *(f"condition on a parameter: {each}" for each in ("plain", "not", "None", "text", "of an expression")),
    *("condition on .training", "condition on an attribute", "default of a flag", "flag by keyword", "flag handed on"),
    *(".train(computed)", "with: set_grad_enabled(of a parameter)"),
    *("DataLoader", "spelling: import torch as t", "spelling: from torch.autograd import grad_mode"),
    "spelling: from torch import no_grad as ng_, inference_mode as im_",
    "spelling: from torch import no_grad, enable_grad, inference_mode, set_grad_enabled, is_grad_enabled",
    "spelling: from torch.autograd import no_grad, enable_grad",
    "spelling: from torch.autograd.grad_mode import set_grad_enabled, no_grad",
    "spelling: import torch, torch.nn as nn",
)
"""What must occur: each in at least one program of two hundred."""

_SWITCHES = frozenset({"no_grad", "enable_grad", "inference_mode", "set_grad_enabled"})
_NAMES = {"ng_": "no_grad", "im_": "inference_mode"}
_VIEWS = frozenset({"t", "view", "transpose", "squeeze", "unsqueeze", "expand", "unbind", "reshape", "chunk"})
_STEPS = frozenset({"backward", "step", "zero_grad", "eval", "train", "detach", "clone", "append", "grad"})
_OPTIMIZERS = frozenset({"SGD", "Adam", "AdamW", "RMSprop", "LBFGS"})


def constructs_of(text: str) -> dict[str, set[int]]:
    """The lines of each construct."""
    found: dict[str, set[int]] = defaultdict(set)
    tree = ast.parse(text)
    for node in ast.walk(tree):
        for name in _of(node):
            # A declaration is no step of its own.
            found[name].add(getattr(node, "lineno", 1) + isinstance(node, ast.Global | ast.Nonlocal))
    for name, line in _bindings(tree):
        found[name].add(line)
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            for line in _closures(function):
                found["closure"].add(line)
            for name, line in _flags(function):
                found[name].add(line)
    return found


def _of(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield f"spelling: {ast.unparse(node)}"
    elif isinstance(node, ast.stmt):
        yield from _of_statement(node)
    elif isinstance(node, ast.expr):
        yield from _of_expression(node)


def _of_statement(node: ast.stmt) -> Iterator[str]:
    match node:
        case ast.If(orelse=orelse):
            yield "if"
            yield from ["else"] if orelse else []
        case ast.Try(handlers=handlers, finalbody=finalbody):
            yield from ["except"] if handlers else []
            yield from ["finally"] if finalbody else []
        case ast.While() | ast.Match() | ast.Global() | ast.Nonlocal() | ast.Break() | ast.Continue() | ast.Delete():
            yield type(node).__name__.lower()
        case ast.For(iter=iterated):
            yield "for"
            yield from _of_loop(iterated)
        case ast.FunctionDef(decorator_list=decorators):
            yield "generator" if any(isinstance(each, ast.Yield | ast.YieldFrom) for each in ast.walk(node)) else "def"
            yield from (_of_decorator(each) for each in decorators)
        case ast.ClassDef(bases=bases, body=body):
            base = _last(bases[0]) if bases else "object"
            known = {"Module", "object", "Optimizer", "no_grad", "enable_grad"}
            yield f"class of {base if base in known else 'another'}"
            yield from ["method"] if any(isinstance(each, ast.FunctionDef) for each in body) else []
        case ast.Expr(value=ast.YieldFrom()):
            yield "yield from"
        case ast.With(items=items):
            yield from ["with: several"] if len(items) > 1 else []
            for item in items:
                yield f"with: {_switch(item.context_expr)}"
        case ast.AugAssign(target=target):
            yield "in place: item" if isinstance(target, ast.Subscript) else "in place: augmented"
        case ast.Expr(value=ast.Call() as call):
            if (name := _last(call.func)) in {"set_grad_enabled", "no_grad"}:
                yield f"statement: {name}"
            elif isinstance(call.func, ast.Attribute) and name.endswith("_") and not name.startswith("_"):
                yield f"in place: {'requires_grad_' if name == 'requires_grad_' else 'method'}"
        case _:
            pass
    if isinstance(node, ast.If | ast.While) and _is_known(node.test):
        yield "known outcome"
    if isinstance(node, ast.Match) and isinstance(node.subject, ast.Constant):
        yield "known outcome"


def _of_loop(iterated: ast.expr) -> Iterator[str]:
    written = ast.unparse(iterated)
    for name in ("range", "enumerate", "zip", "parameters", "named_parameters", "param_groups"):
        if f"{name}(" in written or f".{name}" in written:
            yield f"for: {name}"
    if isinstance(iterated, ast.Name):
        yield "for: name"


def _of_decorator(node: ast.expr) -> str:
    name = _switch(node)
    if isinstance(node, ast.Name | ast.Attribute) and name in _SWITCHES:
        return f"decorator: {name} without parentheses"
    return f"decorator: {name}"


def _switch(node: ast.expr) -> str:
    """A switch with what distinguishes it, or what else a ``with`` enters."""
    if isinstance(node, ast.IfExp):
        return "either of two"
    name = _last(node.func if isinstance(node, ast.Call) else node)
    if name in _SWITCHES and isinstance(node, ast.Call):
        given = [*node.args, *(each.value for each in node.keywords)]
        if given:
            return f"{name}({given[0].value if isinstance(given[0], ast.Constant) else 'computed'})"
    if name in {*_SWITCHES, "nullcontext", "ExitStack", "contextmanager", "autocast", "property"}:
        return name
    if name in {"staticmethod", "classmethod", "wraps"}:
        return name
    return "of the program" if isinstance(node, ast.Call) else "a name"


def _of_expression(node: ast.expr) -> Iterator[str]:
    match node:
        case ast.Lambda():
            yield "lambda"
        case ast.ListComp() | ast.GeneratorExp() | ast.SetComp() | ast.DictComp():
            yield "comprehension"
        case ast.NamedExpr():
            yield "walrus"
        case ast.IfExp():
            yield "conditional expression"
        case ast.List(ctx=ast.Load()) | ast.Dict():
            yield f"container: {type(node).__name__.lower()}"
        case ast.Tuple(ctx=ast.Load()):
            yield "container: tuple"
        case ast.Subscript(ctx=ast.Store()):
            yield "in place: item"
        case ast.Attribute(attr="data", ctx=context):
            yield ".data =" if isinstance(context, ast.Store) else ".data"
        case ast.Attribute(attr="requires_grad", ctx=ast.Store()):
            yield ".requires_grad ="
        case ast.Attribute(attr="grad", ctx=ast.Load()):
            yield ".grad"
        case ast.Attribute(attr="T"):
            yield "view"
        case ast.Subscript(slice=ast.Slice()):
            yield "view"
        case ast.Call():
            yield from _of_call(node)
        case _:
            pass


def _of_call(node: ast.Call) -> Iterator[str]:
    name = _last(node.func)
    for keyword in node.keywords:
        if keyword.arg in _FLAGS:
            yield "flag by keyword"
        if keyword.arg == "out":
            yield "in place: out="
        if keyword.arg == "requires_grad":
            yield "leaf"
    if name.startswith("_foreach"):
        yield "in place: foreach"
    if name in _VIEWS:
        yield "view"
    if name in _OPTIMIZERS:
        yield "optimizer"
        yield f"optimizer: {name}"
    if name == "step" and node.args and _last(node.args[0]) in {"closure", "evaluated"}:
        yield "step(closure)"
    if isinstance(node.func, ast.Call) and _last(node.func.func) in _SWITCHES:
        yield "switch around a function"
    if isinstance(node.func, ast.Attribute) and name in _STEPS:
        yield f"autograd.{name}" if "autograd" in ast.unparse(node.func.value) else f".{name}()"
    if name in _CALLED:
        yield name


_CALLED = frozenset(
    {
        *("Parameter", "Linear", "Sequential", "ModuleList", "Dropout", "enter_context", "partial", "is_grad_enabled"),
        *("requires_grad_", "detach_", "deepcopy", "clip_grad_norm_", "state_dict", "load_state_dict", "DataLoader"),
        *("register_buffer", "mse_loss", "MSELoss", "item", "next", "StepLR", "nullcontext", "register_hook"),
        *("zeros_like", "sum", "map"),
    }
)


def _is_known(test: ast.expr) -> bool:
    if isinstance(test, ast.UnaryOp):
        return _is_known(test.operand)
    return isinstance(test, ast.Constant) or (isinstance(test, ast.Compare) and isinstance(test.left, ast.Constant))


def _flags(function: ast.FunctionDef) -> Iterator[tuple[str, int]]:
    """What a function does as its parameters, or attributes, say."""
    parameters = {each.arg for each in function.args.args} - {"self"}
    if any(isinstance(each, ast.Constant) for each in function.args.defaults):
        yield "default of a flag", function.lineno
    for node in _within(function):
        if isinstance(node, ast.If | ast.While | ast.IfExp):
            kind = "plain" if isinstance(node, ast.If | ast.While) else "of an expression"
            yield from ((each, node.lineno) for each in _asks(node.test, parameters, kind))
        elif isinstance(node, ast.Call):
            if _last(node.func) == "train" and node.args and not isinstance(node.args[0], ast.Constant):
                yield ".train(computed)", node.lineno
            handed = {each.id for each in node.args if isinstance(each, ast.Name)} & parameters & _FLAGS
            handed |= {each.arg for each in node.keywords if each.arg} & _FLAGS
            if handed and isinstance(node.func, ast.Name | ast.Attribute) and _last(node.func).startswith("run_"):
                yield "flag handed on", node.lineno
            if _last(node.func) == "set_grad_enabled":
                named = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
                yield from [("with: set_grad_enabled(of a parameter)", node.lineno)] if named & parameters else []


_FLAGS = frozenset({"train", "evaluating", "phase", "optimizer"})


def _asks(test: ast.expr, parameters: set[str], kind: str) -> Iterator[str]:
    """What a condition asks of parameters or attributes."""
    if isinstance(test, ast.UnaryOp):
        yield from _asks(test.operand, parameters, "not" if kind == "plain" else kind)
    elif isinstance(test, ast.BoolOp):
        for each in test.values:
            yield from _asks(each, parameters, kind)
    elif isinstance(test, ast.Attribute):
        yield "condition on .training" if test.attr == "training" else "condition on an attribute"
    elif isinstance(test, ast.Name) and test.id in parameters:
        yield f"condition on a parameter: {kind}"
    elif isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id in parameters:
        other = test.comparators[0]
        is_none = isinstance(other, ast.Constant) and other.value is None
        yield f"condition on a parameter: {'None' if is_none else 'text'}"


def _last(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return _NAMES.get(node.id, node.id) if isinstance(node, ast.Name) else ""


def _bindings(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for scope in ast.walk(tree):
        if not isinstance(scope, ast.Module | ast.FunctionDef):
            continue
        bound: set[str] = set()
        saved: set[str] = set()
        for node in _within(scope):
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    if isinstance(target, ast.Tuple):
                        yield "unpacking", node.lineno
                        if any(isinstance(each, ast.Starred) for each in target.elts):
                            yield "unpacking: star", node.lineno
                    elif isinstance(target, ast.Attribute):
                        yield "attribute is bound", node.lineno
                    elif isinstance(target, ast.Name):
                        if target.id in bound:
                            yield "rebinding", node.lineno
                        bound.add(target.id)
                        if isinstance(node.value, ast.Name | ast.Attribute):
                            yield "alias", node.lineno
                        if isinstance(node.value, ast.Call) and _last(node.value.func) in _SWITCHES:
                            yield "switch in a variable", node.lineno
                        if isinstance(node.value, ast.Call) and _last(node.value.func) == "is_grad_enabled":
                            saved.add(target.id)
            elif isinstance(node, ast.Call) and _last(node.func) == "set_grad_enabled":
                if node.args and isinstance(node.args[0], ast.Name) and node.args[0].id in saved:
                    yield "saved and restored", node.lineno


def _within(scope: ast.AST) -> Iterator[ast.AST]:
    """What stands in a scope, in order, and not in another inside it."""
    for child in ast.iter_child_nodes(scope):
        yield child
        if not isinstance(child, ast.FunctionDef | ast.ClassDef | ast.Lambda):
            yield from _within(child)


def _closures(function: ast.FunctionDef) -> Iterator[int]:
    """Functions and lambdas that read a name of the function around them."""
    inside = list(_within(function))
    bound = {each.arg for each in function.args.args}
    bound |= {each.id for each in inside if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
    for inner in inside:
        if isinstance(inner, ast.FunctionDef | ast.Lambda):
            own = {each.arg for each in inner.args.args}
            names = {each.id for each in ast.walk(inner) if isinstance(each, ast.Name)}
            if names & bound - own:
                yield inner.lineno
