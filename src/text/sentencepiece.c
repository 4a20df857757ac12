/* SentencePiece's tokenizer.model: a protobuf message with the pieces, their scores and kinds, the kind of
 * model and what is done to the text first. It is rewritten as the tokenizer.json that Hugging Face's
 * converters make of it, so that there is one way to load; a BPE model's merges are all ways to put a piece
 * together from two others, the best piece first. */
#include "text/sentencepiece.h"

#include "base/mem.h"
#include "text/tokenizer_parts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PIECE 1024
#define SPACE     "\xE2\x96\x81" /* stands for a space */

enum { NORMAL = 1, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE };
enum { UNIGRAM = 1, BPE };

/* --- protobuf --- */

/* Fields of a message, one after another. */
typedef struct message {
    const unsigned char *p, *end;
    bool broken;
} message;

typedef struct field {
    unsigned number;
    unsigned wire;    /* 0 varint, 1 and 5 fixed, 2 bytes */
    uint64_t value;   /* of 0, 1 and 5 */
    const char *text; /* of 2 */
    size_t n;
} field;

static uint64_t varint(message *m)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (m->p == m->end)
            break;
        unsigned char b = *m->p++;
        v |= (uint64_t)(b & 0x7F) << shift;
        if (b < 0x80)
            return v;
    }
    m->broken = true;
    return 0;
}

static uint64_t fixed(message *m, size_t size)
{
    uint64_t v = 0;
    if ((size_t)(m->end - m->p) < size) {
        m->broken = true;
        return 0;
    }
    for (size_t i = 0; i < size; i++)
        v |= (uint64_t)m->p[i] << (8 * i);
    m->p += size;
    return v;
}

/* The next field: false at the end, or when the message is broken. */
static bool next_field(message *m, field *f)
{
    if (m->broken || m->p == m->end)
        return false;
    uint64_t key = varint(m), n;
    *f = (field){.number = (unsigned)(key >> 3), .wire = key & 7};
    switch (f->wire) {
    case 0:
        f->value = varint(m);
        break;
    case 1:
    case 5:
        f->value = fixed(m, f->wire == 1 ? 8 : 4);
        break;
    case 2:
        n = varint(m);
        if (n > (uint64_t)(m->end - m->p)) {
            m->broken = true;
            break;
        }
        f->text = (const char *)m->p;
        f->n = (size_t)n;
        m->p += n;
        break;
    default:
        m->broken = true;
    }
    return !m->broken;
}

static message inside(const field *f)
{
    const unsigned char *p = (const unsigned char *)f->text;
    return f->wire == 2 ? (message){p, p + f->n, false} : (message){NULL, NULL, true};
}

/* --- the model --- */

typedef struct sp_piece {
    const char *text;
    size_t n;
    float score;
    int kind, id;
} sp_piece;

typedef struct model {
    const char *name;
    sp_piece *pieces;
    size_t n, cap;
    uint64_t kind;
    bool byte_fallback, dummy_prefix, trim;
    int64_t unk, bos, eos;
    const char *charsmap;
    size_t charsmap_n;
} model;

static int read_piece(model *m, const field *f)
{
    message in = inside(f);
    field x;
    sp_piece *list = mem_grow(m->pieces, &m->cap, m->n + 1, sizeof *list);
    if (!list)
        return -1;
    m->pieces = list;
    sp_piece *p = &list[m->n];
    *p = (sp_piece){.text = "", .kind = NORMAL, .id = (int)m->n};
    while (next_field(&in, &x)) {
        uint32_t bits = (uint32_t)x.value;
        if (x.number == 1 && x.wire == 2) {
            p->text = x.text;
            p->n = x.n;
        } else if (x.number == 2 && x.wire == 5) {
            memcpy(&p->score, &bits, sizeof bits);
        } else if (x.number == 3 && x.wire == 0) {
            p->kind = x.value <= BYTE ? (int)x.value : 0;
        }
    }
    if (in.broken)
        return error_set("%s: piece %zu is broken", m->name, m->n);
    if (p->n == 0 || p->n > MAX_PIECE)
        return error_set("%s: piece %zu has %zu bytes, not 1 to %d", m->name, m->n, p->n, MAX_PIECE);
    if (!isfinite(p->score))
        return error_set("%s: the score of piece %zu is no finite number", m->name, m->n);
    if (p->kind < NORMAL)
        return error_set("%s: piece %zu is of an unknown kind", m->name, m->n);
    m->n++;
    return 0;
}

