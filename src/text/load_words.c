/* Reads what turns a text into words: the normalizer and the pre-tokenizer of tokenizer.json. */
#include "text/load_steps.h"

#include "base/mem.h"

#include <string.h>

/* ByteLevel's own pattern, from GPT-2. */
#define GPT2 "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"

/* --- normalizers --- */

static norm_step *new_norm(tokenizer *t, jr *r, norm_kind kind)
{
    if (t->n_norm == MAX_STEPS) {
        jr_error(r, "more than %d normalizers", MAX_STEPS);
        return NULL;
    }
    norm_step *s = &t->norm[t->n_norm++];
    s->kind = kind;
    return s;
}

static int norm_plain(tokenizer *t, jr *r, int kind) { return new_norm(t, r, (norm_kind)kind) ? 0 : -1; }

static int norm_prepend(tokenizer *t, jr *r, int kind)
{
    norm_step *s = new_norm(t, r, (norm_kind)kind);
    return s && (s->with = load_string(r, "prepend", &s->with_len)) ? 0 : -1;
}

static int norm_strip(tokenizer *t, jr *r, int kind)
{
    norm_step *s = new_norm(t, r, (norm_kind)kind);
    return !s || load_bool(r, "strip_left", true, &s->left) || load_bool(r, "strip_right", true, &s->right)
               ? -1
               : 0;
}

static int norm_replace(tokenizer *t, jr *r, int kind)
{
    norm_step *s = new_norm(t, r, (norm_kind)kind);
    if (!s || load_pattern(r, &s->text, &s->text_len, &s->pattern))
        return -1;
    return (s->with = load_string(r, "content", &s->with_len)) ? 0 : -1;
}

/* BertNormalizer: up to five steps. */
static int norm_bert(tokenizer *t, jr *r, int option)
{
    bool clean, chinese, lower, accents;
    (void)option;
    if (load_bool(r, "clean_text", true, &clean) || load_bool(r, "handle_chinese_chars", true, &chinese) ||
        load_bool(r, "lowercase", true, &lower) || load_bool(r, "strip_accents", lower, &accents))
        return -1;
    const struct {
        bool on;
        norm_kind kind;
    } steps[] = {{clean, NORM_CLEAN},
                 {chinese, NORM_CHINESE},
                 {accents, NORM_NFD},
                 {accents, NORM_NONSPACING},
                 {lower, NORM_LOWER}};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (steps[i].on && !new_norm(t, r, steps[i].kind))
            return -1;
    return 0;
}

static int norm_charsmap(tokenizer *t, jr *r, int kind)
{
    jr f;
    jr_text base64;
    strbuf map = {0};
    if (!jr_find(r, "precompiled_charsmap", &f))
        return jr_error(r, "\"precompiled_charsmap\" is missing");
    if (jr_null(&f))
        return 0;
    int status = jr_string(&f, &base64);
    if (!status && base64.n) {
        norm_step *s = new_norm(t, r, (norm_kind)kind);
        status = s ? 0 : -1;
        if (s && (!charsmap_base64(base64.p, base64.n, &map) || !charsmap_check(map.data, map.len))) {
            status = map.failed ? -1 : jr_error(&f, "\"precompiled_charsmap\" is broken");
        } else if (s) {
            s->text_len = map.len;
            status = (s->text = strbuf_take(&map)) ? 0 : -1;
        }
    }
    strbuf_free(&map);
    jr_close(&f);
    return status;
}

int load_normalizer(tokenizer *t, jr *r)
{
    static const step_type types[] = {{"NFC", norm_plain, NORM_NFC},
                                      {"NFD", norm_plain, NORM_NFD},
                                      {"NFKC", norm_plain, NORM_NFKC},
                                      {"NFKD", norm_plain, NORM_NFKD},
                                      {"ByteLevel", norm_plain, NORM_BYTES},
                                      {"Prepend", norm_prepend, NORM_PREPEND},
                                      {"Replace", norm_replace, NORM_REPLACE},
                                      {"Strip", norm_strip, NORM_STRIP},
                                      {"Lowercase", norm_plain, NORM_LOWER},
                                      {"StripAccents", norm_plain, NORM_ACCENTS},
                                      {"Nmt", norm_plain, NORM_NMT},
                                      {"BertNormalizer", norm_bert, 0},
                                      {"Precompiled", norm_charsmap, NORM_CHARSMAP},
                                      {NULL, NULL, 0}};
    static const part_type part = {"normalizer", "normalizers", types};
    return jr_null(r) ? 0 : load_part(t, r, &part);
}

/* --- pre-tokenizers --- */

static split_step *new_split(tokenizer *t, jr *r, int kind)
{
    if (t->n_split == MAX_STEPS) {
        jr_error(r, "more than %d pre-tokenizers", MAX_STEPS);
        return NULL;
    }
    split_step *s = &t->split[t->n_split++];
    s->kind = (split_kind)kind;
    s->behavior = ISOLATED;
    return s;
}

