// Encodes the texts of strings.json with the reference library and prints one JSON array a line:
// [text, ids, ids with special tokens, decoded ids, decoded without special tokens].
// Usage: node tokenizer_oracle.mjs FOLDER_WITH_NODE_MODULES TOKENIZER.json STRINGS.json
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const [root, file, strings] = process.argv.slice(2);
const { Tokenizer } = createRequire(root + "/x.js")("tokenizers");
const tokenizer = Tokenizer.fromFile(file);
for (const text of JSON.parse(readFileSync(strings, "utf8"))) {
  const plain = (await tokenizer.encode(text, null, { addSpecialTokens: false })).getIds();
  const special = (await tokenizer.encode(text, null, { addSpecialTokens: true })).getIds();
  const whole = await tokenizer.decode(special, false);
  const skipped = await tokenizer.decode(special, true);
  console.log(JSON.stringify([text, plain, special, whole, skipped]));
}
