/* Character classes as the reference's libraries have them. They come from several libraries there, each
 * with its own version of Unicode, so the tables are made by asking the reference itself. */
#include "text/tokenizer_parts.h"
#include "text/unicode_case.h"
#include "text/unicode_tables.h"

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* Is c in one of n ranges, which are in order? */
static bool in_ranges(const unicode_range *r, size_t n, uint32_t c)
{
    size_t low = 0;
    while (low < n) {
        size_t mid = (low + n) / 2;
        if (c > r[mid].last)
            low = mid + 1;
        else
            n = mid;
    }
    return c >= r[low].first && c <= r[low].last;
}

bool unicode_is_space(uint32_t c)
{
    if (c < 0x80)
        return c == ' ' || (c >= 9 && c <= 13);
    return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
           c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

/* The last range of a table ends the search, for in_ranges stops there at the latest. */
bool unicode_is_word(uint32_t c) { return in_ranges(unicode_words, COUNT(unicode_words) - 1, c); }

bool unicode_is_numeric(uint32_t c) { return in_ranges(unicode_numerics, COUNT(unicode_numerics) - 1, c); }

bool unicode_is_punctuation(uint32_t c)
{
    if (c < 0x80)
        return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
               (c >= '{' && c <= '~');
    return in_ranges(unicode_punctuations, COUNT(unicode_punctuations) - 1, c);
}

bool unicode_is_unassigned(uint32_t c)
{
    return in_ranges(unicode_unassigned, COUNT(unicode_unassigned) - 1, c);
}

const char *unicode_new_members(const char *category)
{
    for (size_t i = 0; i < COUNT(unicode_new); i++)
        if (strcmp(unicode_new[i].category, category) == 0)
            return unicode_new[i].set;
    return "";
}

const char *unicode_word_set(void) { return unicode_word_items; }

bool unicode_is_mark(uint32_t c)
{
    return c >= 0x300 && in_ranges(unicode_marks, COUNT(unicode_marks) - 1, c);
}

bool unicode_is_nonspacing(uint32_t c)
{
    return c >= 0x300 && in_ranges(unicode_nonspacing, COUNT(unicode_nonspacing) - 1, c);
}

bool unicode_is_control(uint32_t c)
{
    return (c < 0x20 || c >= 0x7F) && in_ranges(unicode_controls, COUNT(unicode_controls) - 1, c);
}

uint32_t unicode_to_lower(uint32_t c)
{
    size_t low = 0, n = COUNT(unicode_lower);
    if (c < 0x80)
        return c >= 'A' && c <= 'Z' ? c + 32 : c;
    while (low < n) {
        size_t mid = (low + n) / 2;
        if (c > unicode_lower[mid].last)
            low = mid + 1;
        else
            n = mid;
    }
    const struct unicode_case *r = &unicode_lower[low < COUNT(unicode_lower) ? low : 0];
    bool in = c >= r->first && c <= r->last && (c - r->first) % (uint32_t)r->step == 0;
    return in ? (uint32_t)((int32_t)c + r->by) : c;
}
