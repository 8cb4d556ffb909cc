"""flake8: the one file that knows it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib.metadata import version
from typing import TYPE_CHECKING, ClassVar

from flake8.exceptions import ExecutionError

from .config import ConfigError, settings_of
from .engine import check
from .rules import all_rules
from .settings import Settings
from .source import Source

if TYPE_CHECKING:
    import argparse

    from flake8.options.manager import OptionManager


class Plugin:
    """Findings as flake8 takes them."""

    name = "flake8-nograd"
    version = version("flake8-nograd")
    settings: ClassVar[Settings] = Settings()

    def __init__(self, tree: ast.AST, filename: str, lines: list[str]) -> None:
        """Take a file; flake8 makes one plugin object for each.

        flake8 calls plugins that ask for the ``tree`` once a file; it is not looked at.
        """
        del tree
        self.source = Source.of("".join(lines), filename)

    def run(self) -> Iterator[tuple[int, int, str, type[Plugin]]]:
        """All findings: flake8 selects and silences, and counts columns from one."""
        for each in check(self.source, self.settings):
            yield each.line, each.column - 1, f"{each.code} {each.message}", type(self)

    @classmethod
    def add_options(cls, parser: OptionManager) -> None:
        """Our options, and the rules that are off until they are selected."""
        parser.add_option(
            "--no-grad-wrappers",
            default="",
            comma_separated_list=True,
            parse_from_config=True,
            help="names of the project's own decorators and context managers that turn gradients off",
        )
        parser.add_option(
            "--torch-version",
            default="",
            parse_from_config=True,
            help="the oldest torch that the project supports, such as 2.0",
        )
        off = [rule.code for rule in all_rules() if not rule.default]
        if off:
            parser.extend_default_ignore(off)

    @classmethod
    def parse_options(cls, options: argparse.Namespace) -> None:
        """Keep what was asked for."""
        try:
            cls.settings = settings_of(options.no_grad_wrappers, options.torch_version)
        except ConfigError as error:
            raise ExecutionError(str(error)) from error
