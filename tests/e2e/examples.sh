# The example programs, which use the public headers and the shared library alone.
. "$(dirname -- "$0")/lib"

# run NAME ARGUMENTS...: its outputs are in $tmp/out and $tmp/err, its exit code in $code.
run() {
    program=$1
    shift
    code=0
    "$BUILD/example_$program" "$@" >"$tmp/out" 2>"$tmp/err" || code=$?
}

run generate "$STORY" "Once upon a time there was a king"
check generate_runs test "$code" = 0
check generate_figures says '^40 tokens, [0-9.]+ tokens/s$'
run generate ./nowhere
check generate_error test "$code" = 1
check generate_error_names_the_folder says nowhere err
run arrays
check arrays says '^softmax\(x w\) = 0\.6652 0\.2447 0\.0900$'
finish
