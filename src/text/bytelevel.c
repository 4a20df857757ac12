/* The alphabet that byte-level vocabularies are spelled in: each byte has a printable character. Bytes that
 * are printable in Latin-1 stand for themselves; the other 68 take U+0100, U+0101 ... in order. */
#include "text/tokenizer_parts.h"

#include "base/utf8.h"

#include <string.h>

static bool itself(unsigned b) { return (b >= '!' && b <= '~') || (b >= 0xA1 && b != 0xAD); }

/* How many bytes below b have a character above U+00FF. */
static unsigned shifted_below(unsigned b)
{
    if (b <= 0x20)
        return b;
    if (b <= 0x7F)
        return 0x21;
    return b <= 0xA0 ? b - 0x7F + 0x21 : b <= 0xAD ? 0x43 : 0x44;
}

int bytelevel_char(unsigned char b, char out[2])
{
    char utf8[4];
    int n = utf8_encode(itself(b) ? b : 256 + shifted_below(b), utf8);
    out[0] = utf8[0];
    out[1] = utf8[1];
    return n;
}

void bytelevel_encode(strbuf *out, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char c[2];
        int len = bytelevel_char((unsigned char)p[i], c);
        strbuf_add(out, c, (size_t)len);
    }
}

/* The byte that a character stands for, or -1. */
static int byte_of(uint32_t c)
{
    if (c < 256)
        return itself(c) ? (int)c : -1;
    c -= 256;
    return c < 0x21 ? (int)c : c < 0x43 ? (int)(c - 0x21 + 0x7F) : c == 0x43 ? 0xAD : -1;
}

void bytelevel_decode(strbuf *out, const char *p, size_t n)
{
    size_t before = out->len, len = before;
    strbuf_add(out, p, n); /* the longest it can be; bytes are written over it */
    if (out->failed)
        return;
    for (size_t i = 0; i < n;) {
        uint32_t c = (unsigned char)p[i];
        int size = c < 0x80 ? 1 : utf8_decode(p + i, n - i, &c), b = byte_of(c);
        if (b < 0) {
            memcpy(out->data + before, p, n);
            return;
        }
        out->data[len++] = (char)b;
        i += (size_t)size;
    }
    out->len = len;
    if (out->data)
        out->data[len] = 0;
}
