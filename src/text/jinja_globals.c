/* The functions that every template can call, and the methods of the objects that they make.
 *
 * range is limited as the sandbox limits it; strftime_now formats the clock of the options, local time
 * without a zone. lipsum is refused: it is random. */
#include "text/jinja_impl.h"

#include <stdio.h>
#include <string.h>

static jval g_range(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    int64_t first = j_need_int(c, v[1], "range()"), start = 0, stop = first, step = 1;
    if (v[2].kind != J_MISSING) {
        start = first;
        stop = j_need_int(c, v[2], "range()");
    }
    if (v[3].kind != J_MISSING)
        step = j_need_int(c, v[3], "range()");
    if (step == 0)
        j_fail(c, "range() arg 3 must not be zero");
    uint64_t width = step > 0 ? (stop > start ? (uint64_t)stop - (uint64_t)start : 0)
                              : (start > stop ? (uint64_t)start - (uint64_t)stop : 0);
    uint64_t unit = step > 0 ? (uint64_t)step : 0 - (uint64_t)step, n = width ? (width - 1) / unit + 1 : 0;
    if (n > J_MAX_RANGE)
        j_fail(c, "range too big: the sandbox blocks ranges of more than %d items", J_MAX_RANGE);
    jrange *r = j_alloc(c, 1, sizeof *r);
    *r = (jrange){start, stop, step, (int64_t)n};
    return (jval){.kind = J_RANGE, .range = r};
}

/* dict(mapping or pairs, **members); namespace() takes the same. */
static jval make_dict(jctx *c, const jargs *a, const char *name)
{
    jval d = j_dict(c);
    if (a->n > 1)
        j_fail(c, "%s() takes at most one positional argument", name);
    if (a->n == 1 && a->v[0].kind == J_DICT) {
        for (size_t i = 0; i < a->v[0].dict->n; i++)
            j_put(c, d.dict, a->v[0].dict->v[i].key, a->v[0].dict->v[i].value);
    } else if (a->n == 1) {
        jiter *it = j_iter(c, a->v[0]);
        for (jval item; (item = j_next(c, it)).kind != J_MISSING;) {
            jval pair = j_collect(c, item, J_LIST);
            if (pair.list->n != 2)
                j_fail(c, "%s() needs pairs, not sequences of %zu items", name, pair.list->n);
            j_put(c, d.dict, pair.list->v[0], pair.list->v[1]);
        }
    }
    for (size_t i = 0; i < a->n_kw; i++)
        j_put(c, d.dict, (jval){.kind = J_STR, .s = a->kw[i].name}, a->kw[i].value);
    return d;
}

static jval g_dict(jctx *c, const jval *v, const jargs *a)
{
    (void)v;
    return make_dict(c, a, "dict");
}

static jval g_namespace(jctx *c, const jval *v, const jargs *a)
{
    (void)v;
    jval d = make_dict(c, a, "namespace");
    d.kind = J_NAMESPACE;
    return d;
}

static jval g_cycler(jctx *c, const jval *v, const jargs *a)
{
    (void)v;
    if (!a->n || a->n_kw)
        j_fail(c, "cycler() needs at least one item");
    jval items = j_list(c, J_LIST, a->n);
    for (size_t i = 0; i < a->n; i++)
        j_push(c, items, a->v[i]);
    jcycler *k = j_alloc(c, 1, sizeof *k);
    *k = (jcycler){.items = items.list};
    return (jval){.kind = J_CYCLER, .cycler = k};
}

static jval cycler_next(jctx *c, const jval *v, const jargs *a)
{
    (void)c;
    (void)a;
    jcycler *k = v[0].cycler;
    jval item = k->items->v[k->pos];
    k->pos = (k->pos + 1) % k->items->n;
    return item;
}

static jval cycler_reset(jctx *c, const jval *v, const jargs *a)
{
    (void)c;
    (void)a;
    v[0].cycler->pos = 0;
    return j_none();
}

static jval g_joiner(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    jjoiner *k = j_alloc(c, 1, sizeof *k);
    *k = (jjoiner){.sep = v[1].kind == J_MISSING ? j_lit(c, ", ") : v[1]};
    return (jval){.kind = J_JOINER, .joiner = k};
}

static jval g_raise(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    const jstr *s = j_str(c, v[1]);
    j_fail(c, "%.*s", s->len > 350 ? 350 : (int)s->len, s->p);
}

