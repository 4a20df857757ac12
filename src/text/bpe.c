/* Byte-pair encoding of one word.
 *
 * A word starts as one symbol a character (a byte, for byte-level vocabularies); then the adjacent pair with
 * the lowest rank, leftmost first, is replaced by its token until no pair is known. Short words rescan their
 * few ranks for every merge; long ones keep candidates in a binary heap ordered by (rank, position) over a
 * linked list, so a megabyte without a split point costs n log n. Heap entries whose pair has changed are
 * recognised when they come up, for the pair that stands there has another rank. */
#include "text/tokenizer_parts.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

#define SHORT_WORD 40 /* symbols: above this the heap is faster */

static size_t pair_hash(uint32_t left, uint32_t right)
{
    uint64_t h = ((uint64_t)left << 32 | right) * 0x9E3779B97F4A7C15ull;
    return (size_t)(h ^ h >> 29) * 0xD6E8FEB86659FD93ull >> 24;
}

static merge *find_slot(const bpe *b, uint32_t left, uint32_t right)
{
    size_t mask = b->n_slots - 1;
    for (size_t at = pair_hash(left, right) & mask;; at = (at + 1) & mask) {
        merge *m = &b->slots[at];
        if ((m->left == left && m->right == right) || m->left == UINT32_MAX)
            return m;
    }
}

/* The merge of a pair, or NULL. */
static const merge *find_merge(const bpe *b, int left, int right)
{
    const merge *m = find_slot(b, (uint32_t)left, (uint32_t)right);
    return m->left == UINT32_MAX ? NULL : m;
}

int bpe_reserve(bpe *b, size_t n)
{
    size_t want = b->n_slots ? b->n_slots : 64;
    while (want / 3 * 2 < n)
        want *= 2;
    if (want == b->n_slots)
        return 0;
    merge *old = b->slots, *slots = mem_alloc(want, sizeof *slots);
    if (!slots)
        return -1;
    memset(slots, 0xFF, want * sizeof *slots);
    size_t old_n = b->n_slots;
    b->slots = slots;
    b->n_slots = want;
    for (size_t i = 0; i < old_n; i++)
        if (old[i].left != UINT32_MAX)
            *find_slot(b, old[i].left, old[i].right) = old[i];
    mem_free(old);
    return 0;
}

int bpe_add(bpe *b, int left, int right, size_t rank, int id)
{
    if (bpe_reserve(b, b->count + 1))
        return -1;
    merge *m = find_slot(b, (uint32_t)left, (uint32_t)right);
    b->count += m->left == UINT32_MAX;
    *m = (merge){(uint32_t)left, (uint32_t)right, (uint32_t)rank, (uint32_t)id};
    return 0;
}

void bpe_prepare(bpe *b, const vocab *v)
{
    b->all_bytes = !*b->prefix && !*b->suffix;
    for (int i = 0; i < 256; i++) {
        char text[8];
        int n = bytelevel_char((unsigned char)i, text);
        b->byte_id[i] = vocab_find(v, text, (size_t)n);
        b->all_bytes = b->all_bytes && b->byte_id[i] >= 0;
        n = snprintf(text, sizeof text, "<0x%02X>", i);
        b->fallback_id[i] = vocab_find(v, text, (size_t)n);
    }
    b->unk = UNK_NONE;
    if (b->unk_name) {
        b->unk = vocab_find(v, b->unk_name, strlen(b->unk_name));
        b->unk = b->unk < 0 ? UNK_MISSING : b->unk;
    }
}

void bpe_free(bpe *b)
{
    mem_free(b->slots);
    mem_free(b->prefix);
    mem_free(b->suffix);
    mem_free(b->unk_name);
    *b = (bpe){0};
}

/* --- merging --- */

