#!/bin/sh
# Generates the bindings, and compiles a reactor: a module with functions, but without `main`.
set -eu
bindings=$(mktemp -d)
trap 'rm -rf "$bindings"' EXIT
wit-bindgen c wit --out-dir "$bindings"
clang --target=wasm32-wasi -mexec-model=reactor -O2 -Wall -I "$bindings" \
    tracks.c "$bindings/tracks.c" "$bindings/tracks_component_type.o" -lm -o "$1"
