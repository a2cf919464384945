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
# A pooler that gives out sessions for a transaction at a time.
command -v pgbouncer >/dev/null || [ -x /usr/sbin/pgbouncer ] || missing+=(pgbouncer)
# An independent reading of the rules that the tests compare with.
command -v python3 >/dev/null || missing+=(python3)
# A mail server that somebody else wrote.
knows_aiosmtpd() { "$1" -c 'import aiosmtpd' 2>/dev/null; }
knows_aiosmtpd /usr/bin/python3 || knows_aiosmtpd python3 || missing+=(python3-aiosmtpd)
# The host's side of links and webhooks is shown in these too (docs/link.md,
# docs/webhooks.md), and run by the tests.
command -v node >/dev/null || missing+=(nodejs)
command -v php >/dev/null || missing+=(php-cli)
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

# As root the tests run the servers as users of their own, who must be able to enter the
# directory for temporary files: one below /root is closed to them.
if [ "$(id -u)" -eq 0 ] && [ -n "${TMPDIR:-}" ] &&
    ! setpriv --reuid=postgres --regid=postgres --clear-groups test -x "$TMPDIR"; then
    say "TMPDIR=$TMPDIR is closed to the user postgres: using /tmp"
    unset TMPDIR
fi

# A minimal installation of Rust comes without the two tools that only check.
has_tool() {
    cargo "$1" --version >/dev/null 2>&1 ||
        { command -v rustup >/dev/null && rustup component add "$2" && cargo "$1" --version; } >/dev/null 2>&1
}

if has_tool fmt rustfmt; then
    say "formatting"
    cargo fmt --check
else
    say "formatting: NOT CHECKED, cargo fmt is not installed"
fi

if has_tool clippy clippy; then
    say "lints"
    cargo clippy --all-targets -- -D warnings
else
    say "lints: NOT CHECKED, cargo clippy is not installed"
fi

say "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --no-deps

# Many tests wait for servers and for time limits: three at a time for each core keep it busy.
say "tests"
RUST_TEST_THREADS="${RUST_TEST_THREADS:-$((3 * $(nproc)))}" cargo test

say "all is well"