/* Merges n symbols in place by rescanning. Returns how many are left. */
static size_t merge_short(const bpe *b, int *ids, size_t n)
{
    uint32_t rank[SHORT_WORD], to[SHORT_WORD];
    for (size_t i = 0; i + 1 < n; i++) {
        const merge *m = find_merge(b, ids[i], ids[i + 1]);
        rank[i] = m ? m->rank : UINT32_MAX;
        to[i] = m ? m->id : 0;
    }
    while (n > 1) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < n; i++)
            if (rank[i] < rank[best])
                best = i;
        if (rank[best] == UINT32_MAX)
            break;
        ids[best] = (int)to[best];
        n--;
        memmove(ids + best + 1, ids + best + 2, (n - best - 1) * sizeof *ids);
        memmove(rank + best, rank + best + 1, (n - best - 1) * sizeof *rank);
        memmove(to + best, to + best + 1, (n - best - 1) * sizeof *to);
        for (size_t i = best ? best - 1 : 0; i <= best && i + 1 < n; i++) {
            const merge *m = find_merge(b, ids[i], ids[i + 1]);
            rank[i] = m ? m->rank : UINT32_MAX;
            to[i] = m ? m->id : 0;
        }
    }
    return n;
}

static void heap_push(uint64_t *heap, size_t *n, uint64_t x)
{
    size_t i = (*n)++;
    for (; i > 0 && heap[(i - 1) / 2] > x; i = (i - 1) / 2)
        heap[i] = heap[(i - 1) / 2];
    heap[i] = x;
}

