"""The rules, each a function of a file's path and text that returns its findings.

A finding is one line, `path:line: what is wrong`. Nothing here reads a file: test_checks.py gives
every rule a text that breaks it, test_tree.py gives it the tree.
"""

from __future__ import annotations

import ast
import io
import posixpath
import re
import sys
import tokenize
from collections.abc import Container, Iterator

MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
FILE_BYTES_MAX = 1_000_000

# What the core may import: no clock, no I/O, no randomness, no tasks.
CORE_STDLIB = frozenset({
    "__future__", "abc", "array", "bisect", "collections", "copy", "csv", "dataclasses",
    "datetime", "decimal", "enum", "fractions", "functools", "hashlib", "heapq", "itertools",
    "json", "math", "operator", "re", "string", "struct", "types", "typing",
})  # fmt: skip
CORE_FOREIGN = frozenset({"msgspec"})

# `hash` and `id` differ from process to process, so nothing decided may rest on them.
CORE_BANNED_CALLS = frozenset(
    {"breakpoint", "compile", "eval", "exec", "hash", "id", "input", "open", "print", "__import__"}
)
CLOCK_METHODS = frozenset({"now", "today", "utcnow", "fromtimestamp"})

_MACHINE_PATH = re.compile(r"(?<![\w.~$}/-])/(?:work|tmp|root|home/[a-z]\w*)/")
_INDEX_OPTION = re.compile(r"--(?:index-url|extra-index-url|find-links|trusted-host|pre)\b")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")
_NOQA = re.compile(r"#\s*noqa\b", re.IGNORECASE)
_NOQA_FULL = re.compile(r"#\s*noqa:\s*[A-Z]+\d+(?:\s*,\s*[A-Z]+\d+)*\s+(?:-|#)\s*\w+")
_TYPE_IGNORE = re.compile(r"#\s*type:\s*ignore")
_TYPE_IGNORE_FULL = re.compile(r"#\s*type:\s*ignore\[[a-z-]+(?:,\s*[a-z-]+)*\]\s+#\s*\w+")
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)


def module_size(path: str, text: str) -> list[str]:
    """A module stays readable in one sitting."""
    lines = len(text.splitlines())
    if lines <= MODULE_LINES_MAX:
        return []
    return [f"{path}:{lines}: module of {lines} lines, at most {MODULE_LINES_MAX}"]


def function_size(path: str, text: str) -> list[str]:
    """A function fits on one screen."""
    findings = []
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        lines = (node.end_lineno or node.lineno) - node.lineno + 1
        if lines > FUNCTION_LINES_MAX:
            size = f"{lines} lines, at most {FUNCTION_LINES_MAX}"
            findings.append(f"{path}:{node.lineno}: function {node.name} of {size}")
    return findings


def file_size(path: str, size_bytes: int) -> list[str]:
    """A repository is cloned whole, so no file of it is large."""
    if size_bytes <= FILE_BYTES_MAX:
        return []
    return [f"{path}:1: {size_bytes} bytes, at most {FILE_BYTES_MAX}"]


def core_purity(path: str, text: str) -> list[str]:
    """The core imports messages alone, awaits nothing, and calls nothing that reads the world."""
    tree = ast.parse(text)
    findings = [
        f"{path}:{line}: the core may not import {module}"
        for line, module in imported_modules(tree)
        if not _core_may_import(module)
    ]
    for node in ast.walk(tree):
        if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith):
            findings.append(f"{path}:{node.lineno}: the core is synchronous")
        if isinstance(node, ast.Call) and (name := _banned_call(node.func)):
            findings.append(f"{path}:{node.lineno}: the core may not call {name}")
    return findings


def _core_may_import(module: str) -> bool:
    root = module.partition(".")[0]
    if root == "daemon":
        return module == "daemon.core" or module.startswith("daemon.core.")
    return root in CORE_STDLIB or root in CORE_FOREIGN


def _banned_call(function: ast.expr) -> str | None:
    if isinstance(function, ast.Name) and function.id in CORE_BANNED_CALLS:
        return function.id
    if isinstance(function, ast.Attribute) and function.attr in CLOCK_METHODS:
        return ast.unparse(function)
    return None


