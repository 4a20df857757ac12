/* Unigram: of all ways to cut a word into tokens, the one with the highest sum of scores. One pass from the
 * left keeps for every position the best way to get there; all tokens that begin at a position come from a
 * tree of the spellings. A character that is no token is unknown, at ten less than the lowest score;
 * neighbouring unknown characters become one token, or their bytes' tokens where the model has these. */
#include "text/tokenizer_parts.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

#define UNK_PENALTY 10.0

/* --- the tree --- */

/* A spelling to be sorted: its first bytes as a number, most of the comparing. */
typedef struct spelling {
    uint64_t head;
    const char *text;
    uint32_t len;
    int32_t id;
} spelling;

static int compare(const void *left, const void *right)
{
    const spelling *a = left, *b = right;
    if (a->head != b->head)
        return a->head < b->head ? -1 : 1;
    size_t n = a->len < b->len ? a->len : b->len;
    int order = memcmp(a->text, b->text, n);
    return order ? order : (a->len > b->len) - (a->len < b->len);
}

static spelling *sorted_spellings(const vocab *v, size_t *n)
{
    spelling *s = mem_alloc(v->ids + 1, sizeof *s);
    size_t count = 0;
    for (size_t id = 0; s && id < v->ids; id++) {
        token_text t = v->text[id];
        if (t.len == TOKEN_NONE || t.len == 0)
            continue;
        spelling *x = &s[count++];
        *x = (spelling){0, v->bytes.data + t.at, t.len, (int32_t)id};
        for (size_t i = 0; i < 8; i++)
            x->head = x->head << 8 | (i < t.len ? (unsigned char)x->text[i] : 0);
    }
    if (s)
        qsort(s, count, sizeof *s, compare);
    *n = count;
    return s;
}

/* Spellings [from, to) that agree in their first `depth` bytes: the node of these bytes. */
typedef struct span {
    uint32_t node;
    size_t from, to, depth;
} span;

/* Gives a node its children, a span each. 0 or -1. */
static int add_children(unigram *u, const spelling *s, span x, span **todo, size_t *n, size_t *cap)
{
    size_t i = x.from;
    if (i < x.to && s[i].len == x.depth)
        u->nodes[x.node].id = s[i++].id;
    u->nodes[x.node].first = (uint32_t)u->n_nodes;
    while (i < x.to) {
        size_t from = i;
        unsigned char byte = (unsigned char)s[i].text[x.depth];
        while (i < x.to && (unsigned char)s[i].text[x.depth] == byte)
            i++;
        prefix_node *nodes = mem_grow(u->nodes, &u->nodes_cap, u->n_nodes + 1, sizeof *nodes);
        u->nodes = nodes ? nodes : u->nodes;
        span *list = mem_grow(*todo, cap, *n + 1, sizeof *list);
        *todo = list ? list : *todo;
        if (!nodes || !list || u->n_nodes >= UINT32_MAX)
            return -1;
        list[(*n)++] = (span){(uint32_t)u->n_nodes, from, i, x.depth + 1};
        nodes[u->n_nodes++] = (prefix_node){.id = -1, .byte = byte};
        nodes[x.node].n++;
    }
    return 0;
}

int unigram_prepare(unigram *u, const vocab *v)
{
    size_t n, waiting = 0, cap = 0;
    span *todo = NULL;
    spelling *s = sorted_spellings(v, &n);
    prefix_node *nodes = s ? mem_grow(u->nodes, &u->nodes_cap, n + 1, sizeof *nodes) : NULL;
    int status = nodes ? 0 : -1;
    if (nodes) {
        u->nodes = nodes;
        u->nodes[0] = (prefix_node){.id = -1};
        u->n_nodes = 1;
        status = add_children(u, s, (span){0, 0, n, 0}, &todo, &waiting, &cap);
    }
    while (waiting && !status)
        status = add_children(u, s, todo[--waiting], &todo, &waiting, &cap);
    for (size_t i = 0; !status && i < u->nodes[0].n; i++)
        u->root[u->nodes[u->nodes[0].first + i].byte] = u->nodes[0].first + (uint32_t)i;
    double least = u->n ? u->scores[0] : 0;
    for (size_t i = 0; i < u->n; i++)
        least = u->scores[i] < least ? u->scores[i] : least;
    u->unk_score = least - UNK_PENALTY;
    mem_free(todo);
    mem_free(s);
    return status;
}