static uint64_t heap_pop(uint64_t *heap, size_t *n)
{
    uint64_t top = heap[0], last = heap[--*n];
    size_t i = 0, child;
    while ((child = 2 * i + 1) < *n) {
        child += child + 1 < *n && heap[child + 1] < heap[child];
        if (heap[child] >= last)
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = last;
    return top;
}

/* The working state of a long word: next and previous symbol by position, n for none. */
typedef struct chain {
    const bpe *b;
    int *ids;
    uint32_t *next, *prev;
    uint64_t *heap;
    size_t n, heap_n;
} chain;

/* Enters the pair that begins at position i, if it is known. */
static void offer(chain *c, uint32_t i)
{
    if (i >= c->n || c->next[i] >= c->n)
        return;
    const merge *m = find_merge(c->b, c->ids[i], c->ids[c->next[i]]);
    if (m)
        heap_push(c->heap, &c->heap_n, (uint64_t)m->rank << 32 | i);
}

/* Merges n symbols in place with a heap. Every merge enters at most two pairs and takes a symbol away, so
 * 3n entries are enough. Returns how many are left, or SIZE_MAX when memory is short. */
static size_t merge_long(encoder *e, int *ids, size_t n)
{
    uint64_t *heap = mem_grow(e->heap, &e->heap_cap, 3 * n, sizeof *heap);
    e->heap = heap ? heap : e->heap;
    uint32_t *links = mem_grow(e->links, &e->links_cap, 2 * n, sizeof *links);
    e->links = links ? links : e->links;
    if (!heap || !links)
        return SIZE_MAX;
    chain c = {&e->t->bpe, ids, links, links + n, heap, n, 0};
    for (uint32_t i = 0; i < n; i++) {
        c.next[i] = i + 1;
        c.prev[i] = i ? i - 1 : (uint32_t)n;
    }
    for (uint32_t i = 0; i < n; i++)
        offer(&c, i);
    while (c.heap_n) {
        uint64_t top = heap_pop(heap, &c.heap_n);
        uint32_t i = (uint32_t)top, right = c.next[i];
        if (ids[i] < 0 || right >= n)
            continue;
        const merge *m = find_merge(c.b, ids[i], ids[right]);
        if (!m || m->rank != top >> 32)
            continue;
        ids[i] = (int)m->id;
        ids[right] = -1;
        c.next[i] = c.next[right];
        if (c.next[i] < n)
            c.prev[c.next[i]] = i;
        offer(&c, c.prev[i]);
        offer(&c, i);
    }
    size_t left = 0;
    for (size_t i = 0; i < n; i++)
        if (ids[i] >= 0)
            ids[left++] = ids[i];
    return left;
}

/* --- first symbols --- */

/* The unknown characters that wait to become an unk token. */
typedef struct symbols {
    int *ids;
    size_t n;
    bool unk_waits;
} symbols;

/* The symbols of one character that is not in the vocabulary. */
static int unknown(const bpe *b, const char *s, size_t n, symbols *out)
{
    bool bytes = b->byte_fallback;
    for (size_t i = 0; bytes && i < n; i++)
        bytes = b->fallback_id[(unsigned char)s[i]] >= 0;
    if (bytes) { /* a waiting unk token stays behind these, as in the reference */
        for (size_t i = 0; i < n; i++)
            out->ids[out->n++] = b->fallback_id[(unsigned char)s[i]];
        return 0;
    }
    if (b->unk == UNK_MISSING)
        return error_set(
            "tokenizer: the text has a character that is not in the vocabulary, and neither is the "
            "unk_token \"%s\"",
            b->unk_name);
    if (b->unk == UNK_NONE)
        return 0;
    if (out->unk_waits && !b->fuse_unk)
        out->ids[out->n++] = b->unk;
    out->unk_waits = true;
    return 0;
}

/* Turns a word into symbols, one a character, with affixes and unknown characters seen to. */
static int first_symbols(encoder *e, const char *word, size_t n, symbols *out)
{
    const bpe *b = &e->t->bpe;
    for (size_t i = 0; i < n;) {
        uint32_t c;
        size_t len = (size_t)utf8_decode(word + i, n - i, &c);
        strbuf_clear(&e->word);
        if (i > 0)
            strbuf_adds(&e->word, b->prefix);
        strbuf_add(&e->word, word + i, len);
        i += len;
        if (i == n)
            strbuf_adds(&e->word, b->suffix);
        if (e->word.failed)
            return -1;
        int id = vocab_find(&e->t->vocab, e->word.data, e->word.len);
        if (id < 0) {
            if (unknown(b, e->word.data, e->word.len, out))
                return -1;
            continue;
        }
        if (out->unk_waits)
            out->ids[out->n++] = b->unk;
        out->unk_waits = false;
        out->ids[out->n++] = id;
    }
    if (out->unk_waits)
        out->ids[out->n++] = b->unk;
    return 0;
}

/* Room for the symbols of a word: a character gives at most its bytes and affixes, and a waiting unk. */
static int reserve_word(encoder *e, size_t n)
{
    const bpe *b = &e->t->bpe;
    size_t each = 2 + strlen(b->prefix), need;
    if (!mem_mul(n, each, &need) || !mem_add(need, 2 + strlen(b->suffix), &need))
        return error_set("out of memory: a word of %zu bytes", n);
    return words_reserve(e, need);
}

size_t bpe_word(encoder *e, const char *word, size_t n)
{
    const tokenizer *t = e->t;
    const bpe *b = &t->bpe;
    if (reserve_word(e, t->byte_words ? 2 * n : n))
        return SIZE_MAX;
    bool by_table = t->byte_words && b->all_bytes;
    if (t->byte_words && (!by_table || b->ignore_merges)) {
        strbuf_clear(&e->mapped);
        bytelevel_encode(&e->mapped, word, n);
        if (e->mapped.failed)
            return SIZE_MAX;
    }
    const char *spelled = t->byte_words ? e->mapped.data : word;
    size_t spelled_n = t->byte_words ? e->mapped.len : n;
    int whole = b->ignore_merges ? vocab_find(&t->vocab, spelled, spelled_n) : -1;
    if (whole >= 0) {
        e->symbols[0] = whole;
        return 1;
    }
    symbols s = {e->symbols, 0, false};
    if (by_table)
        for (; s.n < n; s.n++)
            s.ids[s.n] = b->byte_id[(unsigned char)word[s.n]];
    else if (first_symbols(e, spelled, spelled_n, &s))
        return SIZE_MAX;
    if (!b->n_slots || s.n < 2)
        return s.n;
    return s.n <= SHORT_WORD ? merge_short(b, s.ids, s.n) : merge_long(e, s.ids, s.n);
}
