#!/bin/sh
# ./run lint: what the compiler does not check, and what it does with every warning on. Each problem is one line
# "file:line: message"; the last line is "lint: ok" or "lint: N problems". `./run lint text` leaves out what has to build;
# `./run lint fix` formats every file in place and does nothing else.
#
#   layers   src/<folder> includes only headers of its own folder and of folders before it in $LAYERS. base
#            includes base alone. kernels holds leaf headers: it includes only itself, and everybody may include it.
#            Includes are written from src/ or include/.
#   sizes    a file has at most 1000 lines, a function at most 100; over 400 and 60 it is mentioned with -v.
#   names    what crosses files begins with a word of its file, its folder or a header of its folder, or with
#            mx_ mlx_ nn_ lm_ mica_, or is given to that file by tools/lint-prefixes.txt; libmica.so exports only
#            the five, and _mlx_.
#   headers  each compiles alone: C17, and those of include/ also as C++17.
#   format   .clang-format, by version 14 (other versions disagree with it).
#   text     no tabs, trailing blanks, missing last newline, TO-DO marks, paths of somebody's machine.
#   builds   gcc and clang with -Werror.
# Exceptions, each with its reason: tools/lint-allow.txt.
set -eu
: "${ROOT:=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)}"
cd "$ROOT"
. tools/lib.sh

LAYERS="base array prim ops transforms kernels cpu cuda io capi nn kv text models llm train hub server cli"
PUBLIC="mx mlx nn lm mica"

mode=all verbose=0
for argument; do
    case $argument in
    text | fix) mode=$argument ;;
    -v) verbose=1 ;;
    *) die "lint: '$argument' is none of text, fix, -v" ;;
    esac
done

mkdir -p build/lint
out=build/lint/problems
: >"$out"

# Every file that is ours, tracked or about to be.
all_files() {
    if [ -e .git ] && have git; then
        git ls-files -co --exclude-standard
    else
        find . \( -path ./build -o -path ./.git -o -name node_modules \) -prune -o -type f -print | sed 's|^\./||'
    fi | LC_ALL=C sort | while IFS= read -r file; do
        [ -f "$file" ] && printf '%s\n' "$file" || true
    done
}

# over LIST COMMAND...: the command with the files of the list as its last arguments.
over() {
    list=$1
    shift
    [ ! -s "$list" ] || tr '\n' '\0' <"$list" | xargs -0 "$@"
}

all_files >build/lint/all
grep -E '^(src|include|tests|bench|fuzz)/.*\.(c|h|def)$' build/lint/all | grep -v '^tests/data/' >build/lint/c || true
grep -E '^src/.*\.(c|h|def|cu)$' build/lint/all >build/lint/src || true
grep -E '\.(c|h)$' build/lint/c >build/lint/format || true
grep -E '^(src|include)/.*\.h$' build/lint/c | grep -v '_tmpl\.h$' >build/lint/headers || true
grep -E '(\.(c|h|def|cu|sh|awk|cmake|in|json|md|txt|yml)|(^|/)run|(^|/)\.clang-format)$' build/lint/all |
    grep -vE '^(models|tests/data|fuzz/corpus|bench/results)/' >build/lint/text || true
grep -E '^(src|include|tests|bench|fuzz|tools)/|^run$|^CMake' build/lint/text >build/lint/code || true

# --- the checks ---

check_layers() { over build/lint/src awk -v layers="$LAYERS" -f tools/lint-layers.awk; }

check_sizes() { over build/lint/c awk -v verbose="$verbose" -f tools/lint-sizes.awk; }

check_text() {
    over build/lint/text awk '
        FNR == 1 { code = FILENAME !~ /\.md$/ }
        /\t/ && code { print FILENAME ":" FNR ": a tab" }
        /[ \t\r]$/ { print FILENAME ":" FNR ": a blank at the end of the line" }'
    over build/lint/text sh -c 'for f; do
        [ -s "$f" ] && [ -n "$(tail -c 1 "$f")" ] && echo "$f:$(($(wc -l <"$f") + 1)): no newline at the end of the file"
    done; true' sh
    # the brackets keep this file from finding itself
    over build/lint/code grep -HnE '(^|[^A-Za-z_])(TOD[O]|FIXM[E]|XX[X])([^A-Za-z_]|$)' |
        sed -E 's/^([^:]*:[0-9]+):.*/\1: an open end in the text; make it an issue/' || true
    over build/lint/text grep -HnE '/wor[k]/|\.librar[y]/|/tm[p]/(peers|brief)|/roo[t]/|/hom[e]/[a-z]' |
        sed -E 's/^([^:]*:[0-9]+):.*/\1: a path of one machine/' || true
}

