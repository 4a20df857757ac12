// Writes models.jsonl: a small tokenizer of every kind of model, with normalizers and decoders as they are met
// with it, and what the reference gives for all awkward texts; and for one feature each on a few of them.
// The vocabularies are pieces of the texts. Lines as in variants.jsonl.
// Usage: node make_models.mjs FOLDER_WITH_NODE_MODULES strings.json models.jsonl
import { createRequire } from "node:module";
import { readFileSync, writeFileSync } from "node:fs";

const { Tokenizer } = createRequire(process.argv[2] + "/x.js")("tokenizers");
const strings = JSON.parse(readFileSync(process.argv[3], "utf8"));

// The most frequent pieces of at most `most` characters, of texts cut at spaces that `mark` stands for.
function pieces(mark, most, count) {
  const seen = new Map();
  for (const s of strings)
    for (const word of s.normalize("NFKC").split(/\s+/)) {
      const c = [...(mark + word)];
      for (let i = 0; i < c.length; i++)
        for (let n = 1; n <= most && i + n <= c.length; n++) {
          const p = c.slice(i, i + n).join("");
          seen.set(p, (seen.get(p) ?? 0) + n);
        }
    }
  return [...seen].filter(([p]) => p.isWellFormed()).sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, count);
}
const byteTokens = [...Array(256).keys()].map((b) => `<0x${b.toString(16).toUpperCase().padStart(2, "0")}>`);
const entries = (list) => Object.fromEntries([...new Set(list)].map((t, i) => [t, i]));

// A compiled charsmap: a double array as Darts lays it out, and texts. Offsets are searched for one by one.
function charsmap(rules) {
  const root = { next: new Map() };
  let texts = Buffer.alloc(0);
  for (const [from, to] of rules) {
    let node = root;
    for (const b of Buffer.from(from)) {
      if (!node.next.has(b)) node.next.set(b, { next: new Map() });
      node = node.next.get(b);
    }
    node.value = texts.length;
    texts = Buffer.concat([texts, Buffer.from(to), Buffer.of(0)]);
  }
  const units = [0], used = new Set([0]);
  const place = (node, at, label) => {
    const labels = [...(node.value === undefined ? [] : [0]), ...node.next.keys()];
    let base = 1;
    while (labels.some((b) => used.has(base ^ b)) || (at ^ base) === at) base++;
    labels.forEach((b) => used.add(base ^ b));
    units[at] = (((at ^ base) << 10) | (node.value === undefined ? 0 : 256) | label) >>> 0;
    if (node.value !== undefined) units[base] = (node.value | 0x80000000) >>> 0;
    for (const [b, child] of node.next) place(child, base ^ b, b);
  };
  place(root, 0, 0);
  const out = Buffer.alloc(4 + 4 * Math.ceil(units.length / 256) * 256);
  out.writeUInt32LE(out.length - 4, 0);
  units.forEach((u, i) => out.writeUInt32LE(u, 4 + 4 * i));
  return Buffer.concat([out, texts]).toString("base64");
}
const precompiled = charsmap([["\t", " "], ["\n", " "], ["\r", " "], ["\u3000", " "], ["\u00a0", " "], ["ﬁ", "fi"], ["½", "1/2"], ["é", "e"], ["e\u0301", "E"], ["İ", "i\u0307"], ["a", "a"], ["👨", "man"], ["\u200d", ""], ["が", "か\u3099"], ["０", "0"], ["Å", "Å"]]);

const file = (over) => ({ version: "1.0", truncation: null, padding: null, added_tokens: [], normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null, ...over });
const token = (id, content, over = {}) => ({ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true, ...over });
const seq = (key, ...list) => ({ type: "Sequence", [key]: list });
const replace = (pattern, content) => ({ type: "Replace", pattern: typeof pattern === "string" ? { String: pattern } : { Regex: pattern.source }, content });
const metaspace = (over = {}) => ({ type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true, ...over });
const template = (before, after) => ({ type: "TemplateProcessing", single: [...before.map(([t]) => ({ SpecialToken: { id: t, type_id: 0 } })), { Sequence: { id: "A", type_id: 0 } }, ...after.map(([t]) => ({ SpecialToken: { id: t, type_id: 0 } }))], pair: [{ Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "B", type_id: 1 } }], special_tokens: Object.fromEntries([...before, ...after].map(([t, id]) => [t, { id: t, ids: [id], tokens: [t] }])) });
const unigram = (head, count, over = {}) => ({ type: "Unigram", unk_id: head.indexOf("<unk>"), byte_fallback: false, vocab: [...head.map((t) => [t, 0]), ...pieces("▁", 4, count).filter(([p]) => !head.includes(p)).map(([p, n], i) => [p, -Math.log(5000 / n) - (i % 7) / 16])], ...over });
const wordpiece = (over = {}) => ({ type: "WordPiece", unk_token: "[UNK]", continuing_subword_prefix: "##", max_input_chars_per_word: 100, vocab: entries(["[PAD]", "[UNK]", "[CLS]", "[SEP]", ...pieces("", 4, 400).map(([p]) => p), ...pieces("", 3, 300).map(([p]) => "##" + p)]), ...over });
const bert = (over = {}) => ({ type: "BertNormalizer", clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: true, ...over });
const spmMerges = pieces("▁", 3, 500).map(([p]) => [...p]).filter((c) => c.length > 1).sort((a, b) => a.length - b.length);
const spm = () => {
  const chars = pieces("▁", 1, 200).map(([p]) => p), vocab = ["<unk>", "<s>", "</s>", ...byteTokens, ...chars], has = new Set(vocab), merges = [];
  for (const c of spmMerges)
    for (let i = 1; i < c.length; i++) {
      const a = c.slice(0, i).join(""), b = c.slice(i).join("");
      if (!has.has(a) || !has.has(b)) continue;
      merges.push([a, b]);
      if (!has.has(a + b)) vocab.push(a + b), has.add(a + b);
    }
  return { type: "BPE", dropout: null, unk_token: "<unk>", continuing_subword_prefix: null, end_of_word_suffix: null, fuse_unk: true, byte_fallback: true, ignore_merges: false, vocab: entries(vocab), merges };
};
const bos = [token(0, "<unk>"), token(1, "<s>"), token(2, "</s>")];

