#ifndef MICA_TEXT_UNICODE_EXTRA_H
#define MICA_TEXT_UNICODE_EXTRA_H
static inline const char *unicode_extra(const char *c)
{
    (void)c;
    return "";
}
static inline const char *unicode_word_set(void)
{
    return "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{24B6}-\\x{24E9}\\x{1F130}-\\x{1F149}\\x{1F150}-\\x{1F169}"
           "\\x{1F170}-\\x{1F189}";
}
#include <stdbool.h>
#include <stdint.h>
static inline bool unicode_is_inert(uint32_t c)
{
    (void)c;
    return false;
}
#endif
