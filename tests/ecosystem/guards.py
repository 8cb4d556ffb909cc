"""Where a file turns gradients off, read from its syntax alone.

None of this asks ``flake8_nograd``: what measures the analysis must not share its errors.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
WithNode = ast.With | ast.AsyncWith

SWITCHES = frozenset({"no_grad", "inference_mode", "set_grad_enabled", "enable_grad"})
"""Their names in torch."""
_HOMES = frozenset({"torch", "torch.autograd", "torch.autograd.grad_mode"})


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """A ``with`` item or a decorator that turns gradients off for a piece of code."""

    line: int
    """Of the ``with`` or of the decorator: no two scopes share line and item."""
    item: int | None
    """Which item of the ``with``; ``None``: it is a decorator."""
    node: WithNode | FunctionNode

    @property
    def end(self) -> int:
        """The last line it covers."""
        return self.node.end_lineno or self.line


class Guards:
    """The grad-mode switches of one file."""

    def __init__(self, tree: ast.Module) -> None:
        """Read the imports, and who stands in whom."""
        self.tree = tree
        self.parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
        self._names = dict(_imported(tree))

    def scopes(self) -> tuple[Scope, ...]:
        """Every scope that can be removed, in the order of lines."""
        return tuple(sorted(self._scopes(), key=lambda each: (each.line, each.item or 0)))

    def _scopes(self) -> Iterator[Scope]:
        for node in ast.walk(self.tree):
            if isinstance(node, WithNode):
                for number, item in enumerate(node.items):
                    if self.turns_off(item.context_expr) and item.optional_vars is None:
                        yield Scope(node.lineno, number, node)
            elif isinstance(node, FunctionNode):
                for decorator in node.decorator_list:
                    if self.turns_off(decorator, is_decorator=True):
                        yield Scope(decorator.lineno, None, node)

    def turns_off(self, expression: ast.expr, *, is_decorator: bool = False) -> bool:
        """Whether an expression is a switch that certainly turns gradients off."""
        if not isinstance(expression, ast.Call):
            return is_decorator and self._switch(expression) in {"no_grad", "inference_mode"}
        switch = self._switch(expression.func)
        given = [*expression.args, *(keyword.value for keyword in expression.keywords)]
        if switch == "set_grad_enabled":
            return len(given) == 1 and _is_constant(given[0], value=False)
        if switch == "inference_mode":
            return not given or (len(given) == 1 and _is_constant(given[0], value=True))
        return switch == "no_grad" and not given

    def is_switch(self, expression: ast.expr) -> bool:
        """Whether an expression is any grad-mode switch, on or off."""
        named = expression.func if isinstance(expression, ast.Call) else expression
        return self._switch(named) is not None

    def _switch(self, expression: ast.expr) -> str | None:
        path = dotted(expression)
        if path is None:
            return None
        first, dot, rest = path.partition(".")
        home, _, name = (self._names.get(first, first) + dot + rest).rpartition(".")
        return name if name in SWITCHES and home in _HOMES else None

    def around(self, node: ast.AST) -> Iterator[ast.AST]:
        """What a node stands in, innermost first, up to the module."""
        while (above := self.parents.get(node)) is not None:
            yield above
            node = above

    def function_of(self, node: ast.AST) -> FunctionNode | None:
        """The ``def`` around a node."""
        return next((each for each in self.around(node) if isinstance(each, FunctionNode)), None)

    def qualified(self, function: FunctionNode | None) -> str:
        """``Trainer.evaluate``; ``<module>`` for what stands in no function."""
        if function is None:
            return "<module>"
        names = [function.name]
        names += [each.name for each in self.around(function) if isinstance(each, FunctionNode | ast.ClassDef)]
        return ".".join(reversed(names))

    def guards_of(self, node: ast.AST) -> Iterator[tuple[int, int | None]]:
        """Line and item of the scopes that a node runs under, as far as its own function shows."""
        below = node
        for above in self.around(node):
            if isinstance(above, WithNode) and below in above.body:
                for number, item in enumerate(above.items):
                    if self.turns_off(item.context_expr):
                        yield above.lineno, number
            if isinstance(above, FunctionNode):
                if below in above.body:
                    for decorator in above.decorator_list:
                        if self.turns_off(decorator, is_decorator=True):
                            yield decorator.lineno, None
                return
            if isinstance(above, ast.Lambda):
                return
            below = above


class Unguarded(ast.NodeTransformer):
    """Takes every grad-mode switch out of a tree: what is left of two files can be compared."""

    def __init__(self, guards: Guards) -> None:
        """Use the names of a file."""
        self._guards = guards

    def visit_With(self, node: ast.With) -> ast.AST | list[ast.stmt]:
        """Leave the other items, or the body alone."""
        return self._with(node)

    def visit_AsyncWith(self, node: ast.AsyncWith) -> ast.AST | list[ast.stmt]:
        """As ``visit_With``."""
        return self._with(node)

    def _with(self, node: WithNode) -> ast.AST | list[ast.stmt]:
        self.generic_visit(node)
        items = [item for item in node.items if not self._guards.is_switch(item.context_expr)]
        if not items:
            return node.body
        node.items = items
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Leave the other decorators."""
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        """As ``visit_FunctionDef``."""
        return self._function(node)

    def _function(self, node: FunctionNode) -> ast.AST:
        self.generic_visit(node)
        node.decorator_list = [each for each in node.decorator_list if not self._guards.is_switch(each)]
        return node


def dotted(expression: ast.expr) -> str | None:
    """``self.net.decoder``; ``None`` for what is no plain path."""
    if isinstance(expression, ast.Name):
        return expression.id
    if isinstance(expression, ast.Attribute):
        before = dotted(expression.value)
        return None if before is None else f"{before}.{expression.attr}"
    return None


def _is_constant(expression: ast.expr, *, value: bool) -> bool:
    return isinstance(expression, ast.Constant) and expression.value is value


def _imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.asname:
                    yield alias.asname, alias.name
        elif isinstance(node, ast.ImportFrom):
            home = "." * node.level + (node.module or "")
            for alias in node.names:
                yield alias.asname or alias.name, f"{home}.{alias.name}"
