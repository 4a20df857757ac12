/* Reads the small parts of tokenizer.json: normalizer, pre-tokenizer, post-processor, decoder. Each is an
 * object with a "type", or a Sequence of such; a table names the types that are supported, and any other is
 * an error that says its name. */
#include "text/tokenizer_parts.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <limits.h>
#include <string.h>

#define MAX_NESTING 4 /* Sequences in Sequences */
#define GPT2        "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"

/* --- fields of one object --- */

/* A copy of a string field; NULL with an error when it is absent or no string. */
static char *string_field(jr *r, const char *key, size_t *n)
{
    jr f;
    jr_text s;
    char *copy = NULL;
    if (!jr_find(r, key, &f)) {
        jr_error(r, "\"%s\" is missing", key);
        return NULL;
    }
    if (jr_string(&f, &s) == 0)
        copy = mem_strndup(s.p, s.n);
    if (copy && n)
        *n = s.n;
    jr_close(&f);
    return copy;
}

/* A boolean field, or `otherwise` when it is absent or null. -1 with an error for anything else. */
static int bool_field(jr *r, const char *key, bool otherwise, bool *out)
{
    jr f;
    int status = 0;
    *out = otherwise;
    if (jr_find(r, key, &f) && !jr_null(&f))
        status = jr_bool(&f, out);
    return status;
}

static int int_field(jr *r, const char *key, int64_t most, int64_t *out)
{
    jr f;
    if (!jr_find(r, key, &f))
        return jr_error(r, "\"%s\" is missing", key);
    return jr_int(&f, 0, most, out);
}

/* --- types and sequences --- */

typedef int read_step(tokenizer *t, jr *r, int option);

/* One supported type: how to read it. */
typedef struct step_type {
    const char *name;
    read_step *read;
    int option;
} step_type;

/* A part of the file: its types, and what its Sequence calls its members. */
typedef struct part_type {
    const char *name, *members;
    const step_type *types;
} part_type;

static int read_part(tokenizer *t, jr *r, const part_type *part, int depth);

static int read_members(tokenizer *t, jr *r, const part_type *part, int depth)
{
    jr list;
    if (!jr_find(r, part->members, &list))
        return jr_error(r, "\"%s\" is missing", part->members);
    if (depth == MAX_NESTING)
        return jr_error(r, "a %s nested deeper than %d levels", part->name, MAX_NESTING);
    int status = jr_array(&list);
    while (!status && jr_item(&list))
        status = read_part(t, &list, part, depth + 1);
    if (list.failed)
        status = -1;
    jr_close(&list);
    return status;
}

/* Reads the object at r, which moves behind it. */
static int read_part(tokenizer *t, jr *r, const part_type *part, int depth)
{
    jr object;
    if (jr_span(r, &object))
        return -1;
    char *type = string_field(&object, "type", NULL);
    int status = -1;
    if (type && strcmp(type, "Sequence") == 0) {
        status = read_members(t, &object, part, depth);
    } else if (type) {
        const step_type *known = part->types;
        while (known->name && strcmp(known->name, type) != 0)
            known++;
        status = known->name ? known->read(t, &object, known->option)
                             : jr_error(&object, "the %s \"%s\" is not supported", part->name, type);
    }
    mem_free(type);
    jr_close(&object);
    return status;
}

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
    return s && (s->with = string_field(r, "prepend", &s->with_len)) ? 0 : -1;
}

static int norm_strip(tokenizer *t, jr *r, int kind)
{
    norm_step *s = new_norm(t, r, (norm_kind)kind);
    return !s || bool_field(r, "strip_left", true, &s->left) || bool_field(r, "strip_right", true, &s->right)
               ? -1
               : 0;
}

