"""What is mended in the code that wit-bindgen 0.63 writes for C++.

It lowers a list of anything but plain numbers into the list's own memory, element by element. C++ lays out
options, results and variants in another way than the component model, so an element is overwritten while it
is read, the next one where it is smaller, and what a cell only lent to an import is destroyed. Here such
lists get memory of their own. The arrays that lists arrive in were never freed, either. (Seen with 0.63.0 in
`Instruction::ListLower` and `Instruction::ListLift` of its C++ generator.) This module knows no cell and no
tool.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

__all__ = ["mended", "ordered"]

_LOWER: Final = re.compile(
    r"auto&& (?P<vec>_vec\d+) = (?P<source>[^;]+);\s*"
    r"auto (?P<ptr>_ptr\d+) = \(uint8_t\*\)\((?P=vec)\.data\(\)\);\s*"
    r"auto (?P<len>_len\d+) = \(size_t\)\((?P=vec)\.size\(\)\);\s*"
    r"for \(size_t i = 0; i < (?P=len); \+\+i\) \{\s*"
    r"auto _base = (?P=ptr) \+ i \* (?P<size>[^;]+);"
)
_LIFT: Final = re.compile(
    r"auto (?P<base>_base\d+) = [^;]+;\s*auto (?P<len>_len\d+) = [^;]+;\s*"
    r"auto _result\d+ = wit::vector<[^;]+>::allocate\((?P=len)\);\s*"
    r"for \(unsigned i=0; i<(?P=len); \+\+i\) \{"
)
_CALL: Final = re.compile(
    r"^(?!\s*void |\s*extern |\s*\w+\s*\*?\s*__wasm_import_\w+\([^()]*\);$)[^\n]*\b__wasm_import_\w+\(.*\);$",
    re.MULTILINE,
)
_INCLUDE: Final = re.compile(r"^#include <cstdlib>.*$", re.MULTILINE)
_HELP: Final = """
namespace {
struct Lent { Lent *next; };
Lent *lent_first = nullptr;
uint8_t *given(size_t size) {
  if (!size) return (uint8_t *)8;
  auto made = (uint8_t *)malloc(size);
  if (!made) abort();
  return made;
}
[[maybe_unused]] uint8_t *lent(size_t size) {
  auto made = (Lent *)given(size + 16);
  made->next = lent_first;
  lent_first = made;
  return (uint8_t *)made + 16;
}
[[maybe_unused]] void taken_back() {
  while (lent_first) {
    auto next = lent_first->next;
    free(lent_first);
    lent_first = next;
  }
}
}
"""


def mended(text: str) -> str:
    """Return generated C++ with memory of their own for lists that need it."""
    text = _INCLUDE.sub(lambda m: m.group() + _HELP, text, count=1)
    text = _with_own_memory(text)
    text = _with_frees(text)
    return _CALL.sub(lambda m: f"{m.group()}\n  taken_back();", text)


_RESOURCE_HEADER: Final = re.compile(r'^#include "exports-[^"]+\.h"\n', re.MULTILINE)
_NEW: Final = re.compile(r"^(\s*static Owned New)\(([^{}]*)\)\{([^{}]*)\}$", re.MULTILINE)
_CLASS: Final = re.compile(r"^\s*class (\w+) : public wit::ResourceExportBase", re.MULTILINE)
_SPACE: Final = re.compile(r"^\s*namespace (\w+) \{$", re.MULTILINE)
_DECLARED: Final = re.compile(r"\s*(struct \w+|enum class \w+\s*:\s*[\w:]+)\s*\{")


def ordered(files: Mapping[str, str], world_header: str) -> dict[str, str]:
    """Return a world's files with the classes of its resources able to name the world's records.

    The generator declares the classes first, and a record may hold a resource as well as a resource take a record. So
    the records are announced before the classes, and what creates a resource is defined after both.
    """
    files = dict(files)
    classes = {
        name: text for name, text in files.items() if name.startswith("exports-") and name.endswith(".h")
    }
    if not classes:
        return files
    defined = []
    for name, text in classes.items():
        made = _CLASS.search(text)
        path = "::".join([*_SPACE.findall(text), made[1]]) if made else ""
        for found in _NEW.finditer(text):
            defined.append(f"inline {path}::Owned {path}::New({found[2]}) {{{found[3]}}}\n")
        files[name] = _NEW.sub(r"\1(\2);", text)
    whole = files[world_header]
    includes = "".join(_RESOURCE_HEADER.findall(whole))
    rest = _RESOURCE_HEADER.sub("", whole)
    at, end = rest.index("#include"), rest.rindex("#endif")
    head = f"#include <cstdint>\n{_announced(whole)}{includes}"
    files[world_header] = rest[:at] + head + rest[at:end] + "".join(defined) + rest[end:]
    return files


def _announced(header: str) -> str:
    """Return declarations of a header's records and enums, without their members."""
    spaces: list[str] = []
    lines, depth = [], 0
    for line in header.splitlines():
        declared = _DECLARED.match(line)
        if declared and len(spaces) == depth:
            lines.append(f"namespace {'::'.join(spaces)} {{ {declared[1]}; }}\n")
        spaces += _SPACE.findall(line)
        depth += line.count("{") - line.count("}")
        del spaces[max(depth, 0) :]
    return "".join(lines)


def _with_own_memory(text: str) -> str:
    at = 0
    while (found := _LOWER.search(text, at)) is not None:
        end = _closing(text, text.index("{", found.start("len")))
        left = re.compile(rf"\s*{re.escape(found['source'].strip())}\.leak\(\);").match(text, end)
        own = f"{'given' if left else 'lent'}({found['len']} * ({found['size']}))"
        lines = [
            f"auto&& {found['vec']} = {found['source']};",
            f"auto {found['len']} = (size_t)({found['vec']}.size());",
            f"auto {found['ptr']} = {own};",
            f"for (size_t i = 0; i < {found['len']}; ++i) {{",
            f"auto _base = {found['ptr']} + i * {found['size']};",
        ]
        head = "\n".join(lines)
        text = text[: found.start()] + head + text[found.end() : end] + text[left.end() if left else end :]
        at = found.start() + len(head)
    return text


def _with_frees(text: str) -> str:
    at = 0
    while (found := _LIFT.search(text, at)) is not None:
        end = _closing(text, found.end() - 1)
        freed = f"\nif ({found['len']} > 0) free((void*)({found['base']}));"
        text = text[:end] + freed + text[end:]
        at = found.end()
    return text


def _closing(text: str, opening: int) -> int:
    """Return the offset behind the brace that closes the one at an offset."""
    depth = 0
    for mark in re.compile(r"[{}]").finditer(text, opening):
        depth += 1 if mark.group() == "{" else -1
        if not depth:
            return mark.end()
    return len(text)
