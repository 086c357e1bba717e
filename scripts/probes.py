"""Which tests could tell a fault at all: each operation that can be put wrong is computed wrongly, too, beside, while
tests run without any fault. A test for which the two never differ cannot notice that fault and is not asked.

Only what consists of operators is computed beside, once more from the values of its parts; calls are made once. Faults
of ``and`` and ``or``, and of numbers that no operator takes, could be told by every test that comes by.
"""

import ast
import builtins
import copy
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from types import CodeType
from typing import Any

import pandas as pd
import pytest
from faults import put_fault
from sessions import Loaded

_OPERATIONS = (ast.BinOp, ast.UnaryOp, ast.Compare)
_PLAIN = (bool, int, float, str, bytes, date, frozenset, set, type(None))


def probed(file: Path, name: str, numbers: frozenset[int]) -> tuple[CodeType, frozenset[int]]:
    """The file's code that computes each of these faults beside, under that name, and those of them that it can."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for number, node in enumerate(ast.walk(tree)):
        node.number = number  # type: ignore[attr-defined]
    prober = _Prober(name, numbers)
    tree = ast.fix_missing_locations(prober.visit(tree))
    return compile(tree, str(file), "exec"), frozenset(prober.probed)


class _Prober(ast.NodeTransformer):
    def __init__(self, name: str, numbers: frozenset[int]) -> None:
        self._name, self._numbers = name, numbers
        self.probed: set[int] = set()

    def visit(self, node: ast.AST) -> Any:
        if not isinstance(node, _OPERATIONS):
            node = self.generic_visit(node)
            number = getattr(node, "number", -1)
            if number not in self._numbers:
                return node
            self.probed.add(number)
            passing = ast.Call(ast.Name("_pass", ast.Load()), [ast.Constant(f"{self._name}:{number}"), node], [])
            return ast.copy_location(passing, node)
        leaves: list[ast.expr] = []
        operation = _operation(node, leaves)
        numbers = [inner.number for inner in ast.walk(operation) if getattr(inner, "number", -1) in self._numbers]
        parts = [self.visit(leaf) for leaf in leaves]
        self.probed.update(numbers)
        arguments = ast.arguments([], [ast.arg(f"_{n}") for n in range(len(leaves))], None, [], [], None, [])
        ways = [operation, *(_faulty(operation, number) for number in numbers)]
        probe = ast.Call(
            ast.Name("_probe", ast.Load()),
            [
                ast.Constant(tuple(f"{self._name}:{number}" for number in numbers)),
                ast.List(parts, ast.Load()),
                *(ast.Lambda(arguments, way) for way in ways),
            ],
            [],
        )
        return ast.copy_location(probe, node)


def _operation(node: ast.expr, leaves: list[ast.expr]) -> ast.expr:
    """The node with names for all that is no operator or plain value; these are added to the leaves."""
    if isinstance(node, ast.Constant):
        return node
    if not isinstance(node, _OPERATIONS):
        leaves.append(node)
        return ast.Name(f"_{len(leaves) - 1}", ast.Load())
    node = copy.copy(node)
    for name, value in ast.iter_fields(node):
        if isinstance(value, ast.expr):
            setattr(node, name, _operation(value, leaves))
        elif name == "comparators":
            setattr(node, name, [_operation(operand, leaves) for operand in value])
    return node


def _faulty(operation: ast.expr, number: int) -> ast.expr:
    operation = copy.deepcopy(operation)
    put_fault(next(node for node in ast.walk(operation) if getattr(node, "number", -1) == number))
    return operation


class Probes:
    """What tests the faults of some files would differ in."""

    def __init__(self, files: Mapping[str, Path], numbers: Mapping[str, frozenset[int]]) -> None:
        self._files, self._numbers = files, numbers
        self._differing: dict[str, list[str]] = {}
        self._seen: set[str] = set()

    def run(self, session: pytest.Session) -> None:
        """Runs every test of the session with what it passes probed."""
        builtins._probe, builtins._pass = self._probe, self._pass  # type: ignore[attr-defined]
        loaded = Loaded()
        for name, file in self._files.items():
            code, can = probed(file, name, self._numbers[name])
            loaded.take(file, code)
            self._differing |= {f"{name}:{number}": [] for number in can}
        for item, following in zip(session.items, [*session.items[1:], None], strict=True):
            self._seen.clear()
            loaded.forget()
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            for fault in self._seen:
                self._differing[fault].append(item.nodeid)

    def write(self, file: Path) -> None:
        """The tests by fault."""
        file.write_text(json.dumps(self._differing), encoding="utf-8")

    def _pass(self, fault: str, value: Any) -> Any:
        self._seen.add(fault)
        return value

    def _probe(
        self, faults: Sequence[str], parts: Sequence[Any], way: Callable[..., Any], *faulty: Callable[..., Any]
    ) -> Any:
        value = way(*parts)
        for fault, faulty_way in zip(faults, faulty, strict=True):
            if fault not in self._seen and not _is_same(value, faulty_way, parts):
                self._seen.add(fault)
        return value


def _is_same(value: Any, faulty_way: Callable[..., Any], parts: Sequence[Any]) -> bool:
    """Whether the fault makes no difference; what cannot be compared differs."""
    if any(isinstance(part, Iterator) for part in parts):
        return False
    try:
        other = faulty_way(*parts)
        if isinstance(value, pd.Series | pd.DataFrame | pd.Index):
            return type(value) is type(other) and bool(value.equals(other))
        return type(value) is type(other) and isinstance(value, _PLAIN) and bool(value == other)
    except Exception:
        return False
