// Writes variants.jsonl: small tokenizers that use one feature each, with what the reference gives for some
// texts: {"name", "tokenizer", "cases": [[text, ids, ids with special tokens, decoded, decoded without]]}.
// Usage: node make_variants.mjs FOLDER_WITH_NODE_MODULES variants.jsonl
import { createRequire } from "node:module";
import { writeFileSync } from "node:fs";

const { Tokenizer } = createRequire(process.argv[2] + "/x.js")("tokenizers");

// A byte-level vocabulary, and one of characters with byte fallback; both with a few merges.
const shown = [...Array(256).keys()].filter((b) => (b >= 33 && b <= 126) || (b >= 161 && b !== 173));
let shift = 0;
const letter = (b) => String.fromCodePoint(shown.includes(b) ? b : 256 + shift++);
const bytes = [...Array(256).keys()].map(letter);
const pairs = "h e|l l|he ll|hell o|Ġ w|o r|Ġw or|l d|Ġwor ld|i n|Ġ t|Ġt he|1 2|12 3|Ġ Ġ|ĠĠ ĠĠ|. .|.. ..|a b|ab c|c a|a a|aa aa|Ã ©|ä ½|' s|' t|Ċ Ċ|Ġ a|Ġa b".split("|").map((p) => p.split(" "));
const join = (vocab, merges, prefix = "") => {
  merges.forEach(([a, b]) => vocab.push(a + b.slice(prefix && b.startsWith(prefix) ? prefix.length : 0)));
  return Object.fromEntries([...new Set(vocab)].map((t, i) => [t, i]));
};
const model = (over = {}) => ({ type: "BPE", dropout: null, unk_token: null, continuing_subword_prefix: null, end_of_word_suffix: null, fuse_unk: false, byte_fallback: false, ignore_merges: false, vocab: join([...bytes], pairs), merges: pairs.map((p) => p.join(" ")), ...over });
const spmPairs = "▁ h|▁h e|l l|▁he ll|▁hell o|▁ w|o r|▁w or|l d|▁wor ld|a a|aa aa|▁ ▁".split("|").map((p) => p.split(" "));
const spm = (over = {}) => ({ ...model(), vocab: join(["<unk>", "<s>", "</s>", ...[...Array(256).keys()].map((b) => `<0x${b.toString(16).toUpperCase().padStart(2, "0")}>`), ..."▁abcdefghijklmnopqrstuvwxyz.,é你"], spmPairs), merges: spmPairs, unk_token: "<unk>", byte_fallback: true, fuse_unk: true, ...over });
const level = (over = {}) => ({ type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false, ...over });
const file = (over) => ({ version: "1.0", truncation: null, padding: null, added_tokens: [], normalizer: null, pre_tokenizer: level({ use_regex: true }), post_processor: null, decoder: level(), model: model(), ...over });
const seq = (...pretokenizers) => ({ type: "Sequence", pretokenizers });
const split = (pattern, behavior = "Isolated", invert = false) => ({ type: "Split", pattern: typeof pattern === "string" ? { Regex: pattern } : pattern, behavior, invert });
const token = (content, over = {}) => ({ id: 100000, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: false, ...over });
const ids = (m, ...tokens) => tokens.map((t, i) => ({ ...t, id: m.vocab[t.content] ?? Object.keys(m.vocab).length + i }));

