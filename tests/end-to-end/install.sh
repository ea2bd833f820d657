#!/bin/sh
# Installs packages of npm, PyPI or crates.io into a directory, or downloads wheels, unless the directory exists:
#
#     tests/end-to-end/install.sh npm DIRECTORY PACKAGE@VERSION...
#     tests/end-to-end/install.sh pip DIRECTORY PACKAGE==VERSION...
#     tests/end-to-end/install.sh wheels DIRECTORY PACKAGE==VERSION...
#     tests/end-to-end/install.sh cargo DIRECTORY PACKAGE@VERSION... [OPTION OF cargo install]...
#
# Programs are in DIRECTORY/node_modules/.bin or DIRECTORY/bin; modules of Python are in DIRECTORY. Registries hang at
# times, so each request has a timeout and is repeated, and an installation that takes longer than
# HYPE_INSTALL_TIMEOUT (180 s; 600 s for cargo, which continues to compile) starts again: three attempts, after pauses
# of HYPE_INSTALL_PAUSE (5 s) and three times that. The directory appears once it is complete.
set -eu

attempts=3
pause=${HYPE_INSTALL_PAUSE:-5}

fail() { printf 'install: %s\n' "$*" >&2; exit 1; }

[ $# -ge 3 ] || fail 'usage: install.sh npm|pip|wheels|cargo DIRECTORY PACKAGE...'
registry=$1 directory=$2
shift 2
seconds=${HYPE_INSTALL_TIMEOUT:-$([ "$registry" = cargo ] && echo 600 || echo 180)}
[ ! -d "$directory" ] || exit 0

case $registry in
    npm)
        command -v npm >/dev/null || fail 'there is no npm; on Debian: apt-get install npm' ;;
    pip | wheels)
        python3 -m pip --version >/dev/null 2>&1 || fail 'there is no pip; on Debian: apt-get install python3-pip' ;;
    cargo) ;;
    *) fail "there is no registry $registry; there are npm, pip, wheels and cargo" ;;
esac

# Makes one attempt to install the packages into a directory, within the timeout.
install_into() {
    into=$1
    shift
    case $registry in
        npm)
            set -- npm install --no-audit --no-fund --no-progress --loglevel=warn --prefix "$into" \
                --fetch-timeout=30000 --fetch-retries=5 \
                --fetch-retry-mintimeout=1000 --fetch-retry-maxtimeout=10000 "$@" ;;
        pip)
            set -- python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore \
                --timeout 30 --retries 5 --target "$into" "$@" ;;
        wheels)
            set -- python3 -m pip download --quiet --disable-pip-version-check --no-deps \
                --timeout 30 --retries 5 --dest "$into" "$@" ;;
        cargo)
            # Compiled soonest: without optimizations and debug information.
            set -- env CARGO_NET_RETRY=5 CARGO_PROFILE_DEV_DEBUG=0 CARGO_TARGET_DIR="$unfinished/build" \
                cargo install --quiet --locked --debug --root "$into" "$@" ;;
    esac
    # In the background, so that Ctrl-C interrupts the wait.
    timeout --kill-after=10 "$seconds" "$@" &
    running=$!
    status=0
    wait "$running" || status=$?
    running=
    return "$status"
}

running=
mkdir -p "$(dirname "$directory")"
unfinished=$(mktemp -d "$directory.XXXXXX")
finish() {
    [ -z "$running" ] || { kill "$running" 2>/dev/null || true; wait "$running" || true; }
    rm -rf "$unfinished"
}
trap finish EXIT
trap 'exit 130' INT TERM

attempt=1
while :; do
    echo "install: $* from ${registry} (attempt $attempt of $attempts)" >&2
    status=0
    install_into "$unfinished/files" "$@" || status=$?
    [ "$status" -ne 0 ] || break
    case $status in
        124 | 137) problem="took longer than $seconds s" ;;
        *) problem="failed with status $status" ;;
    esac
    [ "$attempt" -lt "$attempts" ] || fail "$registry: $*: the installation $problem, $attempts times"
    echo "install: the installation $problem; it starts again in $pause s" >&2
    rm -rf "$unfinished/files"
    sleep "$pause"
    pause=$((pause * 3))
    attempt=$((attempt + 1))
done
# The rename makes a complete installation visible atomically. Another script may have been faster.
mv -T "$unfinished/files" "$directory" 2>/dev/null || [ -d "$directory" ] || fail "$directory cannot be created"
