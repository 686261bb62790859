#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Help, version, and commands that are not there.
. "$KINDLING_SOURCE/tests/support/cli.sh"

run --version
expect_success
expect_line 'kindling [0-9]*.[0-9]*.[0-9]* (profile torch-2.13)'

run --help
expect_success
expect_line 'Usage: kindling COMMAND*'
general=$out
run help
[ "$out" = "$general" ] || fail "help and --help differ"
run -h
[ "$out" = "$general" ] || fail "-h and --help differ"

for command in init plan inspect; do
    grep -q "^  $command " <<<"$general" || fail "the help does not name $command"
    run help "$command"
    expect_success
    expect_line "Usage: kindling $command *"
    own=$out
    run "$command" --help
    expect_success
    [ "$out" = "$own" ] || fail "help $command and $command --help differ"
done

run
expect_status 2
[ "$err" = "$general" ] || fail "without arguments it says something else than the help"
[ -z "$out" ] || fail "it printed" "$out"

run ini
expect_refusal 2 "there is no command 'ini'; see kindling help"
run help ini
expect_refusal 2 "there is no command 'ini'; see kindling help"
run help init plan
expect_refusal 2 "help takes one command's name"

status=0
"$KINDLING" --help >/dev/full 2>err || status=$?
expect_status 1
[ "$(cat err)" = "kindling: cannot write the output: No space left on device" ] || fail "$(cat err)"
