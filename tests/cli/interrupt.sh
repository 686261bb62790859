#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A run that is stopped leaves no file under the name it was given, nor a stray one.
. "$KINDLING_SOURCE/tests/support/cli.sh"

# Two GB of normals: longer than it takes to see that writing has begun.
recipe '{"name": "w", "shape": [536870912], "ops": [{"op": "normal", "mean": 0, "std": 1}]}' \
    >large.json
echo old >there

# The process has its nameless or temporary file open: it is in the middle of the work.
writes() {
    local descriptor
    for descriptor in /proc/"$1"/fd/*; do
        case $(readlink "$descriptor") in
        "$PWD"/*' (deleted)' | "$PWD"/.kindling-*) return 0 ;;
        esac
    done
    return 1
}

# stop SIGNAL STATUS COMPLAINT
stop() {
    local pid
    # As a job of its own, or the shell has it ignore SIGINT.
    set -m
    "$KINDLING" init large.json -o there --force 2>err &
    pid=$!
    set +m
    for ((i = 0; i < 3000; i++)); do
        writes "$pid" && break
        sleep 0.01
    done
    kill -s "$1" "$pid"
    status=0
    wait "$pid" 2>/dev/null || status=$?
    [ "$status" = "$2" ] || fail "status $status after $1" "$(cat err)"
    [ "$(cat err)" = "$3" ] || fail "$(cat err)"
    rm err
    expect_files large.json there
    [ "$(cat there)" = old ] || fail "the old file is gone after $1"
}

if ! (set -o noclobber && fallocate -l 2G room 2>/dev/null); then
    echo "this needs 2 GB of disk"
    exit 77
fi
rm room

stop INT 130 "kindling: stopped; nothing was written"
stop TERM 143 "kindling: stopped; nothing was written"
stop HUP 129 "kindling: stopped; nothing was written"

# A kill leaves nothing where files can be without a name.
if findmnt -n -o FSTYPE -T . | grep -qE '^(ext4|xfs|btrfs|tmpfs)$'; then
    stop KILL 137 ""
fi
