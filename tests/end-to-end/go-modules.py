#!/usr/bin/env python3
"""Writes a directory that serves as a proxy of Go modules: the module that the bindings of wit-bindgen import, from the
sources of the crate wit-bindgen-go, which `cargo install` has fetched.

    go-modules.py VERSION DIRECTORY
"""

import json
import os
import re
import sys
import zipfile
from pathlib import Path

MODULE = "go.bytecodealliance.org/pkg"

version, directory = sys.argv[1], Path(sys.argv[2])
cargo = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
crates = sorted(cargo.glob(f"registry/src/*/wit-bindgen-go-{version}"))
if not crates:
    sys.exit(f"go-modules: the sources of wit-bindgen-go {version} are not in {cargo}")
crate = crates[-1]
number = re.search(r'REMOTE_PKG_VERSION: &str = "(v[0-9.]+)"', (crate / "src/lib.rs").read_text())
if not number:
    sys.exit(f"go-modules: {crate} names no version of {MODULE}")
number = number[1]
package = crate / "src/pkg"

unfinished = directory.with_name(f"{directory.name}.{os.getpid()}")
files = unfinished / MODULE / "@v"
files.mkdir(parents=True)
(files / "list").write_text(f"{number}\n")
(files / f"{number}.info").write_text(json.dumps({"Version": number}))
(files / f"{number}.mod").write_bytes((package / "go.mod").read_bytes())
with zipfile.ZipFile(files / f"{number}.zip", "w") as archive:
    for file in sorted(package.rglob("*")):
        name = file.relative_to(package)
        if file.is_file() and not any(part.startswith(".") for part in name.parts):
            archive.write(file, f"{MODULE}@{number}/{name}")
try:
    unfinished.rename(directory)
except OSError:
    # Another script was faster.
    if not directory.is_dir():
        raise
