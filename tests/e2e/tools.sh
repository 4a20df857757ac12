# The project's own tools: what counts test cases, and the parts of lint that read text.
tmp=$(mktemp -d "${TMPDIR:-/tmp}/mica-tools.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
bad=0

# expect NAME WANTED: compares with $tmp/out.
expect() {
    if [ "$(cat "$tmp/out")" = "$2" ]; then
        echo "ok $1"
    else
        echo "not ok $1: wanted \"$2\", got \"$(cat "$tmp/out")\""
        bad=1
    fi
}

# counts NAME WANTED: stdin is the part of a ctest log that one program has made, less its head and tail.
counts() {
    {
        echo "1/1 Testing: $3"
        echo "Output:"
        sed 's/^|//'
        echo "<end of output>"
        echo "Test $4."
    } >"$tmp/log"
    awk -f tools/count.awk "$tmp/log" >"$tmp/out"
    expect "$1" "$2"
}

counts cmocka "2 0 1" a_b Passed <<'LOG'
|[ RUN      ] one
|[       OK ] one
|[ RUN      ] two
|no newline here[       OK ] two
|[ RUN      ] three
|[  SKIPPED ] three
|[==========] group: 3 test(s) run.
|[  PASSED  ] 2 test(s).
LOG
counts failed_once "1 1 0" a_b Failed <<'LOG'
|[ RUN      ] one
|[       OK ] one
|[ RUN      ] two
|[  ERROR   ] --- 1 != 2
|[  FAILED  ] two
|[  FAILED  ] group: 1 test(s), listed below:
|[  FAILED  ] two
LOG
counts leak "1 1 0" a_b Failed <<'LOG'
|[ RUN      ] one
|[       OK ] one
|[  FAILED  ] group: 3 blocks still allocated at exit
LOG
counts crash "1 1 0" a_b "timed out" <<'LOG'
|[ RUN      ] one
|[       OK ] one
|[ RUN      ] two
LOG
counts script "2 1 1" e2e_x Failed <<'LOG'
|ok one
|  ok no verdict
|skip two (no network)
|not ok three
|ok four
LOG
counts words_of_programs "1 0 0" a_b Passed <<'LOG'
|ok one
|not ok two
LOG

# lint's awk programs on a small tree
here=$PWD
mkdir -p "$tmp/src/base" "$tmp/src/text" "$tmp/include"
: >"$tmp/include/mx.h"
printf '#include "text/b.h"\n#include "mx.h"\n#include <stdio.h>\n' >"$tmp/src/base/a.c"
printf '#include "base/a.h"\n#include "b.h"\n#include "mx.h"\n' >"$tmp/src/text/b.c"
(cd "$tmp" && awk -v layers="base text" -f "$here/tools/lint-layers.awk" src/base/a.c src/text/b.c) >"$tmp/out"
expect layers 'src/base/a.c:1: layer: base may not include "text/b.h" (text comes later)
src/base/a.c:2: base depends on libc only, not on "mx.h"
src/text/b.c:2: "b.h" is written neither from src/ nor from include/'

{
    printf 'static int short_one(void) { return 1; }\nint long_one(int a,\n             int b)\n{\n'
    i=0
    while [ $i -lt 100 ]; do echo "    a += b;" && i=$((i + 1)); done
    echo "}"
} >"$tmp/src/base/a.c"
(cd "$tmp" && awk -f "$here/tools/lint-sizes.awk" src/base/a.c) >"$tmp/out"
expect sizes "src/base/a.c:2: function long_one has 104 lines, at most 100 are allowed"

printf 'src/text/jinja.h\n' >"$tmp/stems"
printf 'src/text/sample.c %s\n' text_a jinja_b sampler_c mx_d x_e other >"$tmp/symbols"
printf 'x | src/text/sample | a reason\n' >"$tmp/prefixes"
awk -v public="mx lm" -v prefixes="$tmp/prefixes" -f tools/lint-names.awk "$tmp/stems" "$tmp/symbols" |
    cut -d ' ' -f 2 >"$tmp/out"
expect names other

printf '# comment\nsrc/a.c | too long | it is a table\n' >"$tmp/allow"
printf 'src/a.c:1: is too long\nsrc/a.c:2: other\nsrc/ab.c:1: is too long\n' >"$tmp/found"
awk -f tools/lint-allow.awk "$tmp/allow" "$tmp/found" >"$tmp/out"
expect allowed 'src/a.c:2: other
src/ab.c:1: is too long'

exit $bad
