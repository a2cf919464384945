#!/usr/bin/env bash
# Everything that is checked before a change is taken: formatting, lints, documentation, and
# all tests on SQLite, PostgreSQL and MariaDB. Installs the two servers' packages where they
# are missing (Debian, as root or with sudo); the tests start servers of their own from them.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\n== %s\n' "$*"; }

has_postgres() { compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null; }
has_mariadb() {
    command -v mariadb-install-db >/dev/null &&
        { command -v mariadbd >/dev/null || [ -x /usr/sbin/mariadbd ]; }
}

missing=()
has_postgres || missing+=(postgresql)
has_mariadb || missing+=(mariadb-server)
# Some of the dependencies are written in C.
command -v cc >/dev/null || missing+=(gcc libc6-dev)

if [ ${#missing[@]} -gt 0 ]; then
    say "installing ${missing[*]}"
    as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null; then
            echo "Missing: ${missing[*]}. Install them as root: apt-get install ${missing[*]}" >&2
            exit 1
        fi
        as_root=(sudo)
    fi
    if ! command -v apt-get >/dev/null; then
        echo "Missing: ${missing[*]} (Debian's names). Install what your system calls them." >&2
        exit 1
    fi
    # Packages start their services unless this script says no to it.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        trap '"${as_root[@]}" rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
        "${as_root[@]}" chmod +x "$policy"
    fi
    "${as_root[@]}" apt-get update -q
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -q --no-install-recommends "${missing[@]}" </dev/null
fi

say "formatting"
cargo fmt --check

say "lints"
cargo clippy --all-targets -- -D warnings

say "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --no-deps

say "tests"
cargo test

say "all is well"
