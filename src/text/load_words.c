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
