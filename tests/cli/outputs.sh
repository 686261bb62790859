#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Outputs that cannot be: refused before any work, or found before anything is written.
. "$KINDLING_SOURCE/tests/support/cli.sh"

small_gpt2 >config.json

refuse() {
    run init config.json --seed 1 -o "$2" --force
    expect_refusal 2 "cannot write '$2': $1"
    expect_files config.json
}

refuse "it is a directory" .
refuse "it is a directory" "$PWD/"
refuse "there is no directory 'absent/'" absent/file
refuse "Not a directory" config.json/file
refuse "it is not a regular file" /dev/full
refuse "it is not a regular file" /dev/null
refuse "it names no file" ""
[ -c /dev/null ] || fail "/dev/null was replaced"

# The limit on file sizes: an error and no signal. The recipe needs 4 MB, 1 MB is allowed.
recipe '{"name": "w", "shape": [1000000], "ops": [{"op": "constant", "value": 1}]}' >large.json
status=0
(
    ulimit -f 1000
    exec "$KINDLING" init large.json -o large
) >out 2>err || status=$?
expect_status 1
[ "$(cat err)" = "kindling: cannot write 'large': File too large" ] || fail "$(cat err)"
rm out err
expect_files config.json large.json

# More than any disk has.
recipe '{"name": "w", "shape": [1000000000000000]}' >huge.json
run init huge.json -o huge
expect_status 1
[[ $err == "kindling: cannot write 'huge': "@(No space left on device|File too large) ]] || fail "$err"
expect_files config.json huge.json large.json

# Where file systems can be mounted: one of 2 MB, on which the old file stays as it was, and one
# that cannot promise room (no fallocate), on which the file is the same.
if [ "$(id -u)" = 0 ] && unshare --mount true 2>/dev/null; then
    mkdir small
    # shellcheck disable=SC2016 # expanded by the inner shell
    unshare --mount bash -c '
        set -e
        mount -t tmpfs -o size=2m none small
        echo old >small/file
        status=0
        "$KINDLING" init large.json -o small/file --force 2>err || status=$?
        [ "$status" = 1 ]
        [ "$(cat err)" = "kindling: cannot write '\''small/file'\'': No space left on device" ]
        [ "$(cat small/file)" = old ]
        [ "$(ls -A small)" = file ]
    ' || fail "a full disk"
    run init large.json -o elsewhere --quiet
    expect_success
    # shellcheck disable=SC2016
    unshare --mount bash -c '
        set -e
        mount -t ramfs none small
        "$KINDLING" init large.json -o small/file
        cmp small/file elsewhere
        [ "$(ls -A small)" = file ]
    ' >/dev/null || fail "no room can be promised"
fi