const variants = {};
variants["byte level with a prefix space"] = file({ pre_tokenizer: level({ add_prefix_space: true, use_regex: true }) });
variants["pairs, prefix space, no pattern"] = file({ pre_tokenizer: level({ add_prefix_space: true }), model: model({ merges: pairs }) });
variants["steps behind ByteLevel"] = file({ pre_tokenizer: seq({ type: "Punctuation", behavior: "Contiguous" }, level({ use_regex: true }), { type: "Digits", individual_digits: false }, split("[0-9][0-9][0-9]")) });
variants["ByteLevel twice"] = file({ pre_tokenizer: seq(level(), level({ use_regex: true, add_prefix_space: true })) });
for (const behavior of ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"])
  for (const invert of [false, true]) {
    variants[`Split by a string, ${behavior}, invert ${invert}`] = file({ pre_tokenizer: seq(split({ String: "l" }, behavior, invert), level()) });
    variants[`Split by a pattern, ${behavior}, invert ${invert}`] = file({ pre_tokenizer: seq(split("\\s|[0-9]+", behavior, invert), level()) });
  }
for (const behavior of ["Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous"]) variants[`Punctuation ${behavior}`] = file({ pre_tokenizer: seq({ type: "Punctuation", behavior }, level()) });
for (const individual_digits of [true, false]) variants[`Digits ${individual_digits}`] = file({ pre_tokenizer: seq({ type: "Digits", individual_digits }, level()) });
variants.Whitespace = file({ pre_tokenizer: seq({ type: "Whitespace" }, level()) });
variants.WhitespaceSplit = file({ pre_tokenizer: seq({ type: "WhitespaceSplit" }, level()) });
const patterns = {
  "nested class": " ?[^(\\s|[.,!?…。，、।۔،])]+",
  "class intersection": "[\\p{L}&&[^a-m]]+|[\\p{L}&&\\p{Ll}&&[^x]]",
  "negated intersection": "[^\\p{L}&&[^a-m]]+",
  "nested negation": "[0-9[^a-zé]]+",
  "repeat of a repeat": "\\p{N}{1,3}+|a{,2}b|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}++",
  "words and boundaries": "\\b\\w+\\b|\\W",
  "sets": "\\d+|\\h+|\\S\\s|[\\S&&\\D]",
  "script": "\\p{Han}+|\\p{Hiragana}+|\\p{^L}",
  "look around": "(?<=l)l|(?<!h)e|a(?=b)|b(?!c)|^h|d$",
  "empty matches": "a*",
  "empty matches at ends": "(?=l)|$",
  "atomic and lazy": "(?>a+)b|h.*?o|(l)(o)",
  "escapes": "\\x{e9}|\\u4f60|\\x68|[\\x{61}-\\x{63}]|\\t|\\n|\\v|\\-|\\{",
  "literal braces": "{|}|]|a{x",
  "case": "(?i:HELLO|'S)|(?i:k)",
};
for (const [name, p] of Object.entries(patterns)) variants[`pattern: ${name}`] = file({ pre_tokenizer: seq(split(p), level()) });
variants["case for the whole pattern"] = file({ pre_tokenizer: seq(split("(?i)WORLD|ABC"), level()) });
for (const type of ["NFC", "NFD", "NFKC", "NFKD"]) variants[type] = file({ normalizer: { type } });
variants["empty normalizer"] = file({ normalizer: { type: "Sequence", normalizers: [] } });
variants["normalizers in order"] = file({ normalizer: { type: "Sequence", normalizers: [{ type: "NFKD" }, { type: "Replace", pattern: { Regex: "\\p{M}+|l{2}" }, content: "<é>" }, { type: "Replace", pattern: { String: "o" }, content: "" }, { type: "Strip", strip_left: true, strip_right: true }, { type: "Prepend", prepend: "hé" }] } });
variants["ByteLevel normalizer"] = file({ normalizer: { type: "Sequence", normalizers: [{ type: "NFC" }, { type: "ByteLevel" }] }, pre_tokenizer: split("Ġ", "MergedWithNext"), added_tokens: ids(model(), token("é b", { normalized: true }), token("xyz")) });
{
  const m = model();
  const flags = ids(m, token("<a>", { lstrip: true, special: true }), token("<b>", { rstrip: true, special: true }), token("<ab>", { lstrip: true, rstrip: true }), token("wor", { single_word: true }), token("world", { single_word: true, normalized: true }), token("\n", {}), token("<b> x", {}), token("é", { normalized: true }), token("abc", { special: true }), token("<|x|>", { special: true }), token("<|x|><|x|>", {}), token("lo w", {}));
  variants["added tokens"] = file({ added_tokens: flags, model: m });
  variants["added tokens with NFD"] = file({ added_tokens: flags, model: m, normalizer: { type: "NFD" } });
}
variants["ignore_merges"] = file({ model: model({ ignore_merges: true, vocab: join([...bytes], [...pairs, ["Ġabc", "a"], ["hello", "Ġworld"]]) }), pre_tokenizer: seq(split("\\s+(?=a)|[0-9]"), level()) });
variants["unk"] = file({ pre_tokenizer: null, decoder: null, model: model({ unk_token: "?" }) });
variants["unk, fused"] = file({ pre_tokenizer: { type: "Whitespace" }, decoder: null, model: model({ unk_token: "?", fuse_unk: true }) });
variants["unknown characters vanish"] = file({ pre_tokenizer: null, decoder: { type: "Fuse" } });
{
  const p = [["a", "##b"], ["ab", "##c"], ["h", "##e"], ["##l", "##l"], ["he", "##ll"], ["hell", "##o</w>"]];
  const alphabet = [...bytes.slice(33, 127), ...bytes.slice(33, 127).map((c) => "##" + c), ...bytes.slice(33, 127).map((c) => c + "</w>"), ...bytes.slice(33, 127).map((c) => "##" + c + "</w>")];
  variants["affixes"] = file({ pre_tokenizer: { type: "WhitespaceSplit" }, decoder: null, model: model({ vocab: join(alphabet, p, "##"), merges: p, continuing_subword_prefix: "##", end_of_word_suffix: "</w>", unk_token: "?" }) });
}
const metaspace = (prepend_scheme, over = {}) => ({ type: "Metaspace", replacement: "▁", prepend_scheme, split: true, ...over });
const chain = (...decoders) => ({ type: "Sequence", decoders });
const replace = { type: "Replace", pattern: { String: "▁" }, content: " " };
const specials = ids(spm(), token("<s>", { special: true }), token("</s>", { special: true }), token("<x>"));
for (const scheme of ["always", "first", "never"])
  for (const s of [true, false]) variants[`Metaspace ${scheme}, split ${s}`] = file({ added_tokens: specials, model: spm(), pre_tokenizer: metaspace(scheme, { split: s }), decoder: metaspace(scheme, { split: s }) });
variants["sentencepiece chain"] = file({ added_tokens: specials, model: spm(), normalizer: { type: "Sequence", normalizers: [{ type: "Prepend", prepend: "▁" }, { type: "Replace", pattern: { String: " " }, content: "▁" }] }, pre_tokenizer: null, decoder: chain(replace, { type: "ByteFallback" }, { type: "Fuse" }, { type: "Strip", content: " ", start: 1, stop: 0 }), post_processor: { type: "TemplateProcessing", single: [{ SpecialToken: { id: "<s>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }, { SpecialToken: { id: "</s>", type_id: 0 } }], pair: [{ Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "B", type_id: 1 } }], special_tokens: { "<s>": { id: "<s>", ids: [1, 1], tokens: ["<s>", "<s>"] }, "</s>": { id: "</s>", ids: [2], tokens: ["</s>"] } } } });
variants["strip two at the start"] = file({ model: spm({ byte_fallback: false, fuse_unk: false }), normalizer: { type: "Replace", pattern: { String: " " }, content: "▁" }, pre_tokenizer: null, decoder: chain(replace, { type: "Fuse" }, { type: "Strip", content: " ", start: 2, stop: 0 }) });
variants["no byte fallback when decoding"] = file({ model: spm(), pre_tokenizer: split({ String: " " }, "MergedWithPrevious"), decoder: replace });
variants["no decoder"] = file({ decoder: null });
variants["post-processors in a row"] = file({ added_tokens: ids(model(), token("<s>", { special: true })), post_processor: { type: "Sequence", processors: [level(), { type: "TemplateProcessing", single: [{ SpecialToken: { id: "h", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }], pair: [{ Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "B", type_id: 1 } }], special_tokens: { h: { id: "h", ids: [71], tokens: ["h"] } } }] } });
variants["RobertaProcessing"] = file({ post_processor: { type: "RobertaProcessing", sep: ["x", 5], cls: ["y", 6], trim_offsets: true, add_prefix_space: false } });

const texts = ["", " ", "hello world", "Hello, World!", " hello  world ", "abc abca aaaaa aaa", "12 123 1234 a1b22c", "l", "ll lll", "it's 'tis", "wor world worldly", "a <a> b <b> x <ab> y", "<a><b>\n<b>\n <ab>\n", "é e\u0301 ǆ ﬁ ½ ²", "你好 world 。！", "\n\n\n hello\n", "\t x\u00a0y\u3000", "....!?;", "<|x|><|x|><|x|>", "hello<s>world</s> <x>", "▁hello ▁", "K\u212a \u017f 'S", "\u4f60\ud83d\ude00 ok", "x_y-z\u0300b", "xyz é b lo w", "aab bbb ab {a} ]", "١٢٣ Ⅷ ½", "   ", "ａｂｃ が か\u3099"];
let out = "";
for (const [name, tokenizer] of Object.entries(variants)) {
  const t = Tokenizer.fromString(JSON.stringify(tokenizer));
  const cases = [];
  for (const text of texts) {
    const plain = (await t.encode(text, null, { addSpecialTokens: false })).getIds();
    const special = (await t.encode(text, null, { addSpecialTokens: true })).getIds();
    let decoded = [await t.decode(special, false), await t.decode(special, true)];
    cases.push([text, plain, special, ...decoded]);
  }
  out += JSON.stringify({ name, tokenizer, cases }) + "\n";
}
writeFileSync(process.argv[3], out);
