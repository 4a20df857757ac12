// Writes src/text/unicode_tables.h: what the reference tokenizer library believes about characters, found by
// asking it, set against the Unicode version that PCRE2 has at least (14) and the one that the reference
// normalizes by (9). Run once by hand; the result is checked in.
// Usage: node unicode_tables.mjs FOLDER > src/text/unicode_tables.h
// FOLDER/node_modules holds tokenizers, @unicode/unicode-9.0.0 and @unicode/unicode-14.0.0 (npm packages).
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(join(process.argv[2], "x.js"));
const { Tokenizer } = require("tokenizers");
const names = { Lu: "Uppercase_Letter", Ll: "Lowercase_Letter", Lt: "Titlecase_Letter", Lm: "Modifier_Letter", Lo: "Other_Letter", Mn: "Nonspacing_Mark", Mc: "Spacing_Mark", Me: "Enclosing_Mark", Nd: "Decimal_Number", Nl: "Letter_Number", No: "Other_Number", Pc: "Connector_Punctuation", Pd: "Dash_Punctuation", Ps: "Open_Punctuation", Pe: "Close_Punctuation", Pi: "Initial_Punctuation", Pf: "Final_Punctuation", Po: "Other_Punctuation", Sm: "Math_Symbol", Sc: "Currency_Symbol", Sk: "Modifier_Symbol", So: "Other_Symbol", Zs: "Space_Separator", Zl: "Line_Separator", Zp: "Paragraph_Separator", Cc: "Control", Cf: "Format" };
const LIMIT = 0x110000;
const category = async (version, name) => new Set((await import(pathToFileURL(join(process.argv[2], `node_modules/@unicode/unicode-${version}/General_Category/${name}/code-points.mjs`)))).default);

// All characters, and what a tokenizer with this pre-tokenizer makes of a text.
const chars = [];
for (let c = 0; c < LIMIT; c++) if (c < 0xd800 || c >= 0xe000) chars.push(c);
function pieces(pre, text) {
  const t = Tokenizer.fromString(JSON.stringify({ version: "1.0", truncation: null, padding: null, added_tokens: [], normalizer: null, pre_tokenizer: pre, post_processor: null, decoder: null, model: { type: "BPE", vocab: { a: 0 }, merges: [] } }));
  return t.getPreTokenizer().preTokenizeString(text).map(([piece]) => piece);
}
// The characters that it removes.
function removed(pre) {
  const left = new Set();
  for (const piece of pieces(pre, chars.map((c) => String.fromCodePoint(c)).join(""))) for (const c of piece) left.add(c.codePointAt(0));
  return new Set(chars.filter((c) => !left.has(c)));
}
const split = (regex) => removed({ type: "Split", pattern: { Regex: regex }, behavior: "Removed", invert: false });

function ranges(set) {
  const out = [];
  for (const c of [...set].sort((a, b) => a - b))
    if (out.length && out[out.length - 1][1] === c - 1) out[out.length - 1][1] = c;
    else out.push([c, c]);
  return out;
}
const hex = (c) => c.toString(16).toUpperCase();
const set = (r) => r.map(([a, b]) => (a === b ? `\\\\x{${hex(a)}}` : `\\\\x{${hex(a)}}-\\\\x{${hex(b)}}`)).join("");
const wrap = (parts, join) => {
  let out = "", line = "   ";
  for (const p of parts) {
    if (line.length + p.length + 1 > 108) {
      out += line + "\n";
      line = "   ";
    }
    line += " " + p + join;
  }
  return out + line;
};
const quoted = (s) => (s.match(/(?:\\\\x\{[^}]*\}(?:-\\\\x\{[^}]*\})?)|\\\\p\{..?\}/g) ?? []).reduce((lines, p) => {
  if (!lines.length || lines[lines.length - 1].length + p.length > 96) lines.push("");
  lines[lines.length - 1] += p;
  return lines;
}, []).map((l) => `"${l}"`).join("\n     ") || '""';
const table = (name, r) => `static const unicode_range ${name}[] = {\n${wrap(r.map(([a, b]) => `{0x${hex(a)}, 0x${hex(b)}}`), ",")}};\n`;

const old = {}, now = {};
const surplus = [];
for (const [code, name] of Object.entries(names)) {
  old[code] = await category("14.0.0", name);
  now[code] = split(`\\p{${code}}`);
  for (const c of old[code]) if (!now[code].has(c) && (c < 0xd800 || c >= 0xe000)) surplus.push(code + hex(c));
}
const whole = [..."LMNPSZC"].map((k) => [k, new Set(), new Set()]);
for (const [k, o, n] of whole)
  for (const code of Object.keys(names))
    if (code[0] === k) {
      old[code].forEach((c) => o.add(c));
      now[code].forEach((c) => n.add(c));
    }
const extra = [...Object.keys(names).map((k) => [k, old[k], now[k]]), ...whole].map(([k, o, n]) => [k, ranges([...n].filter((c) => !o.has(c)))]).filter(([, r]) => r.length);
const word = split("\\w");
const categories = ["Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "Pc"];
const covered = new Set(categories.flatMap((k) => [...old[k]]));
process.stderr.write(`in Unicode 14's class but not in the reference's: ${surplus.join(" ") || "none"}\n`);
process.stderr.write(`\\w lacks: ${[...covered].filter((c) => !word.has(c)).map(hex).join(" ") || "none"}\n`);
process.stderr.write(`\\s: ${set(ranges(split("\\s")))}\n`);

// single_word and Whitespace use another library than patterns do: ask Whitespace for its words.
const words = new Set();
for (const piece of pieces({ type: "Whitespace" }, chars.map((c) => `a${String.fromCodePoint(c)}a `).join("")))
  if ([...piece].length === 3) words.add([...piece][1].codePointAt(0));
const numerics = new Set();
for (const piece of pieces({ type: "Digits", individual_digits: true }, chars.map((c) => "a" + String.fromCodePoint(c)).join("")))
  if ([...piece].length === 1 && piece !== "a") numerics.add(piece.codePointAt(0));
const punctuations = [...removed({ type: "Punctuation", behavior: "Removed" })].filter((c) => c > 0x7f);
const unassigned = ranges(await category("9.0.0", "Unassigned"));

console.log(`/* Made by tools/unicode_tables.mjs: what the reference library believes about characters. */
#ifndef MICA_TEXT_UNICODE_TABLES_H
#define MICA_TEXT_UNICODE_TABLES_H

#include <stdint.h>

typedef struct unicode_range {
    uint32_t first, last;
} unicode_range;

/* Members of a category that came after Unicode 14, in bracket form. */
static const struct {
    const char *category, *set;
} unicode_new[] = {
${extra.map(([k, r]) => `    {"${k}",\n     ${quoted(set(r))}},`).join("\n")}
};

/* \\w of patterns, in bracket form. */
static const char unicode_word_items[] =
     ${quoted(categories.map((k) => `\\\\p{${k}}`).join("") + set(ranges([...word].filter((c) => !covered.has(c)))))};

/* Word characters for single_word and Whitespace. */
${table("unicode_words", ranges(words))}
/* char::is_numeric. */
${table("unicode_numerics", ranges(numerics))}
/* Punctuation beyond ASCII. */
${table("unicode_punctuations", ranges(punctuations))}
/* Not assigned in the Unicode version that the reference normalizes by. */
${table("unicode_unassigned", unassigned)}
#endif`);
