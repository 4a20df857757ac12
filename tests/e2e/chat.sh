# mica chat, piped in by a script.
. "$(dirname -- "$0")/lib"
have_story || { skip chat "no weights in $STORY" && finish; }

# LINES | talk [OPTIONS]: the conversation's outputs are in $tmp/out and $tmp/err; exited CODE asks how it ended.
talk() {
    code=0
    "$MICA" chat --model "$STORY" -m 20 "$@" >"$tmp/out" 2>"$tmp/err" || code=$?
    echo "$code" >"$tmp/code"
}
exited() { [ "$(cat "$tmp/code")" = "$1" ]; }
figures='^[0-9]+ tokens · [0-9.]+ tok/s · prompt [0-9.]+ tok/s · peak [0-9.]+ GB$'
answers() { grep -cE "$figures" "$tmp/out"; }
# answer N: the text of answer N.
answer() {
    awk -v n="$1" -v RS='\n[0-9]+ tokens · [^\n]*\n' 'NR == n { sub(/^\n+/, ""); printf "%s", $0 }' "$tmp/out"
}

printf 'Hello!\nGo on.\n' | talk
check exit_code exited 0
check two_answers [ "$(answers)" = 2 ]
check no_prompts sh -c '! grep -q ">>>" "$1"' sh "$tmp/out"
check quiet [ ! -s "$tmp/err" ]
answer 1 >"$tmp/first"
"$MICA" generate --model "$STORY" -p "Hello!" -m 20 --verbose false >"$tmp/generated" 2>"$tmp/err"
check as_generate [ "$(cat "$tmp/first")" = "$(cat "$tmp/generated")" ]

printf 'Hello!\nGo on.\n/stats\nAnd then?\n/stats\n' | talk
check cache_is_reused says 'last answer: [0-9]+ prompt tokens computed \([1-9][0-9]* more were in the cache\)'
check messages_kept says '^messages: 6$'

printf 'Hello!\n/reset\n/stats\nHello!\n' | talk
check reset_said says 'conversation is forgotten'
check reset_empties says '^cache: 0 tokens'
answer 2 | sed 's/^The conversation is forgotten\.$//' | sed '/^messages: 0$/d; /^cache: /d; /^$/d' >"$tmp/second"
check reset_repeats [ "$(cat "$tmp/second")" = "$(sed '/^$/d' "$tmp/first")" ]

printf '"""Tell me\na story\nof a bear."""\n' | talk
check block [ "$(answers)" = 1 ]
cp "$tmp/out" "$tmp/a"
printf '"""\nTell me\na story\nof a bear.\n"""\n' | talk
check block_marks_alone [ "$(grep -v ' tok/s ' "$tmp/a")" = "$(grep -v ' tok/s ' "$tmp/out")" ]
for unfinished in '"""Tell me\n' '"""' 'Tell me\\\n'; do
    printf "$unfinished" | talk
    check unfinished [ "$(cat "$tmp/code")" = 1 -a "$(wc -l <"$tmp/err")" = 1 ]
done
printf 'a\000b\nHello!\n' | talk
check nul_is_refused says 'NUL' err
printf 'Tell me\\\na story.\n' | talk
check continued_line [ "$(answers)" = 1 ]
printf 'Hello!\nq\nNever read\n' | talk
check quit_q [ "$(answers)" = 1 ]
printf 'Hello!\n/quit\nNever read\n' | talk
check quit [ "$(answers)" = 1 ]
printf 'h\n/help\n' | talk
check help [ "$(grep -c '^Commands:' "$tmp/out")" = 2 ]
printf '\n   \n' | talk
check empty_lines exited 0
check empty_lines_answer [ "$(answers)" = 0 ]
printf 'Hello!' | talk
check no_last_newline [ "$(answers)" = 1 ]
printf '/system You are a bear.\nHello!\n/stats\n' | talk
check system says 'system message is set'
printf 'Hello!\n/stats\n' | talk --system-prompt "You are a bear."
check system_option says '^messages: 2$'
printf 'Tell me a story.\n' | talk --temp 1 --seed 4
cp "$tmp/out" "$tmp/a"
printf 'Tell me a story.\n' | talk --temp 1 --seed 4
check same_seed [ "$(sed '$d' "$tmp/a" | grep -v ' tok/s ')" = "$(sed '$d' "$tmp/out" | grep -v ' tok/s ')" ]

# A bad line is said and does not end the conversation; the exit code tells.
printf '/nonsense\nHello!\n' | talk
check unknown_command exited 1
check unknown_command_goes_on [ "$(wc -l <"$tmp/err")" = 1 -a "$(answers)" = 1 ]
printf 'caf\351\nHello!\n' | talk
check invalid_utf8 exited 1
check invalid_utf8_goes_on [ "$(wc -l <"$tmp/err")" = 1 -a "$(answers)" = 1 ]
check invalid_utf8_named says 'not valid UTF-8' err
finish
