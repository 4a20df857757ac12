/* Line input. libedit is driven by its own interface, with a reader of ours for single characters: a read
 * that Ctrl-C interrupts must end the line (libedit's own tries again), and the terminal's UTF-8 must be
 * understood whatever LANG says. */
#include "cli/lineedit.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "cli/cli.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifdef HAVE_LIBEDIT
#include <histedit.h>
#include <langinfo.h>
#include <locale.h>
#endif

enum { LINE_LIMIT = 64 << 20 };

struct lineedit {
    bool interactive;
    const char *prompt;
    char *block; /* of plain reads: bytes [at, end) are not taken yet */
    size_t at, end;
#ifdef HAVE_LIBEDIT
    EditLine *el;
    History *history;
#endif
};

enum { BLOCK = 65536 };

#ifdef HAVE_LIBEDIT
static char *show_prompt(EditLine *el)
{
    lineedit *e;
    el_get(el, EL_CLIENTDATA, &e);
    return (char *)(size_t)e->prompt;
}

static volatile sig_atomic_t resized;

static void on_resize(int sig)
{
    (void)sig;
    resized = 1;
}

/* libedit asks for the terminal's size once, unless it is told. (It can watch signals itself, but then takes
 * Ctrl-C too.) */
static void follow_size(EditLine *el)
{
    if (!resized)
        return;
    resized = 0;
    el_resize(el);
}

/* One character from the terminal: 1, 0 at its end, -1 when interrupted. */
static int read_char(EditLine *el, wchar_t *out)
{
    char bytes[4];
    size_t n = 0;
    for (;;) {
        ssize_t got = read(STDIN_FILENO, bytes + n, 1);
        if (got < 0 && errno == EINTR && !cli_interrupt_pending(NULL))
            continue;
        if (got <= 0)
            return (int)got;
        n++;
        if (n < 4 && utf8_pending(bytes, n) == n)
            continue;
        uint32_t c;
        utf8_decode(bytes, n, &c);
        follow_size(el);
        *out = (wchar_t)c;
        return 1;
    }
}

static int start_editing(lineedit *e)
{
    if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0 && !setlocale(LC_CTYPE, "C.UTF-8"))
        setlocale(LC_CTYPE, "en_US.UTF-8");
    HistEvent event;
    e->el = el_init("mica", stdin, stdout, stderr);
    e->history = history_init();
    if (!e->el || !e->history)
        return error_set("out of memory for line editing");
    history(e->history, &event, H_SETSIZE, 1000);
    history(e->history, &event, H_SETUNIQUE, 1);
    el_set(e->el, EL_CLIENTDATA, e);
    el_set(e->el, EL_PROMPT, show_prompt);
    el_set(e->el, EL_EDITOR, "emacs");
    el_set(e->el, EL_HIST, history, e->history);
    el_set(e->el, EL_GETCFN, read_char);
    el_set(e->el, EL_BIND, "^R", "em-inc-search-prev", NULL);
    struct sigaction action = {.sa_handler = on_resize, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGWINCH, &action, NULL);
    el_source(e->el, NULL); /* the user's ~/.editrc, if there is one */
    return 0;
}

static line_result edit_line(lineedit *e, strbuf *line)
{
    int n;
    follow_size(e->el);
    const char *text = el_gets(e->el, &n);
    if (!text || n <= 0) {
        bool stopped = cli_interrupt_pending(NULL);
        el_reset(e->el);
        putchar('\n');
        return stopped ? LINE_INTERRUPTED : LINE_END;
    }
    strbuf_add(line, text, (size_t)n);
    return LINE_TEXT;
}
#endif

lineedit *lineedit_new(void)
{
    lineedit *e = mem_calloc(1, sizeof *e);
    if (!e)
        return NULL;
    e->interactive = isatty(STDIN_FILENO);
#ifdef HAVE_LIBEDIT
    if (e->interactive && isatty(STDOUT_FILENO)) {
        if (start_editing(e) == 0)
            return e;
        lineedit_free(e);
        return NULL;
    }
#endif
    e->block = mem_alloc(BLOCK, 1);
    if (e->block)
        return e;
    lineedit_free(e);
    return NULL;
}

void lineedit_free(lineedit *e)
{
    if (!e)
        return;
#ifdef HAVE_LIBEDIT
    if (e->el)
        el_end(e->el);
    if (e->history)
        history_end(e->history);
#endif
    mem_free(e->block);
    mem_free(e);
}

bool lineedit_interactive(const lineedit *e) { return e->interactive; }

static line_result fill(lineedit *e)
{
    ssize_t n;
    while ((n = read(STDIN_FILENO, e->block, BLOCK)) < 0 && errno == EINTR)
        if (cli_interrupt_pending(NULL)) {
            if (e->interactive)
                putchar('\n');
            return LINE_INTERRUPTED;
        }
    if (n < 0)
        return (line_result)error_set("standard input: %s", strerror(errno));
    e->at = 0;
    e->end = (size_t)n;
    return n ? LINE_TEXT : LINE_END;
}

static line_result plain_line(lineedit *e, strbuf *line)
{
    for (;;) {
        if (e->at == e->end) {
            line_result r = fill(e);
            if (r == LINE_END && line->len)
                return LINE_TEXT; /* a last line without its newline */
            if (r != LINE_TEXT)
                return r;
        }
        const char *from = e->block + e->at, *newline = memchr(from, '\n', e->end - e->at);
        size_t n = newline ? (size_t)(newline - from) + 1 : e->end - e->at;
        if (line->len + n > LINE_LIMIT)
            return (line_result)error_set("standard input: a line is longer than %d MB", LINE_LIMIT >> 20);
        strbuf_add(line, from, n);
        e->at += n;
        if (newline)
            return LINE_TEXT;
    }
}

line_result lineedit_read(lineedit *e, const char *prompt, strbuf *line)
{
    strbuf_clear(line);
    e->prompt = prompt;
    line_result r;
#ifdef HAVE_LIBEDIT
    if (e->el) {
        fflush(stdout);
        r = edit_line(e, line);
    } else
#endif
    {
        if (e->interactive)
            fputs(prompt, stdout);
        fflush(stdout);
        r = plain_line(e, line);
    }
    if (line->failed)
        return LINE_ERROR;
    while (line->len && (line->data[line->len - 1] == '\n' || line->data[line->len - 1] == '\r'))
        line->data[--line->len] = 0;
    return r;
}

void lineedit_remember(lineedit *e, const char *text)
{
#ifdef HAVE_LIBEDIT
    HistEvent event;
    if (e->el && *text)
        history(e->history, &event, H_ENTER, text);
#else
    (void)e;
    (void)text;
#endif
}