def imported_modules(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every import of a tree, those inside functions too, as (line, module)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "." * node.level + (node.module or "")


def foreign_libraries(text: str) -> set[str]:
    """The top-level names a module imports that are neither ours nor the standard library's."""
    roots = {module.partition(".")[0] for _, module in imported_modules(ast.parse(text))}
    return roots - sys.stdlib_module_names - {"", "daemon", "replay"}


def inline_reasons(path: str, text: str) -> list[str]:
    """`# noqa: RULE - reason` and `# type: ignore[rule]  # reason`: which rule, and why."""
    findings = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type != tokenize.COMMENT:
            continue
        where = f"{path}:{token.start[0]}"
        if _NOQA.search(token.string) and not _NOQA_FULL.search(token.string):
            findings.append(f"{where}: write `# noqa: RULE - reason`")
        if _TYPE_IGNORE.search(token.string) and not _TYPE_IGNORE_FULL.search(token.string):
            findings.append(f"{where}: write `# type: ignore[rule]  # reason`")
    return findings


def ignore_reasons(path: str, text: str) -> list[str]:
    """Each rule that pyproject.toml switches off stands on a line of its own, with the reason."""
    findings = []
    section = ""
    inside = False
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("["):
            section = line.strip("[] ")
            inside = False
        opens = section == "tool.ruff.lint.per-file-ignores" or (
            section == "tool.ruff.lint" and re.match(r"(?:extend-)?ignore\s*=", line)
        )
        if opens and "= [" in line:
            inside = True
            if not line.rstrip().endswith("= ["):
                findings.append(f"{path}:{number}: one ignored rule a line")
        elif line.startswith("]"):
            inside = False
        elif inside and not re.match(r'\s*"[A-Z0-9]+",\s*#\s*\S+\s+\S+', line):
            findings.append(f"{path}:{number}: an ignored rule needs its reason beside it")
    return findings


def machine_paths(path: str, text: str) -> list[str]:
    """No absolute path of the machine that something was written on."""
    return [
        f"{path}:{number}: absolute path of one machine: {match.group()}"
        for number, line in enumerate(text.splitlines(), start=1)
        if (match := _MACHINE_PATH.search(line))
    ]


def lock_addresses(path: str, text: str) -> list[str]:
    """A lock file names what to install, never from where."""
    return [
        f"{path}:{number}: an index address or option: {line.strip()}"
        for number, line in enumerate(text.splitlines(), start=1)
        if "://" in line or _INDEX_OPTION.search(line)
    ]


def lock_hashes(path: str, text: str) -> list[str]:
    """Every requirement of a lock file is pinned and has a hash."""
    findings = []
    for entry in re.split(r"\n(?=[^\s#])", "\n" + text):
        name = entry.split(maxsplit=1)[0] if entry.strip() else ""
        if not name or name.startswith("#"):
            continue
        if not _PIN.match(entry):
            findings.append(f"{path}:1: not pinned: {name}")
        elif "--hash=sha256:" not in entry:
            findings.append(f"{path}:1: no hash: {name}")
    return findings


def lock_pins(text: str) -> dict[str, str]:
    """The version of each package of a lock file, by its normal name."""
    return {re.sub(r"[._-]+", "-", name).lower(): pin for name, pin in _PIN.findall(text)}


def markdown_links(path: str, text: str, files: Container[str]) -> list[str]:
    """Every link to a local file leads to one (`files`: files and folders, from the root)."""
    findings = []
    fenced = False
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("```"):
            fenced = not fenced  # code is no text: [..](..) there is not a link
        for target in () if fenced else _LINK.findall(line):
            if re.match(r"[a-z]+:|#", target):
                continue
            local = target.partition("#")[0].rstrip("/")
            resolved = posixpath.normpath(posixpath.join(posixpath.dirname(path), local))
            if resolved not in files:
                findings.append(f"{path}:{number}: the link leads nowhere: {target}")
    return findings
