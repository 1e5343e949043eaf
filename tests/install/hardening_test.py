#!/usr/bin/env python3
"""Reads the ELF of every program that the build made, and of an installed prefix, and checks how each was linked.

Every program: its search path for libraries has no entry that depends on the current directory (empty or relative;
$ORIGIN is the program's own folder), it is position-independent, and what the loader writes once is read-only
afterwards (full RELRO). The main programs: the stack protector and, with --fortified, _FORTIFY_SOURCE are in use.
And as it would be used: `cleave --version` takes no library from the folder where one stands.

Usage: hardening_test.py BUILD_DIR CONFIG CMAKE [--fortified] [--emulator COMMAND...]
       hardening_test.py --search-path-only PROGRAM...
"""
import argparse
import os
import pathlib
import re
import struct
import subprocess
import sys
import tempfile

ET_EXEC, ET_DYN = 2, 3
PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_GNU_RELRO = 1, 2, 3, 0x6474E552
DT_NEEDED, DT_STRTAB, DT_RPATH, DT_BIND_NOW, DT_RUNPATH, DT_FLAGS, DT_FLAGS_1 = 1, 5, 15, 24, 29, 30, 0x6FFFFFFB
DF_BIND_NOW, DF_1_NOW = 8, 1
SHT_DYNSYM = 11
# Made by other tests, or while a program is built.
SKIPPED_FOLDERS = {"CMakeFiles", "install-test", "hardening-test", "Testing"}
MAIN_PROGRAMS = {"cleave", "cleave-train"}


class Elf:
    """What of one 64-bit little-endian program or shared library is asked here."""

    def __init__(self, path):
        self.path = path
        self.data = path.read_bytes()
        if self.data[4:6] != b"\x02\x01":
            raise ValueError(f"{path}: expected a 64-bit little-endian ELF")
        (self.type, _, _, _, phoff, shoff, _, _, phentsize, phnum, shentsize, shnum, _) = struct.unpack_from(
            "<HHIQQQIHHHHHH", self.data, 16)
        self.segments = [struct.unpack_from("<IIQQQQQQ", self.data, phoff + i * phentsize) for i in range(phnum)]
        self.sections = [struct.unpack_from("<IIQQQQIIQQ", self.data, shoff + i * shentsize) for i in range(shnum)]
        self.dynamic = self._dynamic()

    def _segments(self, kind):
        return [segment for segment in self.segments if segment[0] == kind]

    def _dynamic(self):
        entries = []
        for segment in self._segments(PT_DYNAMIC):
            for at in range(segment[2], segment[2] + segment[5], 16):
                tag, value = struct.unpack_from("<qQ", self.data, at)
                if tag == 0:
                    break
                entries.append((tag, value))
        return entries

    def _values(self, tag):
        return [value for found, value in self.dynamic if found == tag]

    def _text(self, at):
        return self.data[at:self.data.index(b"\0", at)].decode()

    def _strings(self, tag):
        table = self._values(DT_STRTAB)
        if not table:
            return []
        offset = next(segment[2] + table[0] - segment[3] for segment in self._segments(PT_LOAD)
                      if segment[3] <= table[0] < segment[3] + segment[5])
        return [self._text(offset + value) for value in self._values(tag)]

    def is_program(self):
        return bool(self._segments(PT_INTERP)) or self.type == ET_EXEC

    def needed(self):
        return self._strings(DT_NEEDED)

    def search_path(self):
        return [entry for path in self._strings(DT_RPATH) + self._strings(DT_RUNPATH) for entry in path.split(":")]

    def binds_now(self):
        return (bool(self._values(DT_BIND_NOW)) or any(v & DF_BIND_NOW for v in self._values(DT_FLAGS)) or
                any(v & DF_1_NOW for v in self._values(DT_FLAGS_1)))

    def has_relro(self):
        return bool(self._segments(PT_GNU_RELRO))

    def imports(self):
        names = set()
        for section in self.sections:
            if section[1] != SHT_DYNSYM:
                continue
            strings = self.sections[section[6]][4]
            for at in range(section[4], section[4] + section[5], 24):
                name, _, _, index = struct.unpack_from("<IBBH", self.data, at)
                if index == 0 and name != 0:
                    names.add(self._text(strings + name))
        return names


