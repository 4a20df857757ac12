/* Temporaries, slots and the thread's error state: how the rest of the library holds arrays.
 *
 * The pool is a stack of references. An operation pushes its result; mx_release pops down to a mark. So a
 * function that builds a graph frees nothing, and an early return leaks nothing: the driver's mark covers it.
 */
#include "array/temps.h"

#include "array/node.h"
#include "base/error.h"
#include "base/mem.h"

#include <stdio.h>

static _Thread_local node **pool;
static _Thread_local size_t count, capacity;
static _Thread_local char failure[1024];

mlx_array node_temp(node *n)
{
    if (!n)
        return MX_NULL;
    if (count == capacity) {
        node **grown = mem_grow(pool, &capacity, count + 1 < 256 ? 256 : count + 1, sizeof *pool);
        if (!grown) {
            node_release(n);
            return MX_NULL;
        }
        pool = grown;
    }
    pool[count++] = n;
    return node_array(n);
}

size_t mx_mark(void) { return count; }

void mx_release(size_t mark)
{
    while (count > mark)
        node_release(pool[--count]);
}

mlx_array mx_keep(size_t mark, mlx_array x)
{
    if (mx_is_null(x)) {
        mx_release(mark);
        return MX_NULL;
    }
    node_retain(node_of(x));
    mx_release(mark);
    return node_temp(node_of(x));
}

void mx_set(mlx_array *slot, mlx_array src)
{
    node *old = node_of(*slot);
    if (!mx_is_null(src))
        node_retain(node_of(src));
    *slot = src;
    node_release(old);
}

bool mx_failed(void)
{
    if (!error_pending())
        return false;
    snprintf(failure, sizeof failure, "%s", error_text());
    error_clear();
    return true;
}

const char *mx_error_text(void) { return failure; }

size_t mx_live_nodes(void) { return node_live(); }

void temps_free(void)
{
    mx_release(0);
    mem_free(pool);
    pool = NULL;
    capacity = 0;
}
