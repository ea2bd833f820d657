#!/bin/sh
# Generates the bindings, and compiles them and source.go: a module with functions, but without `main`. Go links its
# runtime's allocator into the bindings only with `-checklinkname=0`.
set -eu
bindings=$(mktemp -d)
trap 'rm -rf "$bindings"' EXIT
wit-bindgen go wit --out-dir "$bindings"
package=$bindings/export_acme_go_source_source
mkdir -p "$package"
cp source.go "$package"
output=$(realpath -m "$1")
cd "$bindings"
GOOS=wasip1 GOARCH=wasm GOFLAGS=-mod=mod \
    go build -buildmode=c-shared -ldflags='-s -w -checklinkname=0' -o "$output" .
