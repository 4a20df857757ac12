/* Numbers as Python has them: parsing, arithmetic, rounding.
 *
 * Integers are 64 bits wide; what would leave that range is an error, never a wrong number. `//` and `%`
 * round towards minus infinity, `/` always gives a float, powers of integers with a negative exponent give
 * floats. */
#include "text/jinja_impl.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int64_t j_overflow(jctx *c) { j_fail(c, "an integer does not fit into 64 bits"); }

/* --- parsing --- */

static int digit_value(char ch)
{
    if (ch >= '0' && ch <= '9')
        return ch - '0';
    ch |= 0x20;
    return ch >= 'a' && ch <= 'z' ? ch - 'a' + 10 : 99;
}

/* Skips "0x" and the like, if it goes with the base (which it decides for base 0). -1: no number. */
static int int_prefix(const char **p, const char *end, int base)
{
    int found = 0;
    if (end - *p >= 2 && **p == '0') {
        char mark = (char)((*p)[1] | 0x20);
        found = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 0;
        if (found && (base == 0 || base == found)) {
            *p += 2;
            if (*p < end && **p == '_')
                ++*p;
            return found;
        }
    }
    return base ? base : 10;
}

bool j_parse_int(jctx *c, const jstr *s, int base, int64_t *out)
{
    jval t = j_strip(c, (jval){.kind = J_STR, .s = s}, NULL, 3);
    const char *p = t.s->p, *end = p + t.s->len;
    j_charge(c, t.s->len / 16);
    bool negative = p < end && *p == '-';
    p += p < end && (*p == '-' || *p == '+');
    base = int_prefix(&p, end, base);
    int64_t v = 0;
    bool digit = false;
    for (; p < end; p++) {
        if (*p == '_' && digit && p + 1 < end) {
            digit = false;
            continue;
        }
        int d = digit_value(*p);
        if (d >= base)
            return false;
        digit = true;
        if (__builtin_mul_overflow(v, base, &v) || __builtin_sub_overflow(v, d, &v))
            j_overflow(c);
    }
    if (!digit)
        return false;
    if (!negative && v == INT64_MIN)
        j_overflow(c);
    *out = negative ? v : -v;
    return true;
}

static bool is_word(const char *p, size_t n, const char *word)
{
    for (size_t i = 0; i < n; i++)
        if (word[i] != (p[i] | 0x20) || !word[i])
            return false;
    return word[n] == 0;
}

/* Copies the digits of a float without underscores, checking the grammar. */
static bool copy_float(const char *p, size_t n, char *out)
{
    bool digits = false, point = false, exponent = false;
    char last = 0;
    for (size_t i = 0; i < n; last = p[i++]) {
        char ch = p[i];
        bool is_digit = ch >= '0' && ch <= '9', after_digit = last >= '0' && last <= '9';
        if (ch == '_' && after_digit && i + 1 < n && p[i + 1] >= '0' && p[i + 1] <= '9')
            continue;
        if (is_digit)
            digits = true;
        else if (ch == '.' && !point && !exponent)
            point = true;
        else if ((ch | 0x20) == 'e' && digits && !exponent)
            exponent = true;
        else if (!((ch == '+' || ch == '-') && (i == 0 || (last | 0x20) == 'e')))
            return false;
        if (ch == '.')
            for (const char *q = localeconv()->decimal_point; *q; q++)
                *out++ = *q;
        else
            *out++ = ch;
    }
    *out = 0;
    return digits && last != '_' && (last | 0x20) != 'e' && last != '+' && last != '-';
}

bool j_parse_float(const jstr *s, double *out)
{
    size_t from = 0, to = s->len;
    while (from < to && j_is_space((unsigned char)s->p[from]))
        from++;
    while (to > from && j_is_space((unsigned char)s->p[to - 1]))
        to--;
    const char *p = s->p + from;
    size_t n = to - from, sign = n && (*p == '-' || *p == '+');
    if (is_word(p + sign, n - sign, "inf") || is_word(p + sign, n - sign, "infinity"))
        *out = INFINITY;
    else if (is_word(p + sign, n - sign, "nan"))
        *out = NAN;
    else {
        char small[400]; /* more digits than this never matter but for their number: refuse */
        if (n > 300 || !copy_float(p, n, small))
            return false;
        *out = strtod(small, NULL);
        return true;
    }
    if (sign && *p == '-')
        *out = -*out;
    return true;
}

int64_t j_float_to_int(jctx *c, double f)
{
    if (isnan(f) || isinf(f))
        j_fail(c, "cannot convert float %s to integer", isnan(f) ? "NaN" : "infinity");
    if (!(f > -0x1p63 - 1 && f < 0x1p63))
        return j_overflow(c);
    return (int64_t)f;
}

/* --- arithmetic --- */

