//! What stands between a cell and the component model: the memory of one call, values in slots, panics.
//!
//! Everything that arrives with a call, and everything made with `allocator` meanwhile, lives until the
//! answer is out. What is to stay longer belongs to an allocator of one's own: `std.heap.wasm_allocator`.
const std = @import("std");

/// What a function of the world answers that may fail: `.{ .ok = value }` or `.{ .err = reason }`.
pub fn Result(comptime T: type, comptime E: type) type {
    return union(enum) {
        ok: T,
        err: E,

        pub const Ok = T;
        pub const Err = E;
        pub const is_wit_result = true;
    };
}

// ------------------------------------------------------------------------------------------- memory of a call

const Chunk = struct { next: ?*Chunk, end: usize };

var first: ?*Chunk = null;
var current: ?*Chunk = null;
var at: usize = 0;

/// Returns memory that lives until the call is over.
pub fn allocate(size: usize, alignment: usize) usize {
    while (true) {
        if (current) |chunk| {
            const start = (at + alignment - 1) & ~(alignment - 1);
            if (start <= chunk.end and chunk.end - start >= size) {
                at = start + size;
                return start;
            }
        }
        next(size + alignment);
    }
}

fn next(size: usize) void {
    var last = current;
    var candidate = if (current) |chunk| chunk.next else first;
    while (candidate) |chunk| {
        if (chunk.end - @intFromPtr(chunk) - @sizeOf(Chunk) >= size) return enter(chunk);
        last = chunk;
        candidate = chunk.next;
    }
    const pages = (size + @sizeOf(Chunk) + 0xffff) >> 16;
    const chunk: *Chunk = @ptrFromInt(grow(pages));
    chunk.* = .{ .next = null, .end = @intFromPtr(chunk) + (pages << 16) };
    if (last) |before| before.next = chunk else first = chunk;
    enter(chunk);
}

fn enter(chunk: *Chunk) void {
    current = chunk;
    at = @intFromPtr(chunk) + @sizeOf(Chunk);
}

fn grow(pages: usize) usize {
    const before = @wasmMemoryGrow(0, pages);
    if (before < 0) fail("out of memory");
    return @as(usize, @intCast(before)) << 16;
}

/// Ends the call: its memory is used again by the next one.
pub fn reset() void {
    current = null;
    at = 0;
}

fn realloc(old: usize, old_size: usize, alignment: usize, size: usize) callconv(.c) usize {
    if (size == 0) return alignment;
    const new = allocate(size, alignment);
    copy(new, old, @min(old_size, size));
    return new;
}

fn copy(to: usize, from: usize, size: usize) void {
    if (size != 0) @memcpy(@as([*]u8, @ptrFromInt(to))[0..size], @as([*]const u8, @ptrFromInt(from))[0..size]);
}

/// The memory of WASI's adapter stays for good.
fn reallocForAdapter(old: usize, old_size: usize, alignment: usize, size: usize) callconv(.c) usize {
    _ = alignment;
    const new = grow((size + 0xffff) >> 16);
    copy(new, old, @min(old_size, size));
    return new;
}

comptime {
    @export(&realloc, .{ .name = "cabi_realloc" });
    @export(&reallocForAdapter, .{ .name = "cabi_realloc_adapter" });
}

/// Makes memory that lives until the answer of the call is out. Freeing it is allowed and not needed.
pub const allocator: std.mem.Allocator = .{ .ptr = undefined, .vtable = &.{
    .alloc = alloc,
    .resize = resize,
    .remap = remap,
    .free = free,
} };

fn alloc(_: *anyopaque, size: usize, alignment: std.mem.Alignment, _: usize) ?[*]u8 {
    return @ptrFromInt(allocate(size, alignment.toByteUnits()));
}

fn resize(_: *anyopaque, memory: []u8, _: std.mem.Alignment, size: usize, _: usize) bool {
    const start = @intFromPtr(memory.ptr);
    if (size <= memory.len) return true;
    const chunk = current orelse return false;
    if (start + memory.len != at or start > chunk.end or chunk.end - start < size) return false;
    at = start + size;
    return true;
}

fn remap(state: *anyopaque, memory: []u8, alignment: std.mem.Alignment, size: usize, address: usize) ?[*]u8 {
    return if (resize(state, memory, alignment, size, address)) memory.ptr else null;
}

fn free(_: *anyopaque, memory: []u8, _: std.mem.Alignment, _: usize) void {
    if (@intFromPtr(memory.ptr) + memory.len == at) at = @intFromPtr(memory.ptr);
}

/// Returns memory that stays.
pub fn keep(size: usize, comptime alignment: usize) usize {
    const made = std.heap.wasm_allocator.rawAlloc(size, .fromByteUnits(alignment), 0) orelse fail("out of memory");
    return @intFromPtr(made);
}

/// Ends what `keep` returned.
pub fn giveUp(address: usize, size: usize, comptime alignment: usize) void {
    const memory = @as([*]u8, @ptrFromInt(address))[0..size];
    std.heap.wasm_allocator.rawFree(memory, .fromByteUnits(alignment), 0);
}