def elf_files(root):
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(set(folders) - SKIPPED_FOLDERS)
        for name in sorted(files):
            path = pathlib.Path(folder) / name
            if path.is_symlink() or not path.is_file():
                continue
            with path.open("rb") as file:
                head = file.read(18)
            if head[:4] == b"\x7fELF" and struct.unpack_from("<H", head, 16)[0] in (ET_EXEC, ET_DYN):
                yield Elf(path)


def search_path_faults(elf):
    for entry in elf.search_path():
        if not re.match(r"/|\$ORIGIN(/|$)|\$\{ORIGIN\}(/|$)", entry):
            yield f"{elf.path}: its search path {':'.join(elf.search_path())} has the entry '{entry}', expected an absolute one"


def program_faults(elf):
    if elf.type != ET_DYN:
        yield f"{elf.path}: is not position-independent"
    if not elf.has_relro():
        yield f"{elf.path}: has no RELRO segment"
    if not elf.binds_now():
        yield f"{elf.path}: binds symbols lazily, so its RELRO is partial"


def import_faults(elf, fortified):
    imports = elf.imports()
    if "__stack_chk_fail" not in imports:
        yield f"{elf.path}: has no stack protector"
    if fortified and not any(re.fullmatch(r"__(?!stack_).*_chk", name) for name in imports):
        yield f"{elf.path}: calls no checked function of _FORTIFY_SOURCE"


def faults_in(root, fortified):
    """The faults under `root`, and how many programs were checked."""
    faults, programs = [], []
    for elf in elf_files(root):
        faults += search_path_faults(elf)
        if not elf.is_program():
            continue  # A library of others that is installed beside the program.
        programs.append(elf.path.name)
        faults += program_faults(elf)
        if elf.path.name in MAIN_PROGRAMS:
            faults += import_faults(elf, fortified)
    if "cleave" not in programs:
        faults.append(f"{root}: found the programs {programs}, expected cleave among them")
    return faults, len(programs)


def current_directory_faults(program, emulator):
    """Whether the program takes a library from the current directory, where each of the name is not even one."""
    with tempfile.TemporaryDirectory() as folder:
        for name in Elf(program).needed():
            (pathlib.Path(folder) / name).write_bytes(b"not a library")
        ran = subprocess.run([*emulator, str(program), "--version"], cwd=folder, capture_output=True, text=True)
    if ran.returncode != 0:
        yield f"{program} --version, among files named as its libraries are: exit {ran.returncode}: {ran.stderr.strip()}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--search-path-only", nargs="+", type=pathlib.Path)
    parser.add_argument("build", nargs="?", type=pathlib.Path)
    parser.add_argument("config", nargs="?")
    parser.add_argument("cmake", nargs="?")
    parser.add_argument("--fortified", action="store_true")
    parser.add_argument("--emulator", nargs="*", default=[])
    args = parser.parse_args()
    if args.search_path_only:
        faults = [fault for path in args.search_path_only for fault in search_path_faults(Elf(path))]
        checked = len(args.search_path_only)
    else:
        prefix = args.build / "hardening-test"
        subprocess.run([args.cmake, "--install", args.build, "--config", args.config, "--prefix", prefix], check=True,
                       stdout=subprocess.DEVNULL)
        built, of_build = faults_in(args.build, args.fortified)
        installed, of_prefix = faults_in(prefix, args.fortified)
        faults, checked = built + installed, of_build + of_prefix
        for root in (args.build, prefix):
            faults += current_directory_faults(root / "bin" / "cleave", args.emulator)
    print("\n".join(faults) if faults else f"{checked} programs are linked as they should be")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
