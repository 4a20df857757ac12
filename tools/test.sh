# ./run test: builds and runs a suite through ctest, counts test cases, and closes with one line. Sourced by run.
#
# ctest knows programs; people count cases. tools/count.awk reads ctest's log and counts what cmocka and the
# scripts of tests/e2e printed; a program that fails without a failing case counts as one.

total_passed=0 total_failed=0 total_skipped=0 suites=0

# count PASSED FAILED SKIPPED: adds to the totals.
count() {
    total_passed=$((total_passed + $1))
    total_failed=$((total_failed + $2))
    total_skipped=$((total_skipped + $3))
}

# run_suite PRESET [ctest arguments]: builds it all, runs it, counts it.
run_suite() {
    suite=$1
    shift
    suites=$((suites + 1))
    configure "$suite"
    say "== $suite: building"
    if ! compile "$suite"; then
        say "== $suite: the build failed"
        count 0 1 0
        return 0
    fi
    log=build/$suite/Testing/Temporary/LastTest.log
    rm -f "$log"
    $runner ctest --test-dir "build/$suite" -j "$(cores)" --output-on-failure --no-tests=error "$@" \
        </dev/null && status=0 || status=$?
    [ -f "$log" ] || {
        say "== $suite: ctest ran nothing"
        count 0 1 0
        return 0
    }
    set -- $(awk -f tools/count.awk "$log")
    # ctest failed although no program did: count that too rather than hide it
    [ "$status" -eq 0 ] || [ "$2" -gt 0 ] || set -- "$1" 1 "$3"
    say "== $suite: passed $1, failed $2, skipped $3"
    count "$1" "$2" "$3"
}

suite_release() { run_suite release "$@"; }
suite_asan() { run_suite asan "$@"; }
suite_ubsan() { run_suite ubsan "$@"; }

# gcc's thread sanitizer dies at start where the kernel randomizes addresses by more bits than it expects.
suite_tsan() {
    if setarch "$(uname -m)" -R true 2>/dev/null; then
        runner="setarch $(uname -m) -R"
    fi
    run_suite tsan "$@"
    runner=
}

suite_cross() {
    . tools/cross.sh
    cross_arm64 "$@"
    cross_apple
}

suite_all() {
    for one in release asan tsan cross; do
        "suite_$one" "$@"
    done
}

test_main() {
    suite_name=release
    case ${1:-} in
    release | asan | ubsan | tsan | cross | all)
        suite_name=$1
        shift
        ;;
    '' | -*) ;;
    *) die "test: '$1' is no suite (release, asan, ubsan, tsan, cross, all)" ;;
    esac
    runner=
    # use-after-return stays off: gcc 12 then lays AVX-512 locals at addresses that its own code cannot load from
    export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=1:detect_stack_use_after_return=0:strict_init_order=1}"
    export UBSAN_OPTIONS="${UBSAN_OPTIONS:-print_stacktrace=1}"
    export TSAN_OPTIONS="${TSAN_OPTIONS:-halt_on_error=1:second_deadlock_stack=1}"
    need_build
    "suite_$suite_name" "$@"
    say "$total_passed passed, $total_failed failed, $total_skipped skipped"
    [ "$total_failed" -eq 0 ]
}
