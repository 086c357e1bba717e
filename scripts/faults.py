"""The small faults that ``mutants.py`` puts into the rules: which a file can have, and its code with one of them.

mutmut serves functions of one process; here what is mutated is mostly columns of frames (``&``, ``|``, ``~``), so the
operators are a few of our own.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType

SAME_EITHER_WAY = {"frozen", "repr", "compare", "gc", "copy", "slots", "strict"}
"""Keywords whose value no test can tell from the outside: they keep programmers from mistakes, or save time."""

_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_OPERATED: dict[type[ast.operator], type[ast.operator]] = {
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
}


@dataclass(frozen=True)
class Mutant:
    """One fault: in which file, at which of its nodes, on which lines its statement stands, and what is done there."""

    file: str
    number: int
    line: int
    lines: range
    fault: str


def mutants_of(file: Path, name: str) -> Iterator[Mutant]:
    """Every fault of a file, in order; the file is told by that name."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    statements = _statements(tree)
    spared = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg in SAME_EITHER_WAY
    }
    for node in ast.walk(tree):
        for annotation in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            spared |= {id(part) for part in ast.walk(annotation)} if annotation else set()
    for number, node in enumerate(ast.walk(tree)):
        if id(node) not in spared and (fault := put_fault(node)):
            line = getattr(node, "lineno", 0)
            yield Mutant(name, number, line, statements.get(line, range(line, line + 1)), fault)


def _statements(tree: ast.AST) -> dict[int, range]:
    """By line: the lines of the innermost simple statement, or head of a compound one, that it belongs to."""
    lines: dict[int, range] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt) and not isinstance(node, ast.ClassDef):
            body = getattr(node, "body", None)
            last = body[0].lineno - 1 if isinstance(body, list) and body else node.end_lineno or node.lineno
            stretch = range(node.lineno, max(last, node.lineno) + 1)
            lines |= dict.fromkeys(stretch, stretch)
    return lines


def compiled(file: Path, number: int | None = None) -> CodeType:
    """The code of the file, with the fault at that node."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    if number is not None:
        put_fault(list(ast.walk(tree))[number])
    return compile(ast.fix_missing_locations(tree), str(file), "exec")


def put_fault(node: ast.AST) -> str:
    """Changes the node; says what was done, '' when nothing can be."""
    if isinstance(node, ast.Constant):
        return _put_value(node)
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARED:
        before, after = type(node.ops[0]), _COMPARED[type(node.ops[0])]
        node.ops[0] = after()
        return f"{before.__name__} -> {after.__name__}"
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATED:
        changed = _OPERATED[type(node.op)]
        said = f"{type(node.op).__name__} -> {changed.__name__}"
        node.op = changed()
        return said
    if isinstance(node, ast.BoolOp):
        said = type(node.op).__name__
        node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        return f"{said} -> {type(node.op).__name__}"
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert):
        node.op = ast.UAdd()
        return "Invert -> nothing"
    return ""


def _put_value(node: ast.Constant) -> str:
    before = node.value
    if isinstance(before, bool):
        node.value = not before
    elif isinstance(before, int):
        node.value = before + 1
    else:
        return ""
    return f"{before} -> {node.value}"
