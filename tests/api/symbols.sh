#!/bin/sh
# symbols.sh NM LIBRARY LIST: the library exports every function of the list, and no mlx_ function besides but the
# accessors of half floats, which only some processors' compilers have types for.
set -eu
"$1" -D --defined-only "$2" | awk '$3 ~ /^_?mlx_/ && $3 !~ /_b?float16$/ { print $3 }' | LC_ALL=C sort >"$2.names"
LC_ALL=C sort "$3" | diff - "$2.names"
