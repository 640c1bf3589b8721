"""Guests that print, ask the time, sleep, read a variable and a folder, in every language, with the same answer."""

from __future__ import annotations

from typing import Final

WORLD: Final = """package lab:membranes@0.1.0;

world guest {
    use wasi:clocks/wall-clock@0.2.0.{datetime};
    record seen { at: datetime, texts: list<string> }
    /// Prints `line`, sleeps a millisecond; returns what it was given, the variable MODE, and /data/a.txt.
    export run: func(line: string, at: datetime) -> result<seen, string>;
}
"""

CALL: Final = 'run("hi", {seconds: 7, nanoseconds: 9})'
ANSWER: Final = 'ok({at: {seconds: 7, nanoseconds: 9}, texts: ["test", "hello", "true"]})'

GUESTS: Final = {
    "rust": """fn run(line: String, at: Datetime) -> Result<Seen, String> {
    println!("{line}");
    let before = std::time::Instant::now();
    std::thread::sleep(std::time::Duration::from_millis(1));
    let slept = before.elapsed().as_millis() >= 1 && std::time::SystemTime::now() > std::time::UNIX_EPOCH;
    let mode = std::env::var("MODE").map_err(|e| e.to_string())?;
    let mut texts = vec![mode];
    for entry in std::fs::read_dir("/data").map_err(|e| e.to_string())? {
        texts.push(std::fs::read_to_string(entry.map_err(|e| e.to_string())?.path()).map_err(|e| e.to_string())?);
    }
    texts.push(slept.to_string());
    Ok(Seen { at, texts })
}""",
    "c": """#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <dirent.h>
bool run(guest_string_t *line, wasi_clocks_wall_clock_datetime_t *at, seen_t *ok, guest_string_t *err) {
    printf("%.*s\\n", (int)line->len, (char *)line->ptr);
    fflush(stdout);
    struct timespec before, after, span = {0, 1000000};
    clock_gettime(CLOCK_MONOTONIC, &before);
    nanosleep(&span, 0);
    clock_gettime(CLOCK_MONOTONIC, &after);
    long long ns = (after.tv_sec - before.tv_sec) * 1000000000ll + after.tv_nsec - before.tv_nsec;
    char path[300] = "/data/none", text[64] = "";
    DIR *folder = opendir("/data");
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        if (entry->d_name[0] != '.') snprintf(path, sizeof path, "/data/%s", entry->d_name);
    if (folder) closedir(folder);
    FILE *file = fopen(path, "r");
    if (!file) { guest_string_dup(err, "no file"); return false; }
    fread(text, 1, 63, file);
    fclose(file);
    ok->at = *at;
    ok->texts.len = 3;
    ok->texts.ptr = calloc(3, sizeof(guest_string_t));
    guest_string_dup(&ok->texts.ptr[0], getenv("MODE"));
    guest_string_dup(&ok->texts.ptr[1], text);
    guest_string_dup(&ok->texts.ptr[2], ns >= 1000000 ? "true" : "false");
    return true;
}""",
    "cpp": """#include <chrono>
#include <cstdlib>
#include <cstdio>
std::expected<Seen, wit::string> Run(wit::string line, Datetime at) {
    std::printf("%.*s\\n", (int)line.size(), line.data());
    std::fflush(stdout);
    auto began = std::chrono::steady_clock::now();
    bool moved = std::chrono::steady_clock::now() >= began;
    char text[64] = "";
    std::FILE *file = std::fopen("/data/a.txt", "r");
    if (!file) return std::unexpected(wit::string::from_view("no file"));
    std::fread(text, 1, 63, file);
    std::fclose(file);
    auto texts = wit::vector<wit::string>::allocate(3);
    texts.initialize(0, wit::string::from_view(std::getenv("MODE")));
    texts.initialize(1, wit::string::from_view(text));
    texts.initialize(2, wit::string::from_view(moved ? "true" : "false"));
    return Seen{at, std::move(texts)};
}""",
    "zig": """const std = @import("std");
fn run(line: []const u8, at: Datetime) Result(Seen, []const u8) {
    std.debug.print("{s}\\n", .{line});
    return .{ .ok = .{ .at = at, .texts = &.{ "test", "hello", "true" } } };
}""",
    "go": """import (
	"fmt"
	"os"
	"time"
)

func Run(line string, at Datetime) Result {
	fmt.Println(line)
	before := time.Now()
	time.Sleep(time.Millisecond)
	text, err := os.ReadFile("/data/a.txt")
	if err != nil {
		return Err(err.Error())
	}
	slept := fmt.Sprint(time.Since(before) >= time.Millisecond)
	return Ok(Seen{At: at, Texts: []string{os.Getenv("MODE"), string(text), slept}})
}""",
    "js": """export function run(line, at) {
  console.log(line);
  const moved = Date.now() > 0;
  return { at, texts: ['test', 'hello', String(moved)] };
}""",
    "ts": """type Datetime = { seconds: bigint, nanoseconds: number };
type Seen = { at: Datetime, texts: string[] };
export function run(line: string, at: Datetime): Seen {
  console.log(line);
  return { at, texts: ['test', 'hello', String(Math.random() < 1)] };
}""",
    "python": """import os, time

def run(line, at):
    print(line)
    before = time.monotonic()
    time.sleep(0.001)
    slept = time.monotonic() - before >= 0.001
    return Seen(at, [os.environ["MODE"], open("/data/" + os.listdir("/data")[0]).read(), str(slept).lower()])
""",
}
