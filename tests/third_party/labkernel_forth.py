"""Forth for labkernel: a cell like `dup * 1 +` becomes a component for a function of s64."""

import re

from labkernel.language import Artifact, CompileError, Diagnostic, Toolchain, UsageError

CALCULATE = {"+": "add", "-": "sub", "*": "mul", "/": "div_s", "mod": "rem_s"}
SHUFFLE = {"dup": "a aa", "drop": "a ", "swap": "ab ba", "over": "ab aba"}


class Forth(Toolchain):
    """The toolchain; `language` is what one types after `%%wasm`."""

    language, title, extensions = "forth", "Forth", (".fth",)

    def versions(self):
        """Return what every build's key holds: a new compiler builds anew."""
        return "labkernel-forth 0.1"

    def check(self, cache):
        """Return the doctor's rows: there is nothing that could be missing."""
        return []

    def setup(self, context):
        """Prepare nothing."""

    def starter(self, package, world, context=None):
        """Return the cell that `%wasm new forth NAME` inserts."""
        return "dup *\n"

    def build(self, snippet, package, world, options, context):
        """Return the component of the words."""
        if world is None:
            raise UsageError("A Forth cell needs a world with a function of s64; give it with --world.")
        text = module(snippet, next(world.functions()))
        core = context.needs_supervisor("Forth").assemble(text)
        return Artifact(context.needs_toolbox("Forth").componentize(core, package, world.full_name), raw=text)


def module(snippet, function):
    """Return the words as WebAssembly text; the stack holds numbers of locals and exists only here."""
    params = len(function.params)
    code, stack = [], list(range(params))
    for found in re.finditer(r"\S+|\s*\Z", snippet.text):
        word = found[0].strip()
        takes, _, gives = SHUFFLE.get(
            word, "ab n" if word in CALCULATE else " n" if word else "a a"
        ).partition(" ")
        if len(stack) < len(takes) or (not takes and not re.fullmatch(r"-?\d{1,18}", word)):
            line = snippet.text.count("\n", 0, found.start())
            column = found.start() - snippet.text.rfind("\n", 0, found.start())
            what = f"{word or 'the answer'} finds too few numbers" if takes else f"unknown word {word}"
            where = Diagnostic(what, line=line + 1, column=column, text=snippet.text.split("\n")[line])
            raise CompileError("The cell does not compile.", language="forth", diagnostics=[where])
        taken = {name: stack.pop() for name in reversed(takes)} | {"n": params + len(code)}
        stack += [taken[name] for name in gives]
        if gives == "n":
            operands = "".join(f"local.get {taken[name]} " for name in takes)
            code.append(f"{operands}i64.{CALCULATE.get(word, f'const {word}')} local.set {taken['n']}")
    head = f'(module (func (export "{function.full_name}") (param{" i64" * params}) (result i64)'
    return "\n".join([head, f"(local{' i64' * len(code)})", *code, f"local.get {stack[-1]}))"])
