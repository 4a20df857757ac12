/* Progress bars. The terminal's width is asked at every drawing, so that resizing cannot wrap the line. */
#include "cli/progress.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { BAR = 24 };

void progress_start(progress *p, const char *label, progress_unit unit)
{
    *p = (progress){.label = label, .unit = unit, .start = clock_seconds()};
    const char *term = getenv("TERM");
    p->terminal = isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
    p->last = p->start + (p->terminal ? 0.9 : 4); /* the first drawing comes 0.1 s (1 s) after this */
}

static int format_amount(const progress *p, size_t done, size_t total, char *out, size_t size)
{
    if (p->unit == PROGRESS_BYTES) {
        if (total)
            return snprintf(out, size, "%.2f/%.2f GB", (double)done * 1e-9, (double)total * 1e-9);
        return snprintf(out, size, "%.2f GB", (double)done * 1e-9);
    }
    if (total)
        return snprintf(out, size, "%zu/%zu", done, total);
    return snprintf(out, size, "%zu", done);
}

void progress_format(const progress *p, size_t done, size_t total, double seconds, int width, char *out,
                     size_t size)
{
    char amount[64], bar[BAR + 8] = "", left[48] = "";
    format_amount(p, done, total, amount, sizeof amount);
    if (total) {
        double part = done < total ? (double)done / (double)total : 1;
        int full = (int)(part * BAR);
        bar[0] = '[';
        for (int i = 0; i < BAR; i++)
            bar[1 + i] = i < full ? '=' : i == full ? '>' : ' ';
        memcpy(bar + 1 + BAR, "] ", 3);
        if (part > 0.02 && part < 1)
            snprintf(left, sizeof left, ", %.0f s left", seconds / part * (1 - part));
        snprintf(out, size, "%s %s%3.0f%% %s%s", p->label, bar, part * 100, amount, left);
        if ((int)strlen(out) > width)
            snprintf(out, size, "%s %3.0f%%", p->label, part * 100);
    } else {
        snprintf(out, size, "%s %s", p->label, amount);
    }
    if (width >= 0 && (size_t)width < strlen(out))
        out[width] = 0;
}

static int terminal_width(void)
{
    struct winsize w;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 1 ? w.ws_col - 1 : 79;
}

void progress_update(progress *p, size_t done, size_t total)
{
    double now = clock_seconds();
    if (now - p->last < (p->terminal ? 0.1 : p->drawn ? 10 : 1))
        return;
    p->last = now;
    p->drawn = true;
    char line[256];
    progress_format(p, done, total, now - p->start, p->terminal ? terminal_width() : 250, line, sizeof line);
    if (p->terminal)
        fprintf(stderr, "\r\033[K%s", line);
    else
        fprintf(stderr, "%s\n", line);
    fflush(stderr);
}

void progress_end(progress *p)
{
    if (p->terminal && p->drawn)
        fputs("\r\033[K", stderr);
    p->drawn = false;
    p->terminal = false;
}
