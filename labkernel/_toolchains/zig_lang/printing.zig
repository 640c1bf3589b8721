//! What `std.debug.print` and `std.log` write through: straight to the descriptor. The standard library's own
//! way brings files, sockets and threads along, which takes seconds to compile.
const std = @import("std");
const Io = std.Io;

pub const debug_io: Io = .{ .userdata = null, .vtable = &vtable };

const vtable = blk: {
    var table = Io.failing.vtable.*;
    table.operate = operate;
    table.lockStderr = lockStderr;
    table.tryLockStderr = tryLockStderr;
    table.unlockStderr = unlockStderr;
    table.swapCancelProtection = swapCancelProtection;
    break :blk table;
};

var stderr: Io.File.Writer = undefined;

fn lockStderr(_: ?*anyopaque, mode: ?Io.Terminal.Mode) Io.Cancelable!Io.LockedStderr {
    stderr = .initStreaming(.stderr(), debug_io, &.{});
    return .{ .file_writer = &stderr, .terminal_mode = mode orelse .no_color };
}

fn tryLockStderr(state: ?*anyopaque, mode: ?Io.Terminal.Mode) Io.Cancelable!?Io.LockedStderr {
    return try lockStderr(state, mode);
}

fn unlockStderr(_: ?*anyopaque) void {
    stderr.interface.flush() catch {};
    stderr.interface.buffer = &.{};
    stderr.interface.end = 0;
}

fn swapCancelProtection(_: ?*anyopaque, _: Io.CancelProtection) Io.CancelProtection {
    return .unblocked;
}

fn operate(_: ?*anyopaque, operation: Io.Operation) Io.Cancelable!Io.Operation.Result {
    switch (operation) {
        .file_write_streaming => |wanted| return .{ .file_write_streaming = write(wanted) },
        else => @panic("std.debug writes to streams only"),
    }
}

const Piece = extern struct { ptr: [*]const u8, len: usize };

const wasi = struct {
    extern "wasi_snapshot_preview1" fn fd_write(fd: i32, pieces: [*]const Piece, len: usize, written: *usize) u16;
};

fn write(wanted: Io.Operation.FileWriteStreaming) Io.Operation.FileWriteStreaming.Result {
    const fd = wanted.file.handle;
    var total = try put(fd, wanted.header);
    const last = wanted.data.len - 1;
    for (wanted.data[0..last]) |part| total += try put(fd, part);
    for (0..wanted.splat) |_| total += try put(fd, wanted.data[last]);
    return total;
}

fn put(fd: i32, part: []const u8) error{BrokenPipe}!usize {
    var done: usize = 0;
    while (done < part.len) {
        const pieces = [_]Piece{.{ .ptr = part.ptr + done, .len = part.len - done }};
        var written: usize = 0;
        if (wasi.fd_write(fd, &pieces, 1, &written) != 0 or written == 0) return error.BrokenPipe;
        done += written;
    }
    return done;
}
