/* Added tokens: strings that are cut out of the text before the model sees it. At each position the longest
 * one that begins there wins, found by walking a trie; the walk starts only at bytes that begin some token.
 * Flags are then applied as the reference does: single_word drops a match between word characters, lstrip
 * and rstrip take the white space around it. */
#include "text/tokenizer_parts.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <string.h>

/* Where the node for byte b hangs below `from` (0: the root): a link to fill or follow. */
static uint32_t *child_link(trie *t, uint32_t from, unsigned char b)
{
    if (!from)
        return &t->root[b];
    uint32_t *link = &t->nodes[from].child;
    while (*link && t->nodes[*link].byte != b)
        link = &t->nodes[*link].sibling;
    return link;
}

static uint32_t child(const trie *t, uint32_t from, unsigned char b)
{
    uint32_t n = t->nodes[from].child;
    while (n && t->nodes[n].byte != b)
        n = t->nodes[n].sibling;
    return n;
}

int trie_add(trie *t, const char *text, size_t n, int token)
{
    uint32_t node = 0;
    if (t->n == 0)
        t->n = 1;
    for (size_t i = 0; i < n; i++) {
        trie_node *nodes = mem_grow(t->nodes, &t->cap, t->n + 1, sizeof *nodes);
        if (!nodes)
            return -1;
        t->nodes = nodes;
        uint32_t *link = child_link(t, node, (unsigned char)text[i]);
        if (!*link) {
            *link = (uint32_t)t->n;
            nodes[t->n++] = (trie_node){.token = -1, .byte = (unsigned char)text[i]};
        }
        node = *child_link(t, node, (unsigned char)text[i]);
    }
    if (t->nodes[node].token >= 0)
        return 1;
    t->nodes[node].token = token;
    t->tokens++;
    return 0;
}

void trie_free(trie *t)
{
    mem_free(t->nodes);
    *t = (trie){0};
}

/* The token of the longest match that begins at text, or -1; its length in *len. */
static int longest(const trie *t, const char *text, size_t n, size_t *len)
{
    int found = -1;
    uint32_t node = t->root[(unsigned char)text[0]];
    for (size_t i = 1; node; i++) {
        if (t->nodes[node].token >= 0) {
            found = t->nodes[node].token;
            *len = i;
        }
        node = i < n ? child(t, node, (unsigned char)text[i]) : 0;
    }
    return found;
}

/* The character that ends at p (start of the text at `text`). */
static uint32_t before(const char *text, const char *p)
{
    const char *q = p - 1;
    while (q > text && ((unsigned char)*q & 0xC0) == 0x80)
        q--;
    uint32_t c;
    utf8_decode(q, (size_t)(p - q), &c);
    return c;
}

static bool word_around(const char *text, size_t n, size_t start, size_t stop)
{
    uint32_t c;
    if (start > 0 && unicode_is_word(before(text, text + start)))
        return true;
    if (stop == n)
        return false;
    utf8_decode(text + stop, n - stop, &c);
    return unicode_is_word(c);
}

/* `start` moved left over white space. */
static size_t strip_left(const char *text, size_t start)
{
    while (start > 0) {
        const char *p = text + start;
        if (!unicode_is_space(before(text, p)))
            break;
        do
            start--;
        while (((unsigned char)text[start] & 0xC0) == 0x80);
    }
    return start;
}

/* `stop` moved right over white space. */
static size_t strip_right(const char *text, size_t n, size_t stop)
{
    while (stop < n) {
        uint32_t c;
        int len = utf8_decode(text + stop, n - stop, &c);
        if (!unicode_is_space(c))
            break;
        stop += (size_t)len;
    }
    return stop;
}

int pieces_add(pieces *p, size_t at, size_t len, int id)
{
    if (len == 0 && id < 0)
        return 0;
    piece *v = mem_grow(p->v, &p->cap, p->n + 1, sizeof *v);
    if (!v)
        return -1;
    p->v = v;
    v[p->n++] = (piece){at, len, id};
    return 0;
}

int added_split(const added_token *tokens, const trie *t, const char *text, size_t n, pieces *out)
{
    size_t done = 0; /* where the next piece of text begins */
    for (size_t i = 0; t->tokens && i < n;) {
        size_t len = 0;
        int token = longest(t, text + i, n - i, &len);
        if (token < 0) {
            i++;
            continue;
        }
        const added_token *a = &tokens[token];
        size_t start = i, stop = i + len;
        i = stop;
        if (a->single_word && word_around(text, n, start, stop))
            continue;
        if (a->lstrip) {
            size_t left = strip_left(text, start);
            start = left > done ? left : done;
        }
        if (a->rstrip)
            stop = strip_right(text, n, stop);
        if (start > done && pieces_add(out, done, start - done, -1))
            return -1;
        if (pieces_add(out, start, stop > start ? stop - start : 0, a->id))
            return -1;
        done = stop;
    }
    return done < n ? pieces_add(out, done, n - done, -1) : 0;
}