void unigram_free(unigram *u)
{
    mem_free(u->scores);
    mem_free(u->nodes);
    *u = (unigram){0};
}

/* The child of a node by its byte, or NULL. */
static const prefix_node *child(const unigram *u, const prefix_node *x, unsigned char byte)
{
    const prefix_node *c = u->nodes + x->first;
    size_t low = 0, n = x->n;
    while (low < n) {
        size_t mid = (low + n) / 2;
        if (c[mid].byte < byte)
            low = mid + 1;
        else
            n = mid;
    }
    return low < x->n && c[low].byte == byte ? c + low : NULL;
}

/* --- the best way --- */

/* How a position is best reached: by token `id`, which begins at `from` (SIZE_MAX: not yet). */
typedef struct lattice_node {
    double score;
    size_t from;
    int64_t id;
} lattice_node;

static void reach(lattice_node *to, double score, size_t from, int64_t id)
{
    if (to->from == SIZE_MAX || score > to->score)
        *to = (lattice_node){score, from, id};
}

/* Fills the lattice of a word. 0, or -1 with an error. */
static int fill(const unigram *u, lattice_node *best, const char *word, size_t n)
{
    for (size_t i = 0; i <= n; i++)
        best[i] = (lattice_node){0, SIZE_MAX, 0};
    for (size_t at = 0, len; at < n; at += len) {
        uint32_t c, first = u->root[(unsigned char)word[at]];
        bool single = false;
        double so_far = best[at].score;
        len = (size_t)utf8_decode(word + at, n - at, &c);
        const prefix_node *x = first ? u->nodes + first : NULL;
        for (size_t i = at + 1; x; x = i < n ? child(u, x, (unsigned char)word[i]) : NULL, i++) {
            if (x->id < 0)
                continue;
            reach(&best[i], so_far + u->scores[x->id], at, x->id);
            single = single || i - at == len;
        }
        if (single)
            continue;
        if (u->unk < 0)
            return error_set(
                "tokenizer: the text has a character that is no token, and the model has no unk_id");
        reach(&best[at + len], so_far + u->unk_score, at, u->unk);
    }
    return 0;
}

/* Writes the tokens of text[0..n), which were unknown to the lattice, in front of ids[at]; the new front. */
static size_t put_unknown(const encoder *e, const char *p, size_t n, size_t at)
{
    const bpe *b = &e->t->bpe;
    int id = vocab_find(&e->t->vocab, p, n);
    bool bytes = b->byte_fallback && id < 0;
    for (size_t i = 0; bytes && i < n; i++)
        bytes = b->fallback_id[(unsigned char)p[i]] >= 0;
    if (bytes)
        while (n)
            e->symbols[--at] = b->fallback_id[(unsigned char)p[--n]];
    else
        e->symbols[--at] = id >= 0 ? id : (int)e->t->unigram.unk;
    return at;
}

size_t unigram_word(encoder *e, const char *word, size_t n)
{
    const unigram *u = &e->t->unigram;
    lattice_node *best = mem_grow(e->lattice, &e->lattice_cap, n + 1, sizeof *best);
    e->lattice = best ? best : e->lattice;
    if (!best || words_reserve(e, n + 1) || fill(u, best, word, n))
        return SIZE_MAX;
    size_t at = n, unknown_to = 0; /* ids are written backwards, at most one a byte */
    for (size_t end = n; end > 0; end = best[end].from) {
        size_t from = best[end].from;
        if (best[end].id != u->unk) {
            e->symbols[--at] = (int)best[end].id;
            continue;
        }
        unknown_to = unknown_to ? unknown_to : end;
        if (from == 0 || best[from].id != u->unk) {
            at = put_unknown(e, word + from, unknown_to - from, at);
            unknown_to = 0;
        }
    }
    memmove(e->symbols, e->symbols + at, (n - at) * sizeof *e->symbols);
    return n - at;
}