need_formatter() {
    formatter=clang-format-14
    have $formatter && return 0
    if have clang-format && clang-format --version | grep -q 'version 14\.'; then
        formatter=clang-format
    else
        (install_packages clang-format-14) >&2
    fi
}

check_format() {
    need_formatter || {
        say "lint: format not checked: clang-format 14 is not to be had here" >&2
        return 0
    }
    over build/lint/format $formatter --dry-run -Werror 2>&1 | awk '
        /: error: code should be clang-formatted/ {
            split($0, part, ":")
            if (!count[part[1]]++) {
                files[++n] = part[1]
                first[n] = part[2]
            }
        }
        END {
            for (i = 1; i <= n; i++)
                print files[i] ":" first[i] ": not as clang-format has it, " count[files[i]] " places"
        }'
}

# compile_alone FLAGS... FILE: the first error of a header that is compiled as if it were a program.
compile_alone() {
    for last; do :; done
    "$@" -fsyntax-only -Wall -Wextra -Wno-unused-function -Isrc -Iinclude -D_GNU_SOURCE 2>build/lint/header.log || true
    grep -E '(error|warning): ' build/lint/header.log | head -n 1 | sed -nE 's/^([^ :]+:[0-9]+):[0-9]+: (fatal )?/\1: /p' |
        sed "s|\$| ($last alone)|"
}

check_headers() {
    flags=$(pkg-config --cflags jansson libpcre2-8 libutf8proc)
    while IFS= read -r header; do
        compile_alone gcc -std=c17 $flags -x c "$header"
        case $header in
        include/*) compile_alone clang++ -std=c++17 -x c++ "$header" ;;
        esac
    done <build/lint/headers
}

# Warnings are errors in these builds; each is reported where it stands.
check_build() {
    configure "$1" >&2
    compile "$1" 2>build/lint/"$1".log && return 0
    sed -E "s|$ROOT/||g; s|^(\.\./)+||" build/lint/"$1".log | sed -nE "
        s|^([^ :]+:[0-9]+):[0-9]+: (fatal )?error: |\1: $1: |p
        s|^(/usr/bin/ld: )?([^ ]*: in function .*)?([^ :]+:[0-9]+): (undefined reference)|\3: $1: \4|p" |
        sort -u >build/lint/"$1".errors
    if [ -s build/lint/"$1".errors ]; then
        head -n 200 build/lint/"$1".errors
    else
        say "build/lint/$1.log:1: the build failed"
    fi
}

# Global symbols of each object of the library, with the file that it was compiled from.
check_names() {
    grep -E '^src/' build/lint/headers >build/lint/stems || true
    find build/lint-gcc/CMakeFiles -path '*/src/*' -name '*.c.o' ! -path '*kernels_a[vm]*' ! -path '*/src/cli/*' |
        while IFS= read -r object; do
            file=src/${object##*/src/}
            file=${file%.o}
            [ ! -f "$file" ] || nm -g --defined-only "$object" | awk -v file="$file" 'NF == 3 { print file, $3 }'
        done >build/lint/symbols
    awk -v public="$PUBLIC" -v prefixes=tools/lint-prefixes.txt -f tools/lint-names.awk build/lint/stems build/lint/symbols |
        while read -r file name message; do
            line=$(grep -nE "(^|[^A-Za-z0-9_])$name([^A-Za-z0-9_]|\$)" "$file" | head -n 1 | cut -d: -f1)
            say "$file:${line:-1}: $name: $message"
        done
    [ ! -e build/lint-gcc/libmica.so ] || nm -D --defined-only build/lint-gcc/libmica.so | awk '
        NF == 3 && $3 !~ /^((mx|mlx|nn|lm|mica)_|_mlx_)/ { print "libmica.so:1: exports " $3 }'
}

# --- run them ---

# Adds what a check printed to the problems, less what is allowed; says which check it is on a terminal.
run_check() {
    [ ! -t 2 ] || printf 'lint: %s\n' "$*" >&2
    "$@" >build/lint/found || true
    awk -f tools/lint-allow.awk tools/lint-allow.txt build/lint/found | tee -a "$out"
}

if [ "$mode" = fix ]; then
    need_formatter || die "clang-format 14 is needed"
    over build/lint/format $formatter -i
    exit 0
fi

run_check check_layers
run_check check_sizes
run_check check_text
if [ "$mode" = all ]; then
    need_build
    need_clang
    run_check check_format
    run_check check_headers
    run_check check_build lint-gcc
    run_check check_build lint-clang
    run_check check_names
fi

problems=$(grep -cv ': note: ' "$out" || true)
if [ "$problems" -eq 0 ]; then
    say "lint: ok"
else
    say "lint: $problems problems"
    exit 1
fi
