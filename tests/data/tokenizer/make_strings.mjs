// Writes strings.json: the awkward texts that tokenizers are compared on. Seeded, so it always gives the same.
import { writeFileSync } from "node:fs";

const texts = new Set();
const add = (...list) => list.forEach((s) => texts.add(s));

// white space
add("", " ", "  ", "   ", "    ", "\t", "\t\t", "\n", "\n\n", "\n\n\n\n", "\r", "\r\n", "\r\n\r\n", " \n", "\n ", " \n \n ", "\t\n\t", "a\r\nb\r\n", "a \r\n b",
  "a  b", "a   b", "a    b    c", "  leading", "trailing  ", "  both  ", "a\tb\t\tc", "a\n\n\nb", "x \n\n y", "if x:\n    return y\n\n\n", "a\u00a0b", "\u00a0\u00a0a", "a\u3000b", "\u3000\u3000",
  "a\u2003b\u2009c\u200ad", "a\u2028b\u2029c", "a\u0085b", "\u0085\u0085", "a\u1680b", "a\u180eb", "\u180e \u180e", "a\u202fb\u205fc", "a\vb\fc", "\v\f\v", " ".repeat(31), " ".repeat(64) + "x", "\n".repeat(40), "\t".repeat(17) + "y");
// words, case, contractions
add("Hello, world!", "hello world", "HELLO WORLD", "Hello World How Are You", "helloWorld camelCaseWord HTTPServer XMLHttpRequest", "snake_case_word __init__", "kebab-case-word",
  "I'm you're he'd they've we'll it's don't", "I'M YOU'RE HE'D THEY'VE WE'LL IT'S DON'T", "it'\u017f the '\u017ft", "\u212a \u212aelvin '\u212a", "'s't're've'm'll'd", "''s", "' s", "'sS'Ss", "it’s don’t", "rock'n'roll", "o'clock 'tis", "'LL'lL'Ll",
  "The quick brown fox jumps over the lazy dog.", "naïve café résumé", "Straße Größe Über", "ÀÉÎÕÜ àéîõü", "ŒœÆæØø", "İstanbul ıI", "ǅ ǈ ǋ", "ﬁ ﬂ ﬃ ﬆ", "e\u0301 vs é", "A\u030a Å \u212b", "Ω \u2126", "\u1e9b\u0323", "q\u0307\u0323 q\u0323\u0307", "s\u0323\u0307", "a\u0315\u0300\u05ae\u0062", "\u0344 \u0f73 \u0f75 \u0f81", "\u0958 \u09dc \ufb1d", "\u2adc", "\u1100\u1161 \u1100\u1161\u11a8 \uac00\u11a8 가각");