/* {"String": s} or {"Regex": s}, into *text or *compiled. */
static int read_pattern(jr *r, char **text, size_t *n, pattern *compiled)
{
    jr f, value;
    jr_text s;
    int status = -1;
    if (!jr_find(r, "pattern", &f))
        return jr_error(r, "\"pattern\" is missing");
    if (jr_find(&f, "String", &value)) {
        status = jr_string(&value, &s);
        if (!status && s.n == 0)
            status = jr_error(&value, "an empty pattern");
        *text = status ? NULL : mem_strndup(s.p, s.n);
        *n = status ? 0 : s.n;
        status = *text ? 0 : -1;
        jr_close(&value);
    } else if (jr_find(&f, "Regex", &value)) {
        status = jr_string(&value, &s);
        if (!status)
            status = pattern_compile(compiled, r->name, s.p, s.n);
        jr_close(&value);
    } else {
        jr_error(&f, "a pattern must be a \"String\" or a \"Regex\"");
    }
    jr_close(&f);
    return status;
}

static int norm_replace(tokenizer *t, jr *r, int kind)
{
    norm_step *s = new_norm(t, r, (norm_kind)kind);
    if (!s || read_pattern(r, &s->text, &s->text_len, &s->pattern))
        return -1;
    return (s->with = string_field(r, "content", &s->with_len)) ? 0 : -1;
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
    return jr_null(r) ? 0 : read_part(t, r, &part, 0);
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
    if (!s || read_pattern(r, &s->text, &s->len, &s->pattern) || read_behavior(r, true, &s->behavior))
        return -1;
    s->kind = s->text ? SPLIT_STRING : SPLIT_REGEX;
    return bool_field(r, "invert", false, &s->invert);
}

static int split_bytes(tokenizer *t, jr *r, int kind)
{
    split_step *s = new_split(t, r, kind);
    if (!s || bool_field(r, "add_prefix_space", true, &s->prefix_space) ||
        bool_field(r, "use_regex", true, &s->use_pattern))
        return -1;
    return s->use_pattern ? pattern_compile(&s->pattern, r->name, GPT2, sizeof GPT2 - 1) : 0;
}