const whole = {
  "T5: Unigram": file({ added_tokens: [token(0, "<pad>"), token(1, "</s>"), token(2, "<unk>")], normalizer: seq("normalizers", { type: "Precompiled", precompiled_charsmap: precompiled }, { type: "Strip", strip_left: false, strip_right: true }, replace(/ {2,}/, "▁")), pre_tokenizer: metaspace(), post_processor: template([], [["</s>", 1]]), decoder: metaspace(), model: unigram(["<pad>", "</s>", "<unk>"], 500) }),
  "XLM-R: Unigram with Nmt, NFKC": file({ added_tokens: [token(0, "<s>"), token(2, "</s>"), token(3, "<unk>")], normalizer: seq("normalizers", { type: "Nmt" }, { type: "NFKC" }, replace(/ {2,}/, " ")), pre_tokenizer: seq("pretokenizers", { type: "WhitespaceSplit" }, metaspace()), post_processor: { type: "RobertaProcessing", sep: ["</s>", 2], cls: ["<s>", 0], trim_offsets: true, add_prefix_space: true }, decoder: metaspace(), model: unigram(["<s>", "<pad>", "</s>", "<unk>"], 450) }),
  "Unigram with byte fallback, no split": file({ added_tokens: bos, normalizer: replace(" ", "▁"), decoder: seq("decoders", replace("▁", " "), { type: "ByteFallback" }, { type: "Fuse" }), model: unigram(["<unk>", "<s>", "</s>", ...byteTokens], 300, { byte_fallback: true }) }),
  "BERT uncased": file({ added_tokens: [token(0, "[PAD]"), token(1, "[UNK]"), token(2, "[CLS]"), token(3, "[SEP]")], normalizer: bert(), pre_tokenizer: { type: "BertPreTokenizer" }, post_processor: template([["[CLS]", 2]], [["[SEP]", 3]]), decoder: { type: "WordPiece", prefix: "##", cleanup: true }, model: wordpiece() }),
  "Llama 2: BPE with byte fallback": file({ added_tokens: bos, normalizer: seq("normalizers", { type: "Prepend", prepend: "▁" }, replace(" ", "▁")), post_processor: template([["<s>", 1]], []), decoder: seq("decoders", replace("▁", " "), { type: "ByteFallback" }, { type: "Fuse" }, { type: "Strip", content: " ", start: 1, stop: 0 }), model: spm() }),
  "WordLevel": file({ normalizer: seq("normalizers", { type: "NFD" }, { type: "Lowercase" }, { type: "StripAccents" }), pre_tokenizer: { type: "Whitespace" }, model: { type: "WordLevel", unk_token: "?", vocab: entries(["?", ...pieces("", 6, 600).map(([p]) => p)]) } }),
};
const some = {};
const level = { type: "WordLevel", unk_token: "?", vocab: entries(["?", ..."abcdefghijklmnopqrstuvwxyz .!,'▁|", "▁a", "a▁", "l▁▁", "<0xE4>", "<0xBD>", "<0xA0>", "<0xFF>", "n't", "##l", "lo</w>", "</w>", "<pad>", "##", "Ġ", "Ã", "©", "▁", " '", " 's", " do not"]) };
const split = { type: "Split", pattern: { Regex: "<0x..>|<pad>|##l|Ã|[a-z]</w>|[a▁]▁|l▁▁|." }, behavior: "Isolated", invert: false };
const strip = (start, stop, content = "▁") => ({ type: "Strip", content, start, stop });
const chains = {
  "WordPiece, kept": [{ type: "WordPiece", prefix: "##", cleanup: false }],
  "WordPiece behind Replace": [replace("l", " n't"), { type: "WordPiece", prefix: "##", cleanup: true }],
  "BPEDecoder": [{ type: "BPEDecoder", suffix: "</w>" }],
  "CTC": [{ type: "CTC", pad_token: "<pad>", word_delimiter_token: "|", cleanup: true }],
  "CTC, kept": [{ type: "CTC", pad_token: "<pad>", word_delimiter_token: "|", cleanup: false }],
  "Strip tokens": [strip(2, 0)],
  "Strip tokens, stop": [strip(0, 1)],
  "Strip the whole": [{ type: "Fuse" }, strip(2, 0)],
  "Strip the whole, stop": [{ type: "Fuse" }, strip(0, 1)],
  "Strip the whole twice": [{ type: "Fuse" }, strip(1, 0), strip(2, 0, "l")],
  "Replace the whole, stop": [{ type: "Fuse" }, replace("▁a", "<0x41>"), strip(0, 1)],
  "Replace a pattern": [replace(/[a-k]+|▁$/, "_")],
  "Replace a pattern of the whole": [{ type: "Fuse" }, replace(/[a-l▁]+/, "_"), strip(1, 0, "_")],
  "Fuse, ByteFallback": [{ type: "Fuse" }, { type: "ByteFallback" }],
  "ByteFallback, Metaspace": [{ type: "ByteFallback" }, metaspace()],
  "Metaspace, Strip": [metaspace({ prepend_scheme: "never" }), strip(1, 0, " ")],
  "ByteLevel in a chain": [{ type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false }, strip(1, 0, "l")],
  "ByteFallback, ByteLevel": [{ type: "ByteFallback" }, { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false }],
  "Fuse, WordPiece": [{ type: "Fuse" }, { type: "WordPiece", prefix: "##", cleanup: true }],
};
for (const [name, list] of Object.entries(chains)) some[`decoder: ${name}`] = file({ pre_tokenizer: split, decoder: list.length > 1 ? seq("decoders", ...list) : list[0], model: level });
const chars = (normalizer) => file({ normalizer, pre_tokenizer: { type: "BertPreTokenizer" }, model: wordpiece({ max_input_chars_per_word: 12 }), decoder: { type: "WordPiece", prefix: "##", cleanup: false } });
for (const o of [{ strip_accents: false }, { lowercase: false }, { clean_text: false, lowercase: false, strip_accents: true }, { handle_chinese_chars: false }]) some[`BertNormalizer ${JSON.stringify(o)}`] = chars(bert(o));
for (const type of ["Nmt", "Lowercase", "StripAccents"]) some[`normalizer ${type}`] = chars({ type });
some["Precompiled alone"] = chars({ type: "Precompiled", precompiled_charsmap: precompiled });
some["CharDelimiterSplit"] = file({ pre_tokenizer: { type: "CharDelimiterSplit", delimiter: "l" }, model: wordpiece() });
some["WordPiece behind ByteLevel"] = file({ pre_tokenizer: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true }, model: wordpiece(), post_processor: { type: "BertProcessing", sep: ["[SEP]", 3], cls: ["[CLS]", 2] } });
some["Unigram, unk in the middle"] = file({ model: { type: "Unigram", unk_id: 1, vocab: [["a", -1], ["<unk>", -2], ["ab", -1.5], ["abc", -6], ["l", -3], ["ll", -5.5], ["lll", -9], ["你", -4], ["hello", -4], ["he", -1], ["llo", -2.5], ["o", -20]] } });

