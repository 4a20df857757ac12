/* Shared by the two ways of formatting, str.format and `%`: writing one value by a specification. */
#ifndef MICA_TEXT_JINJA_FORMAT_H
#define MICA_TEXT_JINJA_FORMAT_H

#include "text/jinja_impl.h"

typedef struct format_spec {
    char fill[4];
    size_t n_fill;
    char align; /* '<', '>', '^', '=', or 0 */
    char sign;  /* '+', ' ', or 0 */
    bool alternate;
    int64_t width, precision; /* precision -1: none */
    char grouping;            /* ',', '_', or 0 */
    char type;
} format_spec;

enum { FORMAT_MAX_WIDTH = 1 << 20 };

/* Reads decimal digits of s from *i on; fails above FORMAT_MAX_WIDTH. */
int64_t format_number(jctx *c, const jstr *s, size_t *i);
/* Writes prefix and body (n bytes, `chars` characters), padded to the width; '=' pads between the two.
 * `natural` is the alignment if the specification has none. */
void format_padded(jbuf *out, const format_spec *s, const char *prefix, const char *body, size_t n,
                   size_t chars, char natural);
/* An integer in the base of the type; a float; text cut to the precision; a character by its number. */
void format_int(jbuf *out, const format_spec *s, int64_t v);
void format_float(jbuf *out, const format_spec *s, double f);
void format_str(jbuf *out, const format_spec *s, jval v);
void format_char(jbuf *out, const format_spec *s, int64_t ch);

#endif