static int read_trainer(model *m, const field *f)
{
    message in = inside(f);
    field x;
    while (next_field(&in, &x)) {
        if (x.wire != 0)
            continue;
        if (x.number == 3)
            m->kind = x.value;
        else if (x.number == 35)
            m->byte_fallback = x.value != 0;
        else if (x.number == 40)
            m->unk = (int32_t)x.value;
        else if (x.number == 41)
            m->bos = (int32_t)x.value;
        else if (x.number == 42)
            m->eos = (int32_t)x.value;
    }
    return in.broken ? error_set("%s: the trainer's settings are broken", m->name) : 0;
}

static int read_normalizer(model *m, const field *f)
{
    message in = inside(f);
    field x;
    while (next_field(&in, &x)) {
        if (x.number == 2 && x.wire == 2) {
            m->charsmap = x.text;
            m->charsmap_n = x.n;
        } else if (x.number == 3 && x.wire == 0) {
            m->dummy_prefix = x.value != 0;
        } else if (x.number == 4 && x.wire == 0) {
            m->trim = x.value != 0;
        } else if (x.number == 5 && x.wire == 0 && !x.value) {
            return error_set("%s: a model that does not escape spaces is not supported", m->name);
        }
    }
    return in.broken ? error_set("%s: the normalizer's settings are broken", m->name) : 0;
}

static int read_model(model *m, const char *data, size_t n)
{
    const unsigned char *p = (const unsigned char *)data;
    message in = {p, p + n, false};
    field f;
    int status = 0;
    while (!status && next_field(&in, &f)) {
        if (f.number == 1)
            status = read_piece(m, &f);
        else if (f.number == 2)
            status = read_trainer(m, &f);
        else if (f.number == 3)
            status = read_normalizer(m, &f);
    }
    if (status)
        return -1;
    if (in.broken || m->n == 0)
        return error_set("%s: not a SentencePiece model: it breaks off at byte %zu, after %zu pieces",
                         m->name, (size_t)((const char *)in.p - data), m->n);
    if (m->kind != UNIGRAM && m->kind != BPE)
        return error_set(
            "%s: a SentencePiece model of kind %llu is not supported, only unigram (1) and bpe (2)", m->name,
            (unsigned long long)m->kind);
    return 0;
}

/* --- the JSON --- */

static void put_string(strbuf *out, const char *p, size_t n)
{
    strbuf_addc(out, '"');
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)p[i];
        if (c == '"' || c == '\\' || c < 0x20)
            strbuf_addf(out, "\\u%04X", c);
        else
            strbuf_addc(out, p[i]);
    }
    strbuf_addc(out, '"');
}

/* The shortest digits that give this double back. */
static void put_score(strbuf *out, double x)
{
    char text[40];
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        if (strtod(text, NULL) == x)
            break;
    }
    strbuf_adds(out, text);
}

static void put_base64(strbuf *out, const char *p, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = 0;
        for (size_t k = 0; k < 3; k++)
            v = v << 8 | (i + k < n ? (unsigned char)p[i + k] : 0);
        for (size_t k = 0; k < 4; k++)
            strbuf_addc(out, i + k <= n ? digits[v >> (18 - 6 * k) & 63] : '=');
    }
}

static void put_added(strbuf *out, const model *m)
{
    const char *comma = "";
    strbuf_adds(out, "\"added_tokens\":[");
    for (size_t i = 0; i < m->n; i++) {
        const sp_piece *p = &m->pieces[i];
        if (p->kind != UNKNOWN && p->kind != CONTROL && p->kind != USER_DEFINED)
            continue;
        bool own =
            p->kind == USER_DEFINED; /* found in normalized text, unless a prefix would get in between */
        strbuf_addf(out, "%s{\"id\":%zu,\"normalized\":%s,\"special\":%s,\"content\":", comma, i,
                    own && !m->dummy_prefix ? "true" : "false", own ? "false" : "true");
        put_string(out, p->text, p->n);
        strbuf_addc(out, '}');
        comma = ",";
    }
    strbuf_addc(out, ']');
}

