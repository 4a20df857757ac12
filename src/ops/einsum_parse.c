/* Subscripts of mx_einsum: each operand's letters become numbers, in the order in which they are met; the
 * axes that an ellipsis stands for get numbers by their distance from the ellipsis' end, so that those of
 * several operands broadcast to each other. */
#include "ops/einsum.h"

#include "base/mem.h"

#include <ctype.h>
#include <string.h>

enum { NO_LABEL = 255 };

typedef struct reader {
    einsum *e;
    int labels;                /* numbers that are given away */
    uint8_t letter[128];       /* a letter's number */
    uint8_t dots[MX_MAX_DIMS]; /* that of the k-th axis from the end of an ellipsis */
    int count[128];            /* how often a letter occurs in the operands */
    int longest;               /* most axes that an ellipsis stands for */
} reader;

static int append(einsum_term *t, uint8_t label)
{
    if (t->n == MX_MAX_DIMS)
        return error_set("[einsum] a subscript names more than %d axes", MX_MAX_DIMS);
    t->labels[t->n++] = label;
    t->set |= (uint64_t)1 << label;
    return 0;
}

/* Appends the number of *which, giving it one if it has none. */
static int append_label(reader *r, einsum_term *t, uint8_t *which)
{
    if (*which == NO_LABEL) {
        if (r->labels == EINSUM_LABELS)
            return error_set("[einsum] more than %d different axes", EINSUM_LABELS);
        r->e->size[r->labels] = 1;
        *which = (uint8_t)r->labels++;
    }
    return append(t, *which);
}

static int append_ellipsis(reader *r, einsum_term *t, int length)
{
    for (int k = length - 1; k >= 0; k--)
        if (append_label(r, t, &r->dots[k]))
            return -1;
    return 0;
}

/* Letters and ellipses of a subscript; -1 with an error if it holds anything else. */
static int survey(const char *p, const char *end, int *letters, int *ellipses)
{
    *letters = *ellipses = 0;
    for (; p < end; p++) {
        if (isalpha((unsigned char)*p))
            ++*letters;
        else if (end - p >= 3 && strncmp(p, "...", 3) == 0) {
            ++*ellipses;
            p += 2;
        } else
            return error_set("[einsum] subscripts must be letters, not '%c'", *p);
    }
    return *ellipses > 1
               ? error_set("[einsum] a subscript has %d ellipses, but one at most is allowed", *ellipses)
               : 0;
}

/* Reads a subscript whose ellipsis stands for `length` axes. */
static int read_term(reader *r, einsum_term *t, const char *p, const char *end, int length)
{
    t->n = 0;
    t->set = 0;
    for (; p < end; p++) {
        if (*p == '.') {
            if (append_ellipsis(r, t, length))
                return -1;
            p += 2;
        } else if (append_label(r, t, &r->letter[(unsigned char)*p]))
            return -1;
    }
    return 0;
}

/* The axes of operand i widen the sizes of its labels. */
static int note_sizes(einsum *e, const einsum_term *t, size_t i)
{
    const int *shape = mx_shape(t->x);
    for (int d = 0; d < t->n; d++) {
        int *size = &e->size[t->labels[d]];
        for (int k = 0; k < d; k++)
            if (t->labels[k] == t->labels[d] && shape[k] != shape[d])
                return error_set("[einsum] operand %zu has shape %s, but axes %d and %d have one subscript",
                                 i, op_shape(t->x), k, d);
        if (*size != 1 && shape[d] != 1 && *size != shape[d])
            return error_set("[einsum] axis %d of operand %zu with shape %s does not fit size %d of others",
                             d, i, op_shape(t->x), *size);
        if (*size == 1)
            *size = shape[d];
    }
    return 0;
}

static int read_operand(reader *r, size_t i, const char *p, const char *end)
{
    einsum_term *t = &r->e->terms[i];
    int letters, ellipses;
    if (survey(p, end, &letters, &ellipses))
        return -1;
    int length = mx_ndim(t->x) - letters;
    if (length < 0 || (ellipses == 0 && length > 0))
        return error_set("[einsum] subscript '%.*s' does not name the axes of operand %zu with shape %s",
                         (int)(end - p), p, i, op_shape(t->x));
    for (const char *q = p; q < end; q++)
        r->count[(unsigned char)*q]++;
    if (ellipses && length > r->longest)
        r->longest = length;
    return read_term(r, t, p, end, length) ? -1 : note_sizes(r->e, t, i);
}

static int read_output(reader *r, const char *p, const char *end)
{
    einsum_term *t = &r->e->out;
    int letters, ellipses;
    if (survey(p, end, &letters, &ellipses))
        return -1;
    for (const char *q = p; q < end; q++)
        if (*q != '.' && r->letter[(unsigned char)*q] == NO_LABEL)
            return error_set("[einsum] the output names '%c', which no operand has", *q);
    if (read_term(r, t, p, end, r->longest))
        return -1;
    if (__builtin_popcountll(t->set) != t->n)
        return error_set("[einsum] the output '%.*s' names an axis twice", (int)(end - p), p);
    return 0;
}

/* Without "->": the ellipsis, and letters that occur once, sorted. */
static int imply_output(reader *r)
{
    einsum_term *t = &r->e->out;
    if (append_ellipsis(r, t, r->longest))
        return -1;
    for (int c = 0; c < 128; c++)
        if (isalpha(c) && r->count[c] == 1 && append(t, r->letter[c]))
            return -1;
    return 0;
}

static int read_all(reader *r, const char *text, size_t n)
{
    const char *arrow = strstr(text, "->"), *end = arrow ? arrow : text + strlen(text);
    size_t commas = 0;
    for (const char *p = text; p < end; p++)
        commas += *p == ',';
    if (commas + 1 != n)
        return error_set("[einsum] %zu operands are given for %zu subscripts", n, commas + 1);
    for (size_t i = 0; i < n; i++) {
        const char *comma = memchr(text, ',', (size_t)(end - text)), *stop = comma ? comma : end;
        if (read_operand(r, i, text, stop))
            return -1;
        text = stop + 1;
    }
    return arrow ? read_output(r, arrow + 2, arrow + strlen(arrow)) : imply_output(r);
}

int einsum_parse(einsum *e, einsum_term *terms, const char *subscripts, const mlx_array *operands, size_t n)
{
    reader r = {.e = e};
    char *text = mem_alloc(strlen(subscripts) + 1, 1), *p = text;
    if (!text)
        return -1;
    for (const char *q = subscripts; *q; q++)
        if (*q != ' ')
            *p++ = *q;
    *p = 0;
    memset(r.letter, NO_LABEL, sizeof r.letter);
    memset(r.dots, NO_LABEL, sizeof r.dots);
    *e = (einsum){.terms = terms, .n = n};
    for (size_t i = 0; i < n; i++)
        terms[i].x = operands[i];
    int rc = read_all(&r, text, n);
    mem_free(text);
    return rc;
}
