/* WordPiece and WordLevel. A WordPiece word is cut from the left into the longest spellings that the
 * vocabulary has, those behind the first with the prefix; when that gets stuck, or the word is too long, all
 * of it is unknown. A WordLevel word is in the vocabulary or unknown. */
#include "text/tokenizer_parts.h"

#include "base/utf8.h"

/* One unknown token. */
static size_t unknown(encoder *e, size_t n)
{
    const bpe *b = &e->t->bpe;
    if (b->unk < 0) {
        error_set(
            "tokenizer: a word of %zu bytes is not in the vocabulary, and neither is the unk_token \"%s\"", n,
            b->unk_name ? b->unk_name : "");
        return SIZE_MAX;
    }
    e->symbols[0] = b->unk;
    return 1;
}

static size_t characters(const char *p, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += ((unsigned char)p[i] & 0xC0) != 0x80;
    return count;
}

/* The longest spelling that begins at word[at]: its id and length, or -1. */
static int longest_at(encoder *e, const char *word, size_t n, size_t at, size_t *len)
{
    const tokenizer *t = e->t;
    size_t most = n - at < t->longest ? n - at : t->longest, prefix = 0;
    strbuf_clear(&e->word);
    if (at)
        strbuf_adds(&e->word, t->bpe.prefix);
    prefix = e->word.len;
    strbuf_add(&e->word, word + at, most);
    if (e->word.failed)
        return -1;
    for (size_t k = most; k > 0; k--) {
        if (at + k < n && ((unsigned char)word[at + k] & 0xC0) == 0x80)
            continue;
        int id = vocab_find(&t->vocab, e->word.data, prefix + k);
        if (id >= 0) {
            *len = k;
            return id;
        }
    }
    return -1;
}

size_t wordpiece_word(encoder *e, const char *word, size_t n)
{
    size_t count = 0, len = 0;
    if (words_reserve(e, n + 1))
        return SIZE_MAX;
    if (characters(word, n) > (size_t)e->t->word_chars)
        return unknown(e, n);
    for (size_t at = 0; at < n; at += len) {
        int id = longest_at(e, word, n, at, &len);
        if (id < 0)
            return e->word.failed ? SIZE_MAX : unknown(e, n);
        e->symbols[count++] = id;
    }
    return count;
}

size_t wordpiece_whole(encoder *e, const char *word, size_t n)
{
    if (words_reserve(e, 1))
        return SIZE_MAX;
    int id = vocab_find(&e->t->vocab, word, n);
    if (id < 0)
        return unknown(e, n);
    e->symbols[0] = id;
    return 1;
}