static void put_normalizer(strbuf *out, const model *m)
{
    strbuf_adds(out, ",\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[");
    if (m->charsmap_n) {
        strbuf_adds(out, "{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"");
        put_base64(out, m->charsmap, m->charsmap_n);
        strbuf_adds(out, "\"},");
    }
    if (m->trim) /* spaces alone, unlike the Strip normalizer */
        strbuf_adds(
            out, "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"(?<![\\\\s\\\\S]) +| +(?![\\\\s\\\\S])\"},"
                 "\"content\":\"\"},{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" {2,}\"},"
                 "\"content\":\" \"},");
    if (m->dummy_prefix)
        strbuf_adds(out, "{\"type\":\"Prepend\",\"prepend\":\"" SPACE "\"},");
    strbuf_adds(out, "{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"" SPACE "\"}]}");
}

static void put_decoder(strbuf *out, const model *m)
{
    strbuf_adds(
        out,
        ",\"decoder\":{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Replace\",\"pattern\":{\"String\":"
        "\"" SPACE "\"},\"content\":\" \"},{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"}");
    if (m->dummy_prefix)
        strbuf_adds(out, ",{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}");
    strbuf_adds(out, "]}");
}

/* Llama's begin of text, or T5's end. */
static void put_post(strbuf *out, const model *m)
{
    int64_t id = m->kind == BPE ? m->bos : m->eos;
    if (id < 0 || (uint64_t)id >= m->n || m->pieces[id].kind != CONTROL)
        return;
    const char *special = "{\"SpecialToken\":{\"id\":\"x\"}}", *text = "{\"Sequence\":{\"id\":\"A\"}}";
    strbuf_addf(
        out,
        ",\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[%s,%s],\"special_tokens\":{\"x\":"
        "{\"ids\":[%lld]}}}",
        m->kind == BPE ? special : text, m->kind == BPE ? text : special, (long long)id);
}

static int best_first(const void *left, const void *right)
{
    const sp_piece *a = left, *b = right;
    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    return (a->id > b->id) - (a->id < b->id);
}

/* All ways to make a piece of two. */
static void put_merges(strbuf *out, const vocab *v, const sp_piece *p, bool *any)
{
    for (size_t k = p->n - 1; k > 0; k--) {
        if (((unsigned char)p->text[k] & 0xC0) == 0x80 || vocab_find(v, p->text, k) < 0 ||
            vocab_find(v, p->text + k, p->n - k) < 0)
            continue;
        strbuf_adds(out, *any ? ",[" : "[");
        put_string(out, p->text, k);
        strbuf_addc(out, ',');
        put_string(out, p->text + k, p->n - k);
        strbuf_addc(out, ']');
        *any = true;
    }
}

/* Vocabulary and merges; moves the pieces. */
static int put_bpe(strbuf *out, model *m)
{
    vocab v = {0};
    bool any = false;
    int status = vocab_reserve(&v, m->n);
    strbuf_addf(out, "\"type\":\"BPE\",\"fuse_unk\":true,\"byte_fallback\":%s,\"vocab\":{",
                m->byte_fallback ? "true" : "false");
    for (size_t i = 0; i < m->n && !status; i++) {
        status = vocab_append(&v, m->pieces[i].text, m->pieces[i].n, (int)i);
        strbuf_adds(out, i ? "," : "");
        put_string(out, m->pieces[i].text, m->pieces[i].n);
        strbuf_addf(out, ":%zu", i);
    }
    if (!status)
        status = vocab_index(&v, m->n);
    strbuf_adds(out, "},\"merges\":[");
    qsort(m->pieces, m->n, sizeof *m->pieces, best_first);
    for (size_t i = 0; i < m->n && !status && !out->failed; i++)
        if (m->pieces[i].kind == NORMAL || m->pieces[i].kind == USER_DEFINED)
            put_merges(out, &v, &m->pieces[i], &any);
    strbuf_addc(out, ']');
    vocab_free(&v);
    return status;
}

static void put_unigram(strbuf *out, const model *m)
{
    strbuf_addf(out, "\"type\":\"Unigram\",\"byte_fallback\":%s,\"unk_id\":%lld,\"vocab\":[",
                m->byte_fallback ? "true" : "false", (long long)m->unk);
    for (size_t i = 0; i < m->n; i++) {
        strbuf_adds(out, i ? ",[" : "[");
        put_string(out, m->pieces[i].text, m->pieces[i].n);
        strbuf_addc(out, ',');
        put_score(out, (double)m->pieces[i].score);
        strbuf_addc(out, ']');
    }
    strbuf_addc(out, ']');
}

static int put_model(strbuf *out, model *m)
{
    int status = 0;
    if (m->unk < 0 || (uint64_t)m->unk >= m->n)
        return error_set("%s: the model has no piece for unknown text", m->name);
    strbuf_adds(out, ",\"model\":{\"unk_token\":");
    put_string(out, m->pieces[m->unk].text, m->pieces[m->unk].n);
    strbuf_addc(out, ',');
    if (m->kind == BPE)
        status = put_bpe(out, m);
    else
        put_unigram(out, m);
    strbuf_addc(out, '}');
    return status;
}

int sentencepiece_json(const char *name, const char *data, size_t n, strbuf *out)
{
    model m = {.name = name, .kind = UNIGRAM, .dummy_prefix = true, .trim = true, .bos = 1, .eos = 2};
    int status = read_model(&m, data, n);
    if (!status) {
        strbuf_addc(out, '{');
        put_added(out, &m);
        put_normalizer(out, &m);
        put_decoder(out, &m);
        put_post(out, &m);
        status = put_model(out, &m);
        strbuf_addc(out, '}');
    }
    mem_free(m.pieces);
    return status || out->failed ? -1 : 0;
}