static int read_behavior(jr *r, bool required, split_behavior *out)
{
    static const char *const names[] = {[REMOVED] = "Removed",
                                        [ISOLATED] = "Isolated",
                                        [MERGED_WITH_PREVIOUS] = "MergedWithPrevious",
                                        [MERGED_WITH_NEXT] = "MergedWithNext",
                                        [CONTIGUOUS] = "Contiguous"};
    jr f;
    jr_text s;
    if (!jr_find(r, "behavior", &f))
        return required ? jr_error(r, "\"behavior\" is missing") : 0;
    int status = jr_string(&f, &s), found = -1;
    for (int i = 0; !status && i <= CONTIGUOUS; i++)
        if (jr_is(s, names[i]))
            found = i;
    if (!status && found < 0)
        status = jr_error(&f, "an unknown behavior");
    if (!status)
        *out = (split_behavior)found;
    jr_close(&f);
    return status;
}

static int split_pattern(tokenizer *t, jr *r, int kind)
{
    split_step *s = new_split(t, r, kind);
    if (!s || load_pattern(r, &s->text, &s->len, &s->pattern) || read_behavior(r, true, &s->behavior))
        return -1;
    s->kind = s->text ? SPLIT_STRING : SPLIT_REGEX;
    return load_bool(r, "invert", false, &s->invert);
}

static int split_bytes(tokenizer *t, jr *r, int kind)
{
    split_step *s = new_split(t, r, kind);
    if (!s || load_bool(r, "add_prefix_space", true, &s->prefix_space) ||
        load_bool(r, "use_regex", true, &s->use_pattern))
        return -1;
    return s->use_pattern ? pattern_compile(&s->pattern, r->name, GPT2, sizeof GPT2 - 1) : 0;
}

static int split_digits(tokenizer *t, jr *r, int kind)
{
    bool individual;
    split_step *s = new_split(t, r, kind);
    if (!s || load_bool(r, "individual_digits", false, &individual))
        return -1;
    s->behavior = individual ? ISOLATED : CONTIGUOUS;
    return 0;
}

static int split_punctuation(tokenizer *t, jr *r, int kind)
{
    split_step *s = new_split(t, r, kind);
    return s ? read_behavior(r, false, &s->behavior) : -1;
}

static int split_spaces(tokenizer *t, jr *r, int kind)
{
    split_step *s = new_split(t, r, kind);
    if (s)
        s->behavior = REMOVED;
    return s ? 0 : -1;
}

static int split_delimiter(tokenizer *t, jr *r, int kind)
{
    uint32_t c;
    split_step *s = new_split(t, r, kind);
    if (!s || !(s->text = load_char(r, "delimiter", &s->len, &c)))
        return -1;
    s->behavior = REMOVED;
    return 0;
}

/* BertPreTokenizer: spaces go away, then punctuation stands alone. */
static int split_bert(tokenizer *t, jr *r, int option)
{
    (void)option;
    return split_spaces(t, r, SPLIT_SPACES) || !new_split(t, r, SPLIT_PUNCTUATION) ? -1 : 0;
}

static int split_metaspace(tokenizer *t, jr *r, int kind)
{
    uint32_t c;
    split_step *s = new_split(t, r, kind);
    if (!s || !(s->text = load_char(r, "replacement", &s->len, &c)) || load_bool(r, "split", true, &s->split))
        return -1;
    s->behavior = MERGED_WITH_NEXT;
    return load_prepend(r, &s->prepend);
}

int load_pre_tokenizer(tokenizer *t, jr *r)
{
    static const step_type types[] = {{"Split", split_pattern, SPLIT_REGEX},
                                      {"ByteLevel", split_bytes, SPLIT_BYTES},
                                      {"Digits", split_digits, SPLIT_DIGITS},
                                      {"Punctuation", split_punctuation, SPLIT_PUNCTUATION},
                                      {"Whitespace", split_spaces, SPLIT_WORDS},
                                      {"WhitespaceSplit", split_spaces, SPLIT_SPACES},
                                      {"CharDelimiterSplit", split_delimiter, SPLIT_STRING},
                                      {"BertPreTokenizer", split_bert, 0},
                                      {"Metaspace", split_metaspace, SPLIT_METASPACE},
                                      {NULL, NULL, 0}};
    static const part_type part = {"pre-tokenizer", "pretokenizers", types};
    if (jr_null(r))
        return 0;
    if (load_part(t, r, &part))
        return -1;
    split_step *last = t->n_split ? &t->split[t->n_split - 1] : NULL;
    t->byte_words = last && last->kind == SPLIT_BYTES;
    if (t->byte_words)
        last->last = true;
    return 0;
}