// A stop that meets an empty token makes the reference panic, so does one that overlaps the start.
const few = ["", " ", "hello world", "Hello, World!", " a  b ", "abc abca aaaaa aaa", "l", "ll lll", "▁l▁▁a▁▁", "a▁a▁", "▁▁a▁▁▁", "it's n't do not 's .", "a<0xE4><0xBD><0xA0>b<0xFF>", "<0xE4><0xBD>", "<0xFF><0xFF>a", "aa<pad>a|b||<pad>c", "hel##llo##l", "lo</w>lo</w>", "b</w>", "Ã©", "ÃÃ©a", "é e\u0301 ǆ ﬁ ½ ²", "Ｉİ ΑΣ Σ ǅ", "你好 world 。！", "\t x\u00a0y\u3000\u200b\r\nz", "a\u0000b\u0007c\u00adé\ufffd", "xyxyxyab<unk>ab", "abcdefghijklm abcdefghijkl", "か\u3099 が 👨\u200d👩", "\u0928\u093f \u1e9b\u0323"];
let out = "";
for (const [list, texts] of [[whole, strings], [some, few]])
  for (const [name, tokenizer] of Object.entries(list)) {
    const t = Tokenizer.fromString(JSON.stringify(tokenizer));
    const cases = [];
    for (const text of texts) {
      const plain = (await t.encode(text, null, { addSpecialTokens: false })).getIds();
      const special = (await t.encode(text, null, { addSpecialTokens: true })).getIds();
      if (/BPEDecoder|stop/.test(name) && special.length === 0) continue; // the reference panics here
      cases.push([text, plain, special, await t.decode(special, false), await t.decode(special, true)]);
    }
    out += JSON.stringify({ name, tokenizer, cases }) + "\n";
  }
writeFileSync(process.argv[4], out);
