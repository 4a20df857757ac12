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
run engine "$STORY"
check engine_runs test "$code" = 0
check engine_ends says '^  dog. ends \((stop|length)\) with [0-9]+ tokens$'
check engine_interleaves awk '/^ +dog/ { dog++ } /^ +sea/ && dog < 5 { early = 1 } END { exit !(early && dog > 20) }' "$tmp/out"
run arrays
check arrays says '^softmax\(x w\) = 0\.6652 0\.2447 0\.0900$'
run autograd
check autograd says '^y = 2\.000 x \+ 1\.000$'
run compile
check compile says '^gelu\(1, 2\) = 0\.8458 1\.9357$'
check compile_traces_once says '^the function ran 1 time\(s\)$'
run files "$tmp"
check files_safetensors says '^safetensors: array\(\[\[1, 2\.5\],$'
check files_gguf says '^name: an example$'
check files_npy says '^npy: array\(\[\[1, 2\.5\],$'
run export "$tmp"
check export_dot says 'label ="Exp"'
check export_runs says '^f\(x\) = 0\.6931 2\.3133$'
run linalg
check linalg_solve says '^solve: 0\.800 1\.400$'
check linalg_eigenvalues says '^eigenvalues: 1\.382 3\.618$'
check linalg_fft says '^fft: 0 2 0 2$'
check linalg_random says '^uniform: 0\.216295 0\.804124$'
run streams
check streams says '^mean of roots: 682\.67$'
finish
