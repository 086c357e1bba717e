"""The house rules: imports point only up the list of rooms, Dagster stays in its place, modules say what they are."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "hris_pipeline"
TESTS = Path(__file__).parents[1]

ROOMS = (
    ("errors", "environment"),
    ("contract", "files"),
    ("settings",),
    ("transform",),
    ("change_set",),
    ("reports",),
    ("sources",),
    ("store",),
    ("operations",),
    ("defs",),
    ("definitions", "running"),
    ("cli", "console"),
)
"""In the order of dependence: a room may import those before it, itself, and its neighbours on the same line."""

APART = {"sandbox": {"sandbox", "errors"}}
"""The sandbox knows nothing of the pipeline; only the command line starts it."""

KNOW_DAGSTER = {"defs", "definitions", "running"}

HEAVY = ("dagster", "pandas", "pandera", "pyarrow", "sqlalchemy", "httpx")

WITHOUT_DAGSTER = (
    "hris_pipeline.settings.document",
    "hris_pipeline.settings.loading",
    "hris_pipeline.settings.schema",
    "hris_pipeline.change_set.plan",
    "hris_pipeline.sources.extract",
    "hris_pipeline.store.applying",
    "hris_pipeline.operations.overview",
    "hris_pipeline.operations.settings",
    "hris_pipeline.sandbox",
    "hris_pipeline.cli",
)


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def named(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


each_module = pytest.mark.parametrize("path", modules(), ids=named)


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(tree: ast.AST, path: Path) -> Iterator[str]:
    """The dotted name of everything imported anywhere in a module, inside functions too."""
    package = ("hris_pipeline", *path.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join((*above, *((node.module,) if node.module else ())))
            yield from (f"{base}.{alias.name}" for alias in node.names)


def rooms_imported(path: Path) -> set[str]:
    names = imports_of(tree_of(path), path)
    return {name.split(".")[1] for name in names if name.startswith("hris_pipeline.")}


def allowed_rooms(room: str) -> set[str]:
    if room in APART:
        return APART[room]
    floor = next(number for number, rooms in enumerate(ROOMS) if room in rooms)
    below = {name for rooms in ROOMS[: floor + 1] for name in rooms}
    return below | (set(APART) if room == "cli" else set())


def test_every_room_has_its_place() -> None:
    rooms_and_files = {room for rooms in ROOMS for room in rooms} | set(APART) | {"__init__"}
    assert {room_of(path) for path in modules()} == rooms_and_files


@each_module
def test_imports_point_up_the_list(path: Path) -> None:
    if room_of(path) != "__init__":
        assert rooms_imported(path) <= allowed_rooms(room_of(path))


@each_module
def test_dagster_is_known_only_where_it_is_glued(path: Path) -> None:
    tree = tree_of(path)
    if room_of(path) in KNOW_DAGSTER:
        return
    if room_of(path) in ("cli", "console"):
        tree = ast.Module([node for node in tree.body if not isinstance(node, ast.FunctionDef)], [])
    assert not [name for name in imports_of(tree, path) if name.split(".")[0].startswith("dagster")]


@each_module
def test_a_module_says_what_belongs_there_and_what_it_gives(path: Path) -> None:
    tree = tree_of(path)
    assert ast.get_docstring(tree), "no docstring"
    defines = any(isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign) for node in tree.body)
    if defines and "migrations" not in path.parts:
        assigned = [target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
        assert any(isinstance(name, ast.Name) and name.id == "__all__" for name in assigned), "no __all__"


def exported(path: Path) -> set[str] | None:
    """What a module says it gives; None where it makes the list itself."""
    for node in tree_of(path).body:
        if isinstance(node, ast.Assign) and any(isinstance(n, ast.Name) and n.id == "__all__" for n in node.targets):
            return set(ast.literal_eval(node.value)) if isinstance(node.value, ast.List) else None
    return set()


def test_a_module_takes_from_another_only_what_that_one_exports() -> None:
    files = {".".join(("hris_pipeline", *path.relative_to(PACKAGE).with_suffix("").parts)): path for path in modules()}
    exports = {name.removesuffix(".__init__"): exported(path) for name, path in files.items()}
    taken = set()
    for path in modules():
        for name in imports_of(tree_of(path), path):
            module, _, member = name.rpartition(".")
            if name not in exports and (names := exports.get(module)) is not None and member not in names:
                taken.add(f"{named(path)} takes {member} from {module}")
    assert taken == set()


@each_module
def test_files_and_functions_stay_small(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= 400
    functions = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.FunctionDef)]
    long = [f"{function.name}: {lines_of(function)} lines" for function in functions if lines_of(function) > 50]
    assert "migrations" in path.parts or not long


def test_the_files_of_tests_and_measurements_stay_small_too() -> None:
    folders = (PACKAGE.parent / name for name in ("hris_pipeline_tests", "benchmarks", "scripts"))
    paths = [path for folder in folders for path in folder.rglob("*.py")]
    assert len(paths) > 200
    assert [path.name for path in paths if path.read_text().count("\n") > 400] == []


def test_tests_help_themselves_in_the_kit_alone() -> None:
    """Nothing is imported from a file of tests, nor from a ``conftest``."""
    paths = sorted(TESTS.rglob("*.py"))
    assert paths
    lines = [f"{path.relative_to(TESTS)}: {line}" for path in paths for line in path.read_text().splitlines()]
    assert [line for line in lines if re.search(r": (?:from|import) \S*(?:\.test_|\bconftest\b)", line)] == []


def test_the_house_has_few_rooms_and_small_ones_say_why() -> None:
    """`__init__` files, which only mark a folder, do not count, nor do steps of the schema, which stay for good."""
    counted = [path for path in modules() if path.name != "__init__.py" and path.parent.name != "versions"]
    assert len(counted) <= 140
    unexplained = [
        named(path)
        for path in counted
        if path.read_text().count("\n") < 50 and len(ast.get_docstring(tree_of(path)) or "") < 60
    ]
    assert not unexplained


def test_no_files_import_each_other_in_a_circle() -> None:
    """Imports inside functions count, those that only types need do not."""
    files = {".".join(("hris_pipeline", *path.relative_to(PACKAGE).with_suffix("").parts)): path for path in modules()}
    imported = {name: set(runtime_imports(path, files)) - {name} for name, path in files.items()}
    while free := {name for name, others in imported.items() if not others}:
        imported = {name: others - free for name, others in imported.items() if name not in free}
    assert not imported


def runtime_imports(path: Path, files: Mapping[str, Path]) -> Iterator[str]:
    body = [node for node in tree_of(path).body if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node))]
    for name in imports_of(ast.Module(body, []), path):
        yield from (module for module in (name, name.rpartition(".")[0]) if module in files)


def lines_of(function: ast.FunctionDef) -> int:
    """Signature and body, without the docstring."""
    documented = function.body[0] if ast.get_docstring(function) else None
    said = (documented.end_lineno or 0) - documented.lineno + 1 if documented else 0
    return (function.end_lineno or 0) - function.lineno + 1 - said


def run(code: str) -> str:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env={}, stdout=subprocess.PIPE, check=True, text=True, cwd=PACKAGE.parent).stdout


def test_definitions_load_with_an_empty_environment() -> None:
    assert run("from hris_pipeline.definitions import defs; print(type(defs).__name__)") == "Definitions\n"


def test_everything_but_the_glue_starts_without_dagster() -> None:
    imported = "".join(f"import {name}; " for name in WITHOUT_DAGSTER)
    assert run(f"import sys; {imported} print('dagster' in sys.modules)") == "False\n"


def test_reading_settings_starts_without_any_heavy_library() -> None:
    code = f"import sys; import hris_pipeline.settings.loading; print([n for n in {HEAVY} if n in sys.modules])"
    assert run(code) == "[]\n"
