/* Checking, decoding and encoding. Most text is ASCII, and every prompt, template and tokenizer passes here,
 * so runs of ASCII go eight bytes at a time and only other characters are taken apart. */
#include "base/utf8.h"

#include <string.h>

/* Length of a sequence by its first byte, and the range allowed for the second (Unicode, table 3-7). */
static int lead(unsigned char b, unsigned char *lo, unsigned char *hi)
{
    *lo = b == 0xE0 ? 0xA0 : b == 0xF0 ? 0x90 : 0x80;
    *hi = b == 0xED ? 0x9F : b == 0xF4 ? 0x8F : 0xBF;
    if (b < 0x80)
        return 1;
    if (b < 0xC2 || b > 0xF4)
        return 0;
    return b < 0xE0 ? 2 : b < 0xF0 ? 3 : 4;
}

int utf8_decode(const char *p, size_t n, uint32_t *c)
{
    const unsigned char *s = (const unsigned char *)p;
    if (s[0] < 0x80) {
        *c = s[0];
        return 1;
    }
    unsigned char lo, hi;
    int len = lead(s[0], &lo, &hi);
    *c = 0xFFFD;
    if (len == 0)
        return -1;
    uint32_t v = s[0] & (0x7Fu >> len);
    for (int i = 1; i < len; i++) {
        if ((size_t)i >= n || s[i] < lo || s[i] > hi)
            return -i;
        v = v << 6 | (s[i] & 0x3F);
        lo = 0x80;
        hi = 0xBF;
    }
    *c = v;
    return len;
}

int utf8_encode(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    int len = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (int i = len - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (c & 0x3F));
        c >>= 6;
    }
    out[0] = (char)(0xF0u << (4 - len) | c);
    return len;
}

/* How many bytes at the start of p are ASCII. */
static size_t ascii_run(const char *p, size_t n)
{
    size_t i = 0;
    for (uint64_t w; n - i >= sizeof w; i += sizeof w) {
        memcpy(&w, p + i, sizeof w);
        if (w & 0x8080808080808080u)
            break;
    }
    while (i < n && (unsigned char)p[i] < 0x80)
        i++;
    return i;
}

size_t utf8_check(const char *p, size_t n)
{
    for (size_t i = 0;;) {
        i += ascii_run(p + i, n - i);
        if (i == n)
            return n;
        uint32_t c;
        int len = utf8_decode(p + i, n - i, &c);
        if (len < 0)
            return i;
        i += (size_t)len;
    }
}

size_t utf8_pending(const char *p, size_t n)
{
    for (size_t back = 1; back <= 3 && back <= n; back++) {
        unsigned char b = (unsigned char)p[n - back];
        if ((b & 0xC0) == 0x80)
            continue;
        uint32_t c;
        int len = utf8_decode(p + n - back, back, &c);
        unsigned char lo, hi;
        return len < 0 && (size_t)-len == back && lead(b, &lo, &hi) > (int)back ? back : 0;
    }
    return 0;
}
