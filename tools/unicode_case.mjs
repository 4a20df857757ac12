// Writes src/text/unicode_case.h: lower case, marks and control characters as the reference tokenizer library
// has them, found by asking its normalizers about every character. Run once by hand; the result is checked in.
// Usage: node unicode_case.mjs FOLDER > src/text/unicode_case.h
// FOLDER/node_modules holds tokenizers (npm).
import { createRequire } from "node:module";
import { join } from "node:path";

const { Tokenizer } = createRequire(join(process.argv[2], "x.js"))("tokenizers");
const LIMIT = 0x110000;
function normalizer(spec) {
  const t = Tokenizer.fromString(JSON.stringify({ version: "1.0", truncation: null, padding: null, added_tokens: [], normalizer: spec, pre_tokenizer: null, post_processor: null, decoder: null, model: { type: "BPE", vocab: { a: 0 }, merges: [] } }));
  const n = t.getNormalizer();
  return (text) => n.normalizeString(text);
}
const lower = normalizer({ type: "Lowercase" });
const accents = normalizer({ type: "StripAccents" });
const bert = (over) => normalizer({ type: "BertNormalizer", clean_text: false, handle_chinese_chars: false, strip_accents: false, lowercase: false, ...over });
const clean = bert({ clean_text: true }), nonspacing = bert({ strip_accents: true });

const maps = [], marks = [], thin = [], control = [];
for (let c = 0; c < LIMIT; c++) {
  if (c >= 0xd800 && c < 0xe000) continue;
  const s = String.fromCodePoint(c), l = lower(s);
  if (l !== s) maps.push([c, [...l].map((x) => x.codePointAt(0))]);
  if (accents(s) === "") marks.push(c);
  if (nonspacing(s) === "") thin.push(c);
  if (clean(s) === "") control.push(c);
}
const hex = (c) => "0x" + c.toString(16).toUpperCase();
const ranges = (list) => list.reduce((out, c) => (out.length && out[out.length - 1][1] === c - 1 ? (out[out.length - 1][1] = c) : out.push([c, c]), out), []);
// Runs of characters, one or two apart, that move by the same distance.
const runs = [];
for (const [c, to] of maps) {
  if (to.length > 1) {
    process.stderr.write(`${hex(c)} becomes ${to.map(hex)}\n`);
    continue;
  }
  const by = to[0] - c, last = runs[runs.length - 1];
  if (last && last.by === by && (c - last.last === last.step || (last.first === last.last && c - last.last <= 2))) {
    last.step = c - last.last;
    last.last = c;
  } else runs.push({ first: c, last: c, step: 1, by });
}
const wrap = (parts) => {
  let out = "", line = "   ";
  for (const p of parts) {
    if (line.length + p.length + 2 > 108) (out += line + "\n"), (line = "   ");
    line += ` ${p},`;
  }
  return out + line;
};
const table = (name, list) => `static const unicode_range ${name}[] = {\n${wrap(ranges(list).map(([a, b]) => `{${hex(a)}, ${hex(b)}}`))}};\n`;
console.log(`/* Made by tools/unicode_case.mjs: lower case, marks and controls as the reference library has them. */
#ifndef MICA_TEXT_UNICODE_CASE_H
#define MICA_TEXT_UNICODE_CASE_H

#include "text/unicode_tables.h"

/* Characters that have a lower case: every step-th one of a range moves by the same distance. */
static const struct unicode_case {
    uint32_t first, last;
    int32_t step, by;
} unicode_lower[] = {
${wrap(runs.map((r) => `{${hex(r.first)}, ${hex(r.last)}, ${r.step}, ${r.by}}`))}};

/* Combining marks, which StripAccents removes. */
${table("unicode_marks", marks)}
/* Nonspacing marks, which BertNormalizer removes. */
${table("unicode_nonspacing", thin)}
/* Controls and the like, which BertNormalizer removes. */
${table("unicode_controls", control)}
#endif`);
