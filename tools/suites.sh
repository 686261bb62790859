# SPDX-License-Identifier: Apache-2.0
# Sourced by ./dev: the test suites. Everything is run even after a failure, everything is counted,
# and the last line says the totals. A skipped test is a failure unless tests/skips.txt names it.

passed=0
failed=0
skipped=0
failures=()

count_failure() {
    failed=$((failed + 1))
    failures+=("$1")
}

# count_skip NAME: NAME may be skipped when a pattern of tests/skips.txt, with a reason, covers it.
count_skip() {
    local pattern reason
    while read -r pattern reason; do
        case "$pattern" in '' | '#'*) continue ;; esac
        # The pattern is a glob, so it stays unquoted.
        # shellcheck disable=SC2053
        if [[ $1 == $pattern && -n $reason ]]; then
            echo "skipped: $1 ($reason)"
            skipped=$((skipped + 1))
            return
        fi
    done <tests/skips.txt
    echo "skipped, and not named in tests/skips.txt: $1"
    count_failure "$1 (skipped)"
}

# check NAME COMMAND...: one thing that passes or fails.
check() {
    local name=$1 start=$SECONDS
    shift
    if "$@"; then
        passed=$((passed + 1))
        echo "ok: $name ($((SECONDS - start)) s)"
    else
        count_failure "$name"
        echo "FAILED: $name"
        return 1
    fi
}

# Reads CTest's JUnit report: one line a test, "run NAME", "fail NAME" or "skip NAME", where a
# skipped function of a cmocka program is named PROGRAM/FUNCTION.
ctest_results() {
    awk '
        /<testcase / {
            name = $0; sub(/.*<testcase name="/, "", name); sub(/".*/, "", name)
            status = $0; sub(/.* status="/, "", status); sub(/".*/, "", status)
            split("", functions)
        }
        /<skipped message="(Unable|Failed)/ { status = "fail" }
        /\[  SKIPPED \] [A-Za-z_]/ { functions[$NF] = 1 }
        /<\/testcase>/ {
            if (status != "notrun") { print status, name; next }
            some = 0
            for (f in functions) { some = 1; print "skip", name "/" f }
            if (!some) print "skip", name
        }' "$1"
}

# ctest_suite PRESET [CTEST-OPTION...]: builds, runs CTest, counts each of its tests.
ctest_suite() {
    local preset=$1 status name ok=0 report=$PWD/build/$1/report.xml
    shift
    check "build of preset $preset" build "$preset" || return 0
    rm -f "$report"
    ctest --test-dir "build/$preset" -j "$jobs" --no-tests=error --output-on-failure \
        --test-output-size-passed 100000000 --output-junit "$report" "$@" || ok=$?
    if [ ! -f "$report" ]; then
        count_failure "ctest of preset $preset"
        return 0
    fi
    local before=$failed
    while read -r status name; do
        case "$status" in
        run) passed=$((passed + 1)) ;;
        skip) count_skip "$name" ;;
        *) count_failure "$name ($preset)" ;;
        esac
    done < <(ctest_results "$report")
    [ "$ok" -eq 0 ] || [ "$failed" -gt "$before" ] || count_failure "ctest of preset $preset"
}

check_format() {
    if ! have_clang_format; then
        count_skip format
        return 0
    fi
    check format format_sources --dry-run -Werror || true
}

check_manual() {
    local page
    for page in docs/man/*.1; do
        [ -e "$page" ] || continue
        check "manual page $page" mandoc -T lint -W warning "$page" || true
    done
}

suite_main() {
    setup_test
    check_format
    check layering tools/check_layering.sh || true
    check 'layering check finds faults' tools/check_layering_test.sh || true
    check_manual
    ctest_suite dev
    ctest_suite clang
}

suite_oracle() {
    local results=$PWD/build/oracle-results.txt ok=0 status name
    setup_build
    setup_oracle
    check 'build of preset release' build release || return 0
    rm -f "$results"
    KINDLING=$PWD/build/release/kindling KINDLING_LIBRARY=$PWD/build/release/libkindling.so \
        KINDLING_RESULTS=$results \
        "$python" -m pytest -q -p no:cacheprovider -n auto --dist worksteal tests/oracle || ok=$?
    if [ ! -f "$results" ]; then
        count_failure 'the oracle did not run'
        return 0
    fi
    local before=$failed
    while read -r status name; do
        case "$status" in
        passed) passed=$((passed + 1)) ;;
        skipped) count_skip "$name" ;;
        *) count_failure "$name" ;;
        esac
    done <"$results"
    [ "$ok" -eq 0 ] || [ "$failed" -gt "$before" ] || count_failure "pytest ended with $ok"
}

run_suite() {
    local start=$SECONDS failure
    case "$1" in
    main) suite_main ;;
    oracle) suite_oracle ;;
    quick)
        setup_test
        ctest_suite dev -L quick
        ;;
    asan | tsan | ref | clang)
        setup_test
        ctest_suite "$1"
        ;;
    neon)
        setup_neon
        ctest_suite neon -L quick
        ;;
    *) die "unknown suite '$1'" ;;
    esac
    echo
    for failure in "${failures[@]}"; do echo "FAILED: $failure"; done
    echo "suite $1: $((SECONDS - start)) s, $skipped skipped with a reason"
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ]
}
