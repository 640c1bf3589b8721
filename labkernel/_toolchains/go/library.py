"""Go's bindings and their library, with what the lab changes in them: a call may hand in as much as it likes.

The library is lighter, what a call hands in sets off no collection, and is let go of in time.

The canonical ABI places a call's arguments, and an import's results, through `cabi_realloc`, and calls no import
meanwhile. Go's collector asks for the time and polls for timers, both imports: a collection that starts inside
`cabi_realloc` traps with "cannot leave component instance". The adapter's paused clock is no way out of it, see
https://github.com/bytecodealliance/wasmtime/issues/14318. Here `cabi_realloc` holds the processor while it
allocates, which puts a collection off (`gcStart` and `gcAssistAlloc` look at the locks), and what was put off is
done where imports may be called: as an export begins, as an import has returned, and where the cell allocates.

What `cabi_realloc` gave has to stay until Go's own values refer to it. The bindings let go of it in the exports that
take such values, and only there, so that a function that asks an import a million times holds all the answers. Here
each export and each import takes what was placed for it and lets go of that. This module knows no tool.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from labkernel._errors import CompileError

__all__ = ["FORM", "bindings", "changed"]

#: Changes with what this module makes of a library; components are built again then.
FORM: Final = "go library 8"
_RUNTIME: Final = "wit/runtime/runtime.go"
_ADDED: Final = "wit/runtime/labkernel_collect.go"

#: `procPin` and its counterpart are among the names that Go keeps for linkname: https://go.dev/issue/67401.
_COLLECT: Final = """package runtime

import "unsafe"

//go:linkname procPin runtime.procPin
func procPin() int

//go:linkname procUnpin runtime.procUnpin
func procUnpin()

// Placed keeps alive what cabi_realloc has given. Go moves no object, so a reference will do for a pin.
type Placed struct {
	objects []unsafe.Pointer
}

// latest has what was given since the last Taken, spare what may be used again.
var (
	latest = &Placed{}
	spare  []*Placed
)

// owed counts the bytes that were given since a collection could last begin, due is what was allocated to let it begin.
var (
	owed uintptr
	due  []byte
)

// place allocates without letting a collection begin or asking for help with one.
func place(size, align uintptr) unsafe.Pointer {
	procPin()
	object := allocateRaw(size, align)
	latest.objects = append(latest.objects, object)
	owed += size
	procUnpin()
	return object
}

// Taken hands over what cabi_realloc has given since the last time. A collection may begin here.
func Taken() *Placed {
	taken := latest
	if last := len(spare) - 1; last >= 0 {
		latest, spare = spare[last], spare[:last]
	} else {
		latest = &Placed{}
	}
	collect()
	return taken
}

// Release lets go of it all.
func (placed *Placed) Release() {
	if cap(placed.objects) > 4096 {
		placed.objects = nil
	}
	clear(placed.objects)
	placed.objects = placed.objects[:0]
	spare = append(spare, placed)
}

// collect lets a collection begin where enough has been given. Go looks whether one is due when it makes an object of
// more than 32 KiB, and a running one is helped along by whoever allocates.
func collect() {
	if owed < 512<<10 {
		return
	}
	owed = 0
	due = make([]byte, 40<<10)
}
"""
_CHANGES: Final = (
    ("//go:wasmexport cabi_realloc\n", "//go:wasmexport cabi_realloc\n//go:nosplit\n"),
    ("\t\tpointer := Allocate(&pinner, newSize, align)\n", "\t\tpointer := place(newSize, align)\n"),
)
#: A call of an import that answers in memory, and where an export has Go's values.
_ASKS: Final = re.compile(r"^[ \t]*wasm_import_\w+\(.*\breturnArea\)$", re.MULTILINE)
_LETS_GO: Final = "witRuntime.Unpin()"


def changed(library: Mapping[str, str]) -> dict[str, str]:
    """Return the files of the library as cells are linked with it.

    Raises `CompileError` where the library is another than the one this module knows.
    """
    text = library.get(_RUNTIME, "")
    for old, new in _CHANGES:
        if text.count(old) != 1:
            raise CompileError(
                f"{_RUNTIME} of Go's library is not the one that labkernel knows: it lacks {old.strip()!r}. "
                "Make the toolbox anew with this labkernel: labkernel setup.",
                language="go",
            )
        text = text.replace(old, new)
    made = {**library, _RUNTIME: text, _ADDED: _COLLECT}
    return {name: _lighter(text) for name, text in made.items()}


def bindings(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the bindings of a world, each function of which lets go of what was placed for it."""
    return {name: _letting_go(data.decode()).encode() for name, data in files.items()}


def _letting_go(text: str) -> str:
    """Return a file of bindings: an import lets go when it returns, an export once it has Go's values."""
    text = _ASKS.sub(r"\g<0>\nplaced_0 := witRuntime.Taken()\ndefer placed_0.Release()", text)
    return "//go:wasmexport ".join(map(_export, text.split("//go:wasmexport ")))


def _export(text: str) -> str:
    """Return the text from one export to the next; it may hold braces in any place."""
    if _LETS_GO not in text:
        return text
    head, line_end, body = text.partition(" {\n")
    return f"{head}{line_end}placed_0 := witRuntime.Taken()\n{body.replace(_LETS_GO, 'placed_0.Release()')}"


def _lighter(text: str) -> str:
    """Return a file of the library for any Go that knows generic aliases, and without `fmt` for its panics.

    A cell that prints nothing is a sixth smaller for it.
    """
    text = re.sub(r"^go \d\S*", "go 1.24", text, flags=re.MULTILINE)
    plain = re.sub(r'panic\(fmt\.Sprintf\("([^"%]*?):? ?%v[^\n]*\)\)', r'panic("\1")', text)
    return text if "fmt." in plain else plain.replace('\t"fmt"\n', "")