static jval g_refused(jctx *c, const jval *v, const jargs *a)
{
    (void)v;
    (void)a;
    j_fail(c, "lipsum() is not supported in chat templates");
}

/* "YYYY-MM-DD", with "THH:MM", ":SS" behind it or not; microseconds in *us. */
static void parse_now(jctx *c, const char *iso, struct tm *t, int *us)
{
    int y, mo, d, h = 0, mi = 0, s = 0, used = 0;
    double fraction = 0;
    int n = sscanf(iso, "%4d-%2d-%2d%n", &y, &mo, &d, &used);
    if (n == 3 && (iso[used] == 'T' || iso[used] == ' '))
        n += sscanf(iso + used + 1, "%2d:%2d:%2d%lf", &h, &mi, &s, &fraction);
    if (n < 3 || n == 4 || mo < 1 || mo > 12 || d < 1 || d > 31 || h < 0 || h > 23 || mi < 0 || mi > 59 ||
        s < 0 || s > 60)
        j_fail(c, "\"%.40s\" is no date and time like 2024-07-26T15:04:05", iso);
    *t = (struct tm){.tm_year = y - 1900,
                     .tm_mon = mo - 1,
                     .tm_mday = d,
                     .tm_hour = h,
                     .tm_min = mi,
                     .tm_sec = s,
                     .tm_isdst = -1};
    struct tm day = *t; /* timegm finds the day of the week and of the year, whatever the zone */
    timegm(&day);
    t->tm_wday = day.tm_wday;
    t->tm_yday = day.tm_yday;
    *us = (int)(fraction * 1e6 + 0.5) % 1000000;
}

/* The format without %f, which strftime lacks, and %z, %Z, which are empty for a time without a zone. */
static const char *expand_format(jctx *c, const jstr *format, int us)
{
    jbuf b = {.c = c};
    for (size_t i = 0; i < format->len; i++) {
        char next = i + 1 < format->len ? format->p[i + 1] : 0;
        if (format->p[i] != '%' || !next) {
            j_addc(&b, format->p[i]);
            continue;
        }
        i++;
        if (next == 'f')
            j_addf(&b, "%06d", us);
        else if (next != 'z' && next != 'Z') {
            j_addc(&b, '%');
            j_addc(&b, next);
        }
    }
    j_addc(&b, 0);
    return b.p;
}

static jval g_strftime(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    struct tm t;
    int us = 0;
    const jstr *format = j_need_str(c, v[1], "strftime_now()");
    if (c->now_iso) {
        parse_now(c, c->now_iso, &t, &us);
    } else {
        struct timespec now;
        timespec_get(&now, TIME_UTC);
        localtime_r(&now.tv_sec, &t);
        us = (int)(now.tv_nsec / 1000);
    }
    if (memchr(format->p, 0, format->len))
        j_fail(c, "strftime_now() got a NUL character");
    const char *text = expand_format(c, format, us);
    size_t cap = 256 + 64 * format->len, n;
    char *p = j_alloc(c, cap, 1);
    n = strftime(p, cap, text, &t);
    jval r = j_borrow(c, p, n);
    if (r.s->ascii)
        return r;
    for (size_t i = 0; i < n;)
        if (j_char(r.s, &i) == 0xFFFD)
            j_fail(c, "strftime_now() made text that is not UTF-8");
    return r;
}

const jrow j_globals[] = {
    {"range", ".start .stop? .step?", g_range},
    {"dict", "*", g_dict},
    {"namespace", "*", g_namespace},
    {"cycler", "*", g_cycler},
    {"joiner", "sep?", g_joiner},
    {"lipsum", "*", g_refused},
    {"raise_exception", "message", g_raise},
    {"strftime_now", "format", g_strftime},
    {0},
};

const jrow j_cycler_methods[] = {{"next", "", cycler_next}, {"reset", "", cycler_reset}, {0}};

const jrow *j_find_row(const jrow *rows, const char *p, size_t n)
{
    for (; rows->name; rows++)
        if (strlen(rows->name) == n && memcmp(rows->name, p, n) == 0)
            return rows;
    return NULL;
}

const jrow *j_filter(const char *p, size_t n)
{
    const jrow *row = j_find_row(j_filters_text, p, n);
    if (!row)
        row = j_find_row(j_filters_seq, p, n);
    return row ? row : j_find_row(j_filters_pick, p, n);
}

const jrow *j_test(const char *p, size_t n) { return j_find_row(j_tests, p, n); }
