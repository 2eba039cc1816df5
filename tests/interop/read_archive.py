#!/usr/bin/env python3
"""Opens a Backstay archive, written from docs/formats/archive.md alone.

    read_archive.py FILE [--key-file KEY | --passphrase-file FILE] [--one PATH] [--without-manifest] [--plain OUT]

Reads FILE and FILE.manifest, checks every seal and every hash, and prints a JSON line for each entry: its path, type, size
and the SHA-256 of what was read. With --one only that file is fetched, by reading no more than its blocks. With
--without-manifest the manifest inside the archive is used. With --plain the unsealed archive is written to OUT.

Sealed archives need the package "cryptography" (44 or later); tar.zst needs the command zstd.
"""
import argparse
import hashlib
import json
import re
import struct
import subprocess
import sys
import zlib

HEADER = 96
TAG = 16


class Sealed:
    """The bytes of a sealed file, opened segment by segment."""

    def __init__(self, path, secret):
        self.file = open(path, "rb")
        header = self.header = self.file.read(HEADER)
        if len(header) != HEADER or header[:8] != b"BKSTSEAL" or header[8] != 1:
            sys.exit(f"{path} is no sealed file of version 1")
        (self.segment,) = struct.unpack_from("<I", header, 12)
        self.prefix = header[56:63]
        self.cipher = self.make_cipher(path, header, secret)
        body = self.file.seek(0, 2) - HEADER
        whole = self.segment + TAG
        self.segments = max(1, -(-body // whole))
        self.size = body - self.segments * TAG
        last = self.size - (self.segments - 1) * self.segment
        if last < 0 or (last == 0 and self.segments > 1):
            sys.exit(f"{path} is cut")
        self.cache = (None, b"")

    @staticmethod
    def make_cipher(path, header, secret):
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        kind, text = header[9], secret
        if kind == 1:
            if not re.fullmatch("[0-9a-fA-F]{64}", text or ""):
                sys.exit(f"{path} needs a key of 64 hex digits")
            master = bytes.fromhex(text)
        else:
            from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

            memory, passes, lanes = struct.unpack_from("<III", header, 80)
            derive = Argon2id(salt=header[64:80], length=32, iterations=passes, lanes=lanes, memory_cost=memory)
            master = derive.derive((text or "").encode())

        def hkdf(salt, info, length):
            return HKDF(algorithm=hashes.SHA256(), length=length, salt=salt, info=info).derive(master)

        if hkdf(None, b"backstay archive v1: key id", 8) != header[16:24]:
            sys.exit(f"{path}: wrong key")
        return AESGCM(hkdf(header[24:56], b"backstay archive v1: file key", 32))

    def open_segment(self, number):
        if self.cache[0] != number:
            self.file.seek(HEADER + number * (self.segment + TAG))
            sealed = self.file.read(self.segment + TAG)
            last = number == self.segments - 1
            nonce = self.prefix + struct.pack(">I", number) + (b"\1" if last else b"\0")
            # Raises InvalidTag where anything was changed.
            self.cache = (number, self.cipher.decrypt(nonce, sealed, self.header if number == 0 else b""))
        return self.cache[1]

    def read(self, at, length):
        out = bytearray()
        while length > 0:
            number, inside = divmod(at, self.segment)
            part = self.open_segment(number)[inside : inside + length]
            if not part:
                sys.exit("the archive is shorter than it says")
            out += part
            at, length = at + len(part), length - len(part)
        return bytes(out)


class Plain:
    """The bytes of a file that is not sealed."""

    def __init__(self, path):
        self.file = open(path, "rb")
        self.size = self.file.seek(0, 2)

    def read(self, at, length):
        self.file.seek(at)
        out = self.file.read(length)
        if len(out) != length:
            sys.exit("the archive is shorter than it says")
        return out


def zstd(packed):
    return subprocess.run(["zstd", "-dcq"], input=packed, stdout=subprocess.PIPE, check=True).stdout


def inflate(packed):
    return zlib.decompressobj(wbits=-15).decompress(packed)


def unescape(text):
    """Backslashes of paths, back to bytes."""
    out, rest = bytearray(), text.encode()
    while rest:
        if rest[:2] == b"\\\\":
            out, rest = out + b"\\", rest[2:]
        elif rest[:2] == b"\\x":
            out, rest = out + bytes([int(rest[2:4], 16)]), rest[4:]
        else:
            out, rest = out + rest[:1], rest[1:]
    return bytes(out)


def parse(text):
    """Splits a manifest into its parts and proves that it is whole."""
    lines = text.splitlines(keepends=True)
    head = json.loads(lines[0])
    if head["backstay_archive"] != 1:
        sys.exit("the manifest is of another version")
    entries, blocks, backup, end = [], [], None, 0
    for line in lines[1:-1]:
        value = json.loads(line)
        if "path" in value:
            entries.append(value)
        elif "blocks" in value:
            for raw, gap, packed in value["blocks"]:
                blocks.append((end + gap, packed, raw))
                end += gap + packed
        elif "backup" in value:
            backup = value["backup"]
    last = json.loads(lines[-1])["end"]
    if last["sha256"] != hashlib.sha256(b"".join(lines[1:-1])).hexdigest() or last["entries"] != len(entries):
        sys.exit("the manifest is not what was written")
    return head["record"], entries, blocks, backup


def inner_manifest(data, unpack, is_tar):
    """Finds the manifest inside the archive by the pointer at its end."""
    tail = data.read(max(0, data.size - 512), min(512, data.size))
    found = re.search(rb"backstay-manifest-1 ([0-9a-f]{16}) ([0-9a-f]{16}) ([0-9a-f]{16})", tail)
    if not found:
        sys.exit("the archive does not end as one")
    at, packed, raw = (int(number, 16) for number in found.groups())
    text = unpack(data.read(at, packed))
    if len(text) != raw:
        sys.exit("the manifest inside is not whole")
    if not is_tar:
        return text
    import io
    import tarfile

    with tarfile.open(fileobj=io.BytesIO(text)) as tar:
        return tar.extractfile(".backstay/manifest.json").read()


class Stream:
    """The uncompressed stream, block by block."""

    def __init__(self, data, blocks, unpack):
        self.data, self.blocks, self.unpack = data, blocks, unpack
        self.starts, at = [], 0
        for _, _, raw in blocks:
            self.starts.append(at)
            at += raw
        self.cache = (None, b"")

    def block(self, number):
        if self.cache[0] != number:
            at, packed, raw = self.blocks[number]
            content = self.unpack(self.data.read(at, packed))
            if len(content) != raw:
                sys.exit(f"block {number} holds {len(content)} bytes instead of {raw}")
            self.cache = (number, content)
        return self.cache[1]

    def read(self, at, length):
        import bisect

        while length > 0:
            number = bisect.bisect_right(self.starts, at) - 1
            inside = at - self.starts[number]
            part = self.block(number)[inside : inside + length]
            if not part:
                sys.exit("the stream is shorter than it says")
            yield part
            at, length = at + len(part), length - len(part)


def content_hash(entry, stream):
    pieces = entry.get("pieces") or ([[entry["at"], entry["size"]]] if "at" in entry else [])
    found, size = hashlib.sha256(), 0
    for at, length in pieces:
        for part in stream.read(at, length):
            found.update(part)
            size += len(part)
    if size != entry.get("size", 0) or (size and found.hexdigest() != entry["sha256"]):
        sys.exit(f"{entry['path']} is not what was written")
    return found.hexdigest()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--key-file")
    parser.add_argument("--passphrase-file")
    parser.add_argument("--one")
    parser.add_argument("--without-manifest", action="store_true")
    parser.add_argument("--plain")
    options = parser.parse_args()
    secret = None
    if options.key_file or options.passphrase_file:
        with open(options.key_file or options.passphrase_file, encoding="utf-8") as file:
            secret = file.read().rstrip("\n")

    name = options.file.removesuffix(".sealed")
    sealed = name != options.file
    data = Sealed(options.file, secret) if sealed else Plain(options.file)
    unpack = zstd if name.endswith(".tar.zst") else inflate
    inside = inner_manifest(data, unpack, not name.endswith(".zip"))
    if options.without_manifest:
        text = inside
    else:
        beside = options.file + ".manifest"
        opened = Sealed(beside, secret) if sealed else Plain(beside)
        text = zstd(opened.read(0, opened.size))
        if text.split(b"\n", 1)[1] != inside.split(b"\n", 1)[1]:
            sys.exit("the manifests inside and beside differ")
    record, entries, blocks, _ = parse(text)
    if not options.without_manifest and not options.one:
        with open(options.file, "rb") as file:
            whole = hashlib.file_digest(file, "sha256").hexdigest()
        if whole != record["archive"]["sha256"]:
            sys.exit("the archive is not what was written")
    if options.plain:
        with open(options.plain, "wb") as file:
            file.write(data.read(0, data.size))

    stream = Stream(data, blocks, unpack)
    latest, contents = {}, {}
    for entry in entries:
        if entry["type"] != "void":
            latest[entry["path"]] = entry
            # A further name has what its first had then: another file may take that name later.
            contents[entry["path"]] = contents[entry["same"]] if "same" in entry else entry
    wanted = [options.one] if options.one else latest
    for path in wanted:
        entry = latest[path]
        first = contents[path]
        line = {"path": unescape(path).hex(), "type": entry["type"], "size": first.get("size", 0)}
        if entry["type"] == "file":
            line["sha256"] = content_hash(first, stream)
        if "target" in entry:
            line["target"] = unescape(entry["target"]).hex()
        print(json.dumps(line))


main()