static int split_digits(tokenizer *t, jr *r, int kind)
{
    bool individual;
    split_step *s = new_split(t, r, kind);
    if (!s || bool_field(r, "individual_digits", false, &individual))
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

/* "always", "first", "never", or by the older add_prefix_space. */
static int read_prepend(jr *r, prepend_scheme *out)
{
    bool prefix;
    if (bool_field(r, "add_prefix_space", true, &prefix))
        return -1;
    *out = prefix ? PREPEND_ALWAYS : PREPEND_NEVER;
    jr f;
    jr_text s;
    if (!jr_find(r, "prepend_scheme", &f))
        return 0;
    int status = jr_string(&f, &s);
    if (!status && !jr_is(s, "always") && !jr_is(s, "first") && !jr_is(s, "never"))
        status = jr_error(&f, "an unknown prepend_scheme");
    if (!status && !prefix && !jr_is(s, "never"))
        status = jr_error(&f, "add_prefix_space and prepend_scheme contradict each other");
    if (!status)
        *out = s.p[0] == 'a' ? PREPEND_ALWAYS : s.p[0] == 'f' ? PREPEND_FIRST : PREPEND_NEVER;
    jr_close(&f);
    return status;
}

/* A field that holds one character. */
static char *char_field(jr *r, const char *key, size_t *n, uint32_t *c)
{
    char *s = string_field(r, key, n);
    if (s && (*n == 0 || (size_t)utf8_decode(s, *n, c) != *n)) {
        jr_error(r, "\"%s\" must be one character", key);
        mem_free(s);
        s = NULL;
    }
    return s;
}

static int split_metaspace(tokenizer *t, jr *r, int kind)
{
    uint32_t c;
    split_step *s = new_split(t, r, kind);
    if (!s || !(s->text = char_field(r, "replacement", &s->len, &c)) ||
        bool_field(r, "split", true, &s->split))
        return -1;
    s->behavior = MERGED_WITH_NEXT;
    return read_prepend(r, &s->prepend);
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
    if (read_part(t, r, &part, 0))
        return -1;
    split_step *last = t->n_split ? &t->split[t->n_split - 1] : NULL;
    t->byte_words = last && last->kind == SPLIT_BYTES;
    if (t->byte_words)
        last->last = true;
    return 0;
}

/* --- post-processors --- */

/* The template of the one post-processor that may add tokens: what two of them would do to each other's
 * output is not defined for one text. */
static post_template *new_post(tokenizer *t, jr *r)
{
    if (t->has_post) {
        jr_error(r, "two post-processors that add tokens are not supported");
        return NULL;
    }
    t->has_post = true;
    return &t->post;
}

static int post_add(post_template *p, bool sequence, int id)
{
    post_item *items = mem_grow(p->items, &p->cap, p->n + 1, sizeof *items);
    if (!items)
        return -1;
    p->items = items;
    items[p->n++] = (post_item){sequence, id};
    return 0;
}

/* An id that must name a token. */
static int known_id(const tokenizer *t, jr *r, int *id)
{
    int64_t v;
    if (jr_int(r, 0, INT_MAX, &v))
        return -1;
    if ((size_t)v >= t->vocab.ids || t->vocab.text[v].len == TOKEN_NONE)
        return jr_error(r, "the post-processor adds the id %lld, which is no token", (long long)v);
    *id = (int)v;
    return 0;
}

/* Adds the ids of one special token of a template. */
static int post_special(tokenizer *t, jr *r, jr *item, post_template *p)
{
    jr tokens, token, ids;
    char *name = string_field(item, "id", NULL);
    int status = -1, id;
    if (name && jr_find(r, "special_tokens", &tokens)) {
        if (jr_find(&tokens, name, &token) && jr_find(&token, "ids", &ids)) {
            status = jr_array(&ids);
            while (!status && jr_item(&ids))
                status = known_id(t, &ids, &id) || post_add(p, false, id) ? -1 : 0;
            status = ids.failed ? -1 : status;
        }
    }
    if (status)
        jr_error(item, "the template names a token without \"ids\" in special_tokens");
    mem_free(name);
    return status;
}

/* One element of "single". */
static int post_piece(tokenizer *t, jr *r, jr *list, post_template *p)
{
    jr item, inner;
    int status = -1;
    if (jr_span(list, &item))
        return -1;
    if (jr_find(&item, "SpecialToken", &inner)) {
        status = post_special(t, r, &inner, p);
    } else if (jr_find(&item, "Sequence", &inner)) {
        char *which = string_field(&inner, "id", NULL);
        if (which)
            status = strcmp(which, "A") == 0
                         ? post_add(p, true, 0)
                         : jr_error(&inner, "the template for one text uses a second one");
        mem_free(which);
    } else {
        jr_error(&item, "a template element must be a \"SpecialToken\" or a \"Sequence\"");
    }
    return status;
}

static int post_process_template(tokenizer *t, jr *r, int option)
{
    (void)option;
    jr list;
    post_template *p = new_post(t, r);
    if (!p)
        return -1;
    if (!jr_find(r, "single", &list))
        return jr_error(r, "\"single\" is missing");
    int status = jr_array(&list);
    while (!status && jr_item(&list))
        status = post_piece(t, r, &list, p);
    status = list.failed ? -1 : status;
    jr_close(&list);
    return status;
}

/* ["text", id] of a Bert or Roberta post-processor. */
static int post_pair(tokenizer *t, jr *r, const char *key, post_template *p)
{
    jr f;
    int id;
    if (!jr_find(r, key, &f))
        return jr_error(r, "\"%s\" is missing", key);
    int status = jr_array(&f) || !jr_item(&f) || jr_skip(&f) || !jr_item(&f) || known_id(t, &f, &id) ? -1 : 0;
    if (status)
        jr_error(&f, "\"%s\" must be a token and its id", key);
    jr_close(&f);
    return status ? -1 : post_add(p, false, id);
}

static int post_around(tokenizer *t, jr *r, int option)
{
    (void)option;
    post_template *p = new_post(t, r);
    return !p || post_pair(t, r, "cls", p) || post_add(p, true, 0) || post_pair(t, r, "sep", p) ? -1 : 0;
}

/* ByteLevel only trims offsets. */
static int post_nothing(tokenizer *t, jr *r, int option)
{
    (void)t, (void)r, (void)option;
    return 0;
}

int load_post_processor(tokenizer *t, jr *r)
{
    static const step_type types[] = {{"ByteLevel", post_nothing, 0},
                                      {"TemplateProcessing", post_process_template, 0},
                                      {"RobertaProcessing", post_around, 0},
                                      {"BertProcessing", post_around, 0},
                                      {NULL, NULL, 0}};
    static const part_type part = {"post-processor", "processors", types};
    return jr_null(r) ? 0 : read_part(t, r, &part, 0);
}

/* --- decoders --- */

/* The order in which the steps of a chain may come. */
enum { AT_START, AT_REPLACE, AT_BYTES, AT_FUSE, AT_STRIP, AT_WHOLE };

/* Takes the step `now` of a chain: steps come in the order above, each at most once. */
static int chain_step(tokenizer *t, jr *r, int now)
{
    decoder *d = &t->decoder;
    if (d->stage >= now)
        return jr_error(r, "decoders in this order are not supported");
    d->stage = now;
    d->kind = DECODE_CHAIN;
    return 0;
}

static int decode_bytes(tokenizer *t, jr *r, int option)
{
    (void)option;
    if (t->decoder.stage != AT_START)
        return jr_error(r, "a ByteLevel decoder behind others is not supported");
    t->decoder.stage = AT_WHOLE;
    t->decoder.kind = DECODE_BYTES;
    return 0;
}

static int decode_replace(tokenizer *t, jr *r, int now)
{
    decoder *d = &t->decoder;
    pattern compiled = {0};
    if (chain_step(t, r, now) || read_pattern(r, &d->from, &d->from_len, &compiled))
        return -1;
    pattern_free(&compiled);
    if (!d->from)
        return jr_error(r, "a Replace decoder with a Regex is not supported");
    return (d->to = string_field(r, "content", &d->to_len)) ? 0 : -1;
}

static int decode_fallback(tokenizer *t, jr *r, int now)
{
    t->decoder.byte_fallback = true;
    return chain_step(t, r, now);
}

static int decode_fuse(tokenizer *t, jr *r, int now)
{
    t->decoder.fused = true;
    return chain_step(t, r, now);
}

static int decode_strip(tokenizer *t, jr *r, int now)
{
    decoder *d = &t->decoder;
    size_t n;
    int64_t start, stop;
    if (chain_step(t, r, now) || int_field(r, "start", 1000, &start) || int_field(r, "stop", 1000, &stop))
        return -1;
    char *c = char_field(r, "content", &n, &d->strip);
    if (!c)
        return -1;
    mem_free(c);
    d->strip_start = (size_t)start;
    d->strip_stop = (size_t)stop;
    if (!d->fused)
        return jr_error(r, "a Strip decoder without a Fuse before it is not supported");
    return 0;
}

static int decode_metaspace(tokenizer *t, jr *r, int now)
{
    decoder *d = &t->decoder;
    uint32_t c;
    prepend_scheme prepend;
    if (chain_step(t, r, now) || read_prepend(r, &prepend))
        return -1;
    if (!(d->from = char_field(r, "replacement", &d->from_len, &c)) || !(d->to = mem_strdup(" ")))
        return -1;
    d->to_len = 1;
    d->drop_first = prepend != PREPEND_NEVER;
    return 0;
}

int load_decoder(tokenizer *t, jr *r)
{
    static const step_type types[] = {{"ByteLevel", decode_bytes, 0},
                                      {"Replace", decode_replace, AT_REPLACE},
                                      {"Metaspace", decode_metaspace, AT_REPLACE},
                                      {"ByteFallback", decode_fallback, AT_BYTES},
                                      {"Fuse", decode_fuse, AT_FUSE},
                                      {"Strip", decode_strip, AT_STRIP},
                                      {NULL, NULL, 0}};
    static const part_type part = {"decoder", "decoders", types};
    if (jr_null(r))
        return 0;
    t->decoder.kind = DECODE_CHAIN; /* also for an empty Sequence: tokens as they are */
    return read_part(t, r, &part, 0);
}
