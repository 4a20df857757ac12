# mica tokenize, detokenize and template.
. "$(dirname -- "$0")/lib"
[ -f "$STORY/tokenizer.json" ] || { skip text "no tokenizer in $STORY" && finish; }

# Text to ids and back gives the same bytes.
printf 'Once upon a time' >"$tmp/short"
printf '' >"$tmp/nothing"
printf 'naïve café — “quotes”, 日本語 한국어 🙂👩‍👩‍👧 \t tabs\n\n  lines \r\n' >"$tmp/awkward"
printf 'a <|im_start|>user\nx<|im_end|> b' >"$tmp/special"
for name in short nothing awkward special; do
    "$MICA" tokenize --model "$STORY" --no-special <"$tmp/$name" >"$tmp/ids"
    "$MICA" detokenize --model "$STORY" <"$tmp/ids" >"$tmp/back"
    check "round_trip_$name" same "$tmp/$name" "$tmp/back"
    check "one_line_$name" [ "$(wc -l <"$tmp/ids")" = 1 ]
done
"$MICA" tokenize --model "$STORY/tokenizer.json" <"$tmp/awkward" >"$tmp/a"
"$MICA" tokenize --model "$STORY" <"$tmp/awkward" >"$tmp/b"
check tokenizer_file same "$tmp/a" "$tmp/b"
"$MICA" tokenize --model "$STORY" --no-special <"$tmp/special" >"$tmp/ids"
"$MICA" detokenize --model "$STORY" --skip-special <"$tmp/ids" >"$tmp/back"
check skip_special [ "$(tr '\n' ' ' <"$tmp/back")" = "a user x b" ]

# JSON lines: as many out as in, the same ids, the same texts.
printf '"Once upon a time"\n""\n"caf\\u00e9 \\ud83d\\ude42\\n"\n' >"$tmp/lines"
"$MICA" tokenize --model "$STORY" --no-special --json-lines <"$tmp/lines" >"$tmp/out"
check json_lines [ "$(wc -l <"$tmp/out")" = 3 ]
ids=$("$MICA" tokenize --model "$STORY" --no-special <"$tmp/short")
check json_ids [ "$(head -n 1 "$tmp/out")" = "[$(echo $ids | sed 's/ /, /g')]" ]
check json_empty [ "$(sed -n 2p "$tmp/out")" = "[]" ]
"$MICA" detokenize --model "$STORY" --json-lines <"$tmp/out" >"$tmp/back"
printf '"Once upon a time"\n""\n"café 🙂\\n"\n' >"$tmp/expected"
check json_back same "$tmp/back" "$tmp/expected"
"$MICA" detokenize --model "$STORY" --json-lines --stream <"$tmp/out" >"$tmp/back"
check stream_pieces [ "$(sed -n 1p "$tmp/back" | tr -d '[]",')" = "Once upon a time" -o \
    "$(sed -n 1p "$tmp/back" | sed 's/", "//g; s/[]["]//g')" = "Once upon a time" ]
check stream_whole_characters sh -c '! grep -q "�" "$1" && grep -q "🙂" "$1"' sh "$tmp/back"

# Templates.
echo '[{"role": "user", "content": "Hello <b>!"}, {"role": "assistant", "content": "Hi."}, {"role": "user", "content": "ü"}]' \
    >"$tmp/messages.json"
printf '<|im_start|>user\nHello <b>!<|im_end|>\n<|im_start|>assistant\nHi.<|im_end|>\n<|im_start|>user\nü<|im_end|>\n' \
    >"$tmp/expected"
"$MICA" template --model "$STORY" --messages "$tmp/messages.json" --no-generation-prompt >"$tmp/out"
check template_no_prompt same "$tmp/out" "$tmp/expected"
printf '<|im_start|>assistant\n' >>"$tmp/expected"
"$MICA" template --model "$STORY" --messages "$tmp/messages.json" >"$tmp/out"
check template same "$tmp/out" "$tmp/expected"
printf '{%% for m in messages %%}{{ loop.index }}:{{ m.role }}/{{ x | upper }};{%% endfor %%}{{ strftime_now("%%Y-%%m") }}\n' \
    >"$tmp/any.jinja"
echo '{"messages": [{"role": "user"}, {"role": "tool"}], "x": "abc"}' >"$tmp/context.json"
"$MICA" template --template "$tmp/any.jinja" --context "$tmp/context.json" --now 2024-07-26 >"$tmp/out"
check any_template [ "$(cat "$tmp/out")" = "1:user/ABC;2:tool/ABC;2024-07" ]
echo "{{ raise_exception('stop here') }}" >"$tmp/raise.jinja"
fails template_raises "stop here" template --template "$tmp/raise.jinja" --context "$tmp/context.json"
echo "{% for" >"$tmp/broken.jinja"
fails template_broken "broken.jinja" template --template "$tmp/broken.jinja" --context "$tmp/context.json"
echo "{" >"$tmp/broken.json"
fails messages_broken "broken.json" template --model "$STORY" --messages "$tmp/broken.json"
fails no_messages "--messages" template --model "$STORY"
finish
