/* UTF-8, strict: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef MICA_BASE_UTF8_H
#define MICA_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Decodes the character at p (n > 0 bytes left). Returns its length 1..4 and sets *c; for an invalid
 * sequence returns the negated length of its maximal valid part (at least 1), sets *c to U+FFFD. */
int utf8_decode(const char *p, size_t n, uint32_t *c);
/* Writes c (a scalar value) to out, returns 1..4; no NUL is added. */
int utf8_encode(uint32_t c, char out[4]);
/* Index of the first byte that is not part of valid UTF-8, or n. */
size_t utf8_check(const char *p, size_t n);
/* Number of bytes at the end of p that begin a character whose rest is missing (0..3). */
size_t utf8_pending(const char *p, size_t n);

#endif