// --------------------------------------------------------------------------------------------- values in memory

pub inline fn get(comptime T: type, address: usize) T {
    return @as(*const T, @ptrFromInt(address)).*;
}

pub inline fn put(comptime T: type, address: usize, value: T) void {
    @as(*T, @ptrFromInt(address)).* = value;
}

/// A list whose elements lie in memory as Zig has them.
pub inline fn slice(comptime T: type, address: usize, len: usize) []const T {
    return if (len == 0) &.{} else @as([*]const T, @ptrFromInt(address))[0..len];
}

/// Where a list begins. Zig's empty lists may lie anywhere, the component model's only within the memory.
pub inline fn addressOf(value: anytype) usize {
    return if (value.len == 0) 8 else @intFromPtr(value.ptr);
}

/// A list to be filled, of the call's memory.
pub fn list(comptime T: type, len: usize) []T {
    if (len == 0) return &.{};
    return @as([*]T, @ptrFromInt(allocate(len * @sizeOf(T), @alignOf(T))))[0..len];
}

// ---------------------------------------------------------------------------------------------- values in slots

pub const Slots = [*]const u64;

/// Returns what a core value stands for; a narrower one lies in the lower bits.
pub inline fn take(comptime T: type, slot: u64) T {
    return switch (T) {
        bool => @as(u32, @truncate(slot)) != 0,
        u8, u16, u21, u32, u64, usize => @truncate(slot),
        i8 => @bitCast(@as(u8, @truncate(slot))),
        i16 => @bitCast(@as(u16, @truncate(slot))),
        i32, f32 => @bitCast(@as(u32, @truncate(slot))),
        i64, f64 => @bitCast(slot),
        else => unreachable,
    };
}

/// Returns the core value of a number.
pub inline fn give(comptime T: type, value: T) u64 {
    return switch (T) {
        bool => @intFromBool(value),
        u8, u16, u21, u32, u64, usize => value,
        i8, i16 => @as(u32, @bitCast(@as(i32, value))),
        i32, f32 => @as(u32, @bitCast(value)),
        i64, f64 => @bitCast(value),
        else => unreachable,
    };
}

// -------------------------------------------------------------------------------------------- answers and panics

/// Returns the answer of a cell's function as the world has it. An error of Zig becomes the case of its name.
pub inline fn answer(comptime W: type, value: anytype) W {
    const V = @TypeOf(value);
    if (V == W) return value;
    if (comptime @typeInfo(V) == .error_union)
        return if (value) |good| answer(W, good) else |reason| refusal(W, reason);
    if (comptime isResult(W) and V == W.Ok) return .{ .ok = value };
    return value;
}

fn isResult(comptime W: type) bool {
    return @typeInfo(W) == .@"union" and @hasDecl(W, "is_wit_result");
}

fn refusal(comptime W: type, reason: anytype) W {
    if (comptime isResult(W)) {
        const E = W.Err;
        if (E == void) return .{ .err = {} };
        if (E == []const u8) return .{ .err = @errorName(reason) };
        switch (reason) {
            inline else => |one| {
                const name = comptime snake(@errorName(one));
                if (comptime @typeInfo(E) == .@"enum" and @hasField(E, name)) return .{ .err = @field(E, name) };
                if (comptime @typeInfo(E) == .@"union" and @hasField(E, name) and @FieldType(E, name) == void)
                    return .{ .err = @unionInit(E, name, {}) };
            },
        }
    }
    write(&.{ "error: ", @errorName(reason), " is no answer that the world knows\n" });
    @trap();
}

fn snake(comptime name: []const u8) []const u8 {
    comptime {
        @setEvalBranchQuota(20000);
        var made: []const u8 = "";
        for (name, 0..) |letter, i| {
            if (letter >= 'A' and letter <= 'Z') {
                if (i != 0 and !(name[i - 1] >= 'A' and name[i - 1] <= 'Z') and name[i - 1] != '_') made = made ++ "_";
                made = made ++ &[_]u8{letter + 32};
            } else made = made ++ &[_]u8{letter};
        }
        return made;
    }
}

const Piece = extern struct { ptr: [*]const u8, len: usize };

const wasi = struct {
    extern "wasi_snapshot_preview1" fn fd_write(fd: i32, pieces: [*]const Piece, len: usize, written: *usize) u16;
};

fn write(parts: []const []const u8) void {
    var written: usize = 0;
    for (parts) |part| {
        const pieces = [_]Piece{.{ .ptr = part.ptr, .len = part.len }};
        _ = wasi.fd_write(2, &pieces, 1, &written);
    }
}

fn fail(message: []const u8) noreturn {
    write(&.{ "panic: ", message, "\n" });
    @trap();
}

fn panicked(message: []const u8, _: ?usize) noreturn {
    fail(message);
}

/// What a cell without a `panic` of its own gets: the message on stderr, then a trap.
pub const panic = std.debug.FullPanic(panicked);