static int64_t floor_div(jctx *c, int64_t a, int64_t b)
{
    if (a == INT64_MIN && b == -1)
        return j_overflow(c);
    return a / b - (a % b != 0 && (a % b < 0) != (b < 0));
}

static int64_t floor_mod(int64_t a, int64_t b)
{
    if (b == -1)
        return 0;
    int64_t r = a % b;
    return r && (r < 0) != (b < 0) ? r + b : r;
}

static double float_mod(double a, double b)
{
    double r = fmod(a, b);
    if (r != 0)
        return (r < 0) != (b < 0) ? r + b : r;
    return copysign(0, b);
}

static double float_floordiv(double a, double b)
{
    double r = fmod(a, b), div = (a - r) / b;
    if (r != 0 && (r < 0) != (b < 0))
        div -= 1;
    if (div == 0)
        return copysign(0, a / b);
    double whole = floor(div);
    return div - whole > 0.5 ? whole + 1 : whole;
}

static int64_t int_pow(jctx *c, int64_t a, int64_t n)
{
    int64_t r = 1;
    for (;;) {
        if ((n & 1) && __builtin_mul_overflow(r, a, &r))
            return j_overflow(c);
        n >>= 1;
        if (!n)
            return r;
        if (__builtin_mul_overflow(a, a, &a))
            return j_overflow(c);
    }
}

jval j_pow(jctx *c, jval a, jval b)
{
    if (j_is_int(a) && j_is_int(b) && b.i >= 0) {
        if (a.i == 0 || a.i == 1 || a.i == -1)
            return j_int(b.i == 0 ? 1 : a.i == -1 ? (b.i & 1 ? -1 : 1) : a.i);
        return j_int(int_pow(c, a.i, b.i));
    }
    double x = j_as_double(a), y = j_as_double(b);
    if (x == 0 && y < 0)
        j_fail(c, "0.0 cannot be raised to a negative power");
    if (x < 0 && isfinite(x) && isfinite(y) && y != floor(y))
        j_fail(c, "complex numbers are not supported");
    double r = pow(x, y);
    if (isinf(r) && isfinite(x) && isfinite(y))
        j_fail(c, "the result of ** is too large");
    return j_float(r);
}

static jval int_arith(jctx *c, jop op, int64_t a, int64_t b)
{
    int64_t r = 0;
    bool bad = false;
    switch (op) {
    case OP_ADD:
        bad = __builtin_add_overflow(a, b, &r);
        break;
    case OP_SUB:
        bad = __builtin_sub_overflow(a, b, &r);
        break;
    case OP_MUL:
        bad = __builtin_mul_overflow(a, b, &r);
        break;
    case OP_FLOORDIV:
        r = floor_div(c, a, b);
        break;
    default:
        r = floor_mod(a, b);
    }
    return j_int(bad ? j_overflow(c) : r);
}

static double float_arith(jop op, double a, double b)
{
    switch (op) {
    case OP_ADD:
        return a + b;
    case OP_SUB:
        return a - b;
    case OP_MUL:
        return a * b;
    case OP_DIV:
        return a / b;
    case OP_FLOORDIV:
        return float_floordiv(a, b);
    default:
        return float_mod(a, b);
    }
}

bool j_arith(jctx *c, jop op, jval a, jval b, jval *out)
{
    if (!j_is_number(a) || !j_is_number(b))
        return false;
    if (op == OP_POW) {
        *out = j_pow(c, a, b);
        return true;
    }
    if ((op == OP_DIV || op == OP_FLOORDIV || op == OP_MOD) && j_as_double(b) == 0)
        j_fail(c, "division by zero");
    if (j_is_int(a) && j_is_int(b) && op != OP_DIV)
        *out = int_arith(c, op, a.i, b.i);
    else
        *out = j_float(float_arith(op, j_as_double(a), j_as_double(b)));
    return true;
}

/* --- rounding --- */

static jval round_int(jctx *c, int64_t v, int64_t digits)
{
    if (digits >= 0)
        return j_int(v);
    if (digits < -18)
        return j_int(0);
    int64_t unit = int_pow(c, 10, -digits), rest = floor_mod(v, unit), down = v - rest;
    bool up = rest > unit - rest || (rest == unit - rest && (floor_div(c, down, unit) & 1));
    if (up && __builtin_add_overflow(down, unit, &down))
        return j_int(j_overflow(c));
    return j_int(down);
}

jval j_round(jctx *c, jval v, int64_t digits)
{
    if (j_is_int(v))
        return round_int(c, v.i, digits);
    if (!isfinite(v.f) || digits > 323)
        return v;
    if (digits < -308)
        return j_float(copysign(0, v.f));
    if (digits < 0) {
        double unit = pow(10, (double)-digits);
        return j_float(rint(v.f / unit) * unit);
    }
    char text[800]; /* 309 digits in front of the point, 323 behind it */
    snprintf(text, sizeof text, "%.*f", (int)digits, v.f);
    return j_float(strtod(text, NULL));
}
