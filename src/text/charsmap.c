/* SentencePiece's compiled normalization rules ("precompiled charsmap"): the length of a double array, the
 * double array, and NUL-terminated texts that its values point at. Read in place, every index checked.
 *
 * A unit of the array has a label in bits 0..7 (and 31), the offset to its children in bits 10..30, shifted
 * by another 8 where bit 9 is set, and in bit 8 whether a value stands at the offset. The reference replaces
 * a whole grapheme of at most 5 bytes by the rule for its shortest prefix, if one has a rule, and looks at
 * single characters otherwise. */
#include "text/tokenizer_parts.h"

#include "base/utf8.h"

#include <string.h>
#include <utf8proc.h>

#define MAX_GRAPHEME 5

static uint32_t read_u32(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;
    return (uint32_t)u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 | (uint32_t)u[3] << 24;
}

bool charsmap_check(const char *map, size_t n)
{
    if (n < 8)
        return false;
    size_t size = read_u32(map);
    return size % 4 == 0 && size >= 4 && size < n - 4 && map[n - 1] == 0 &&
           utf8_check(map + 4 + size, n - 4 - size) == n - 4 - size;
}

/* The replacement for the shortest prefix of p[0..n) that has a rule, or NULL. */
static const char *find_rule(const char *map, size_t map_n, const char *p, size_t n)
{
    size_t size = read_u32(map), units = size / 4, at = 0, texts_n = map_n - 4 - size;
    const char *array = map + 4, *texts = map + 4 + size;
    uint32_t unit = read_u32(array);
    for (size_t i = 0; i <= n; i++) {
        at ^= (size_t)(unit >> 10) << ((unit & 0x200) >> 6);
        if (at >= units)
            return NULL;
        if (i && unit >> 8 & 1) {
            uint32_t value = read_u32(array + 4 * at) & 0x7FFFFFFF;
            bool whole = value < texts_n && ((unsigned char)texts[value] & 0xC0) != 0x80;
            return whole ? texts + value : NULL;
        }
        if (i == n || p[i] == 0)
            return NULL;
        at ^= (unsigned char)p[i];
        if (at >= units)
            return NULL;
        unit = read_u32(array + 4 * at);
        if ((unit & 0x800000FF) != (unsigned char)p[i])
            return NULL;
    }
    return NULL;
}

/* The length of the grapheme at p. */
static size_t grapheme(const char *p, size_t n)
{
    uint32_t c, next;
    utf8proc_int32_t state = 0;
    size_t len = (size_t)utf8_decode(p, n, &c);
    while (len < n) {
        int more = utf8_decode(p + len, n - len, &next);
        if (utf8proc_grapheme_break_stateful((utf8proc_int32_t)c, (utf8proc_int32_t)next, &state))
            break;
        c = next;
        len += (size_t)more;
    }
    return len;
}

void charsmap_apply(const char *map, size_t map_n, const char *text, size_t n, size_t limit, strbuf *out)
{
    for (size_t i = 0, len; i < n && out->len <= limit; i += len) {
        len = grapheme(text + i, n - i);
        const char *rule = len <= MAX_GRAPHEME ? find_rule(map, map_n, text + i, len) : NULL;
        if (rule) {
            strbuf_adds(out, rule);
            continue;
        }
        for (size_t k = 0, size; k < len; k += size) {
            uint32_t c;
            size = (size_t)utf8_decode(text + i + k, len - k, &c);
            rule = find_rule(map, map_n, text + i + k, size);
            if (rule)
                strbuf_adds(out, rule);
            else
                strbuf_add(out, text + i + k, size);
        }
    }
}

/* The value of a base64 digit, or -1. */
static int digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

bool charsmap_base64(const char *p, size_t n, strbuf *out)
{
    uint32_t bits = 0;
    size_t i = 0;
    if (n % 4)
        return false;
    for (; i < n && digit(p[i]) >= 0; i++) {
        bits = bits << 6 | (uint32_t)digit(p[i]);
        if (i % 4)
            strbuf_addc(out, (char)(bits >> (6 - 2 * (i % 4))));
    }
    for (size_t left = n - i; i < n; i++)
        if (p[i] != '=' || left > 2)
            return false;
    return true;
}