// digits and numbers
add("0", "1", "12", "123", "1234", "12345", "1234567890", "3.14159", "1,000,000", "-42", "+1e-10", "0x1F 0b101", "1st 2nd 3rd", "v2.0.1", "2024-01-31T12:34:56Z", "a1b2c3", "12 34 567", "١٢٣٤٥", "۱۲۳۴۵۶", "१२३४५", "১২৩", "๑๒๓๔", "０１２３４", "一二三四五六七", "Ⅷ Ⅻ ⅻ", "½ ¼ ¾ ⅓", "x² y³ z⁴", "①②③ ⑳", "𝟎𝟏𝟐𝟑", "㊀㊁ ㈠", "៛១២", "၁၂၃ ༡༢༣", "1٢३4", "99999999999999999999999999999999");
// punctuation and code
add("!", "!!", "!!!", "...", "…", "?!?!", "--", "—", "–", "``", "\"quoted\" 'single'", "«guillemets» „quotes“", "(a) [b] {c} <d>", "a/b\\c|d", "#hashtag @user $100 50% ^& *", "~`!@#$%^&*()_+-=[]{}|;':\",./<>?", "//comment\n/* block */", "a=b==c!=d<=e>=f", "x+=1;\ny-=2;\n", "foo(bar, baz)[0].qux", "#include <stdio.h>\nint main(void)\n{\n\treturn 0;\n}\n", "def f(x):\n\treturn x**2 # square\n", "<div class=\"a\">text</div>", "SELECT * FROM t WHERE a='b';", "http://example.com/path?x=1&y=2#frag", "user@example.com", "C:\\Users\\me\\file.txt", "$\\frac{a}{b} = \\sqrt{2}$", "{\"key\": [1, 2.5, null, true]}", "。，、；：？！「」『』", "¡Hola! ¿Qué tal?", " .", " ,a", ".\n", ".\r\n\r\n", "!\n\n\n", "/\n/", "a/\r\nb", "•·†‡§¶", "→←↑↓⇒∀∃∈∑∏∫√∞≠≤≥", "€£¥₹₿¢", "©®™°", "\u00ad soft", "_", "__", "_a", "a_", " _", "-", " -", "-a");
// scripts
add("你好，世界！", "我喜欢吃苹果。", "繁體中文測試", "日本語のテキスト", "カタカナ ひらがな 漢字", "ｶﾀｶﾅ ﾊﾟ", "が か\u3099 ガ", "한국어 텍스트", "\u1112\u1161\u11ab\u1100\u1173\u11af", "ᄀᄁᄂ ㄱㄴㄷ", "Привет, мир!", "Ёжик ёлка", "Є Ї Ґ", "Γειά σου Κόσμε", "ἀρχή ᾳ ᾼ", "שלום עולם", "שָׁלוֹם", "مرحبا بالعالم", "مَرْحَبًا", "لا ﻻ", "سلام دنیا", "اردو متن", "नमस्ते दुनिया", "क्षत्रिय ज्ञान", "বাংলা লেখা", "ਪੰਜਾਬੀ", "ગુજરાતી", "தமிழ் எழுத்து", "తెలుగు", "ಕನ್ನಡ", "മലയാളം ൻ്റ", "සිංහල", "ภาษาไทยไม่มีช่องว่าง", "ลาว ພາສາລາວ", "မြန်မာဘာသာ", "ភាសាខ្មែរ", "བོད་སྐད།", "ქართული ᲥᲐᲠᲗᲣᲚᲘ", "Հայերեն", "አማርኛ ፩፪", "ᏣᎳᎩ ꮳꮃꭹ", "ᐃᓄᒃᑎᑐᑦ", "Tiếng Việt có dấu", "Tiê\u0301ng Viê\u0323t", "ᠮᠣᠩᠭᠣᠯ", "ꦗꦮ", "𐌰𐌱𐌲 𐎀𐎁", "𒀀𒀁", "𓀀𓀁", "𠀀𠀁𪚥", "㐀㐁䶵", "豈更 \uf900 \u{2f800}", "龥 龦 鿿 ䷿", "〆〇々 ゝゞ ー", "㍿ ㌔ ㎏", "Ａｂｃ ＡＢＣ");
// emoji, joined and flagged
add("😀", "😀😃😄", "hi 😀 there", "👍🏽 👍🏿", "👨‍👩‍👧‍👦", "👩‍💻👨🏾‍🚀", "🏳️‍🌈 🏴‍☠️", "🇩🇪🇫🇷🇯🇵", "🇩", "1️⃣2️⃣#️⃣*️⃣", "❤️ ❤ ♥︎", "☺️☹", "🫠🫡🪿", "👁️‍🗨️", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🤷🏻‍♀️ ok", "text😀text", "😀\n😀", "⌚⏰☎");
// invisible, controls, edges of the code space
add("a\u200bb", "a\u200cb\u200dc", "\u200e\u200fx", "a\u2060b", "\ufeffBOM", "x\ufeffy", "\u0000", "a\u0000b", "\u0000\u0000\u0000", "\u0001\u0002\u0003", "\u001b[31mred\u001b[0m", "\u007f", "\u0080\u009f", "a\u0301\u0302\u0303\u0304b", "\u0301", " \u0301a", "Z̷̢͝a̸͜l̶g̴o̵", "\ufffd", "\ufffe\uffff", "\u{1ffff}\u{10ffff}", "\ue000\uf8ff", "\u{f0000}", "\u{e0001}\u{e0020}", "\u061c\u202a\u202e\u2066\u2069", "\ufff9\ufffa\ufffb", "ͯ\u0345\u0345ι", "\u034f", "\u115f\u1160\u3164");
// newer characters: letters, digits and marks of Unicode 13 to 16, and unassigned places
add("\u1c89\u1c8a", "\u{2ebf0}\u{2ebf1}", "\u{31350}\u{31351} \u{30000}", "\u{1e4d0}\u{1e4d1} \u{11f00}\u{11f04}\u{11f50}", "\u{1e030}\u{1e031}", "\u{10d40}\u{10d41} \u{10d50}", "\u{1ccf0}\u{1ccf1} \u{11de0}", "\u{11935}\u{11930}", "\u{11099}\u{110ba}", "\u{16d40}\u{16d63}\u{16d67}", "\u0cf3\u0cdd \u0c5d", "\u{1f77f}\u{1fa89} \u{1fae9}", "\ua7cb\ua7cc\ua7da\ua7dc", "\u0897\u0898 a\u0897\u0301", "\u{1e8d0}\u{1e08f}", "\u0378\u0379", "\u{e0000}\u{50000}", "\u20c0 \u20c1", "\u2427\u2ffc\u31e4", "\u{105c0}\u{105d2} \u{11380}\u{113b8}");
// the texts of special tokens of several families, whole, broken and among words
const special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>", "<|start_header_id|>", "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>", "<|return|>", "<|channel|>", "<|endofprompt|>", "<think>", "</think>", "<tool_call>", "<s>", "</s>", "<unk>", "<pad>", "<bos>", "<eos>", "<start_of_turn>", "<0x41>", "<0xE4>", "[INST]", "<EOT>"];
special.forEach((s) => add(s, "a" + s + "b", " " + s + " ", s + s));
add("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n", "<|im_start", "|im_end|>", "<|im_<|im_end|>end|>", "< |im_end|>", "<|IM_END|>", "<think>\nso\n</think>\n\nyes", "<｜User｜>你好<｜Assistant｜>");
// repetition
add("a".repeat(200), "ab".repeat(100), "A".repeat(100), "=".repeat(80), "-".repeat(33), ".".repeat(50), "哈".repeat(40), "🤣".repeat(15), "0".repeat(100), "a b ".repeat(30), "e\u0301".repeat(20), "\u0301".repeat(30), "ab\n".repeat(20), "lorem ipsum dolor sit amet, ".repeat(5));

// seeded random texts from several alphabets
let state = 12345n;
const random = (n) => {
  state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
  return Number((state >> 33n) % BigInt(n));
};
const range = (lo, hi) => lo + random(hi - lo + 1);
const scalar = () => {
  let c;
  do c = range(0, 0x10ffff);
  while (c >= 0xd800 && c < 0xe000);
  return c;
};
const pick = (s) => s.charCodeAt(random(s.length));
const alphabets = [
  () => range(32, 126),
  () => pick(" \n\t\r'\".,!?-_/09aAzZ"),
  () => range(0x20, 0x24f),
  () => [range(0x300, 0x36f), range(97, 122), range(0xc0, 0x17f)][random(3)],
  () => [range(0x4e00, 0x9fff), range(0x3040, 0x30ff), range(0xac00, 0xd7a3), 0x20, 0x3002][random(5)],
  () => [range(0x1100, 0x11ff), range(0xac00, 0xac80)][random(2)],
  () => [range(0x900, 0xdff), range(0x600, 0x6ff), range(0xe00, 0xe5b), 0x20][random(4)],
  () => [range(0x1f300, 0x1faff), 0x200d, 0xfe0f, range(0x1f1e6, 0x1f1ff), range(0x1f3fb, 0x1f3ff)][random(5)],
  () => [range(0x2000, 0x206f), range(0x20a0, 0x2bff), 0x20, 97][random(4)],
  scalar,
  () => range(0, 0x2fff),
  () => pick(" aA1.\n'"),
];
for (let i = 0; i < 240; i++) {
  let s = "";
  const one = alphabets[i % alphabets.length];
  for (let n = range(1, 40); n > 0; n--) {
    let c = random(12) === 0 ? alphabets[random(alphabets.length)]() : one();
    if (c >= 0xd800 && c < 0xe000) c = 0x41;
    s += String.fromCodePoint(c);
  }
  add(s);
}
const out = process.argv[2];
writeFileSync(out, "[\n" + [...texts].map((s) => JSON.stringify(s)).join(",\n") + "\n]\n");
