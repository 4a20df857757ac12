/* Normalizers that look at one character at a time. Spaces and removals are those of the reference. */
#include "text/tokenizer_parts.h"

#include "base/utf8.h"

#define DOTTED_I 0x130 /* whose lower case is an i and a dot above */
#define GONE     UINT32_MAX

/* Ideographs, as BERT's own code lists them. */
static bool is_chinese(uint32_t c)
{
    return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) ||
           (c >= 0x2A700 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) || (c >= 0xF900 && c <= 0xFAFF) ||
           (c >= 0x2F800 && c <= 0x2FA1F);
}

/* Nmt: some controls go away, spaces of many kinds become one. */
static uint32_t nmt(uint32_t c)
{
    if ((c >= 1 && c <= 8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F)
        return GONE;
    bool space = c == 9 || c == 0xA || c == 0xC || c == 0xD || c == 0x1680 || (c >= 0x200B && c <= 0x200F) ||
                 c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xFEFF || c == 0xFFFD;
    return space ? ' ' : c;
}

static uint32_t clean(uint32_t c)
{
    if (c == '\t' || c == '\n' || c == '\r')
        return ' ';
    if (c == 0 || c == 0xFFFD || unicode_is_control(c))
        return GONE;
    return unicode_is_space(c) ? ' ' : c;
}

static uint32_t mapped(norm_kind kind, uint32_t c)
{
    switch (kind) {
    case NORM_LOWER:
        return c == DOTTED_I ? 'i' : unicode_to_lower(c);
    case NORM_ACCENTS:
        return unicode_is_mark(c) ? GONE : c;
    case NORM_NONSPACING:
        return unicode_is_nonspacing(c) ? GONE : c;
    case NORM_NMT:
        return nmt(c);
    case NORM_CLEAN:
        return clean(c);
    default:
        return c;
    }
}

void normalize_chars(norm_kind kind, const char *text, size_t n, strbuf *out)
{
    for (size_t i = 0; i < n;) {
        uint32_t c;
        char utf8[4];
        i += (size_t)utf8_decode(text + i, n - i, &c);
        bool apart = kind == NORM_CHINESE && is_chinese(c);
        uint32_t to = mapped(kind, c);
        if (apart)
            strbuf_addc(out, ' ');
        if (to != GONE)
            strbuf_add(out, utf8, (size_t)utf8_encode(to, utf8));
        if (apart)
            strbuf_addc(out, ' ');
        if (kind == NORM_LOWER && c == DOTTED_I)
            strbuf_adds(out, "\xCC\x87");
    }
}
