/* Distributed computing where there is no back end for it: the group is this process alone, sums and gathers
 * over it are what goes in, and there is nobody to send to. */
#include "mlx/c/distributed.h"

#include "base/mem.h"
#include "capi/capi.h"

#include <string.h>

typedef struct members {
    int rank, size;
} members;

static bool is_any(const char *bk) { return !bk || strcmp(bk, "any") == 0; }

static bool is_known(const char *bk)
{
    static const char *const backends[] = {"mpi", "nccl", "jaccl", "ring"};
    for (size_t i = 0; i < sizeof backends / sizeof *backends; i++)
        if (strcmp(bk, backends[i]) == 0)
            return true;
    return is_any(bk);
}

/* The group of one, or NULL with an error. */
static members *group_init(bool strict, const char *bk)
{
    if (bk && !is_known(bk)) {
        error_set("[distributed] The only valid values for backend are 'any', 'mpi', 'nccl', 'jaccl' and "
                  "'ring' but "
                  "'%s' was provided.",
                  bk);
        return NULL;
    }
    if (strict) {
        error_set(
            "[distributed] Couldn't initialize any distributed backend: none is built in (asked for \"%s\")",
            is_any(bk) ? "any" : bk);
        return NULL;
    }
    members *g = mem_alloc(1, sizeof *g);
    if (g)
        *g = (members){.rank = 0, .size = 1};
    return g;
}

static int refuse_split(mlx_distributed_group g)
{
    capi_begin();
    if (capi_need(g.ctx, "mlx_distributed_group"))
        error_set("[distributed] Cannot split the distributed group further.");
    return 1;
}

#if MLX_C_ABI >= MLX_C_ABI_0_6_0_PLUS_4
mlx_distributed_group mlx_distributed_group_new(void) { return (mlx_distributed_group){0}; }

int mlx_distributed_group_free(mlx_distributed_group group)
{
    mem_free(group.ctx);
    return 0;
}

int mlx_distributed_init(mlx_distributed_group *res, bool strict, const char *bk)
{
    capi_begin();
    members *g = group_init(strict, bk);
    if (!g)
        return REPORT();
    mem_free(res->ctx);
    res->ctx = g;
    return 0;
}

int mlx_distributed_group_split(mlx_distributed_group *res, mlx_distributed_group group, int color, int key)
{
    (void)res;
    (void)color;
    (void)key;
    refuse_split(group);
    return REPORT();
}
#else
static mlx_distributed_group init(bool strict, const char *bk)
{
    capi_begin();
    members *g = group_init(strict, bk);
    if (!g)
        REPORT();
    return (mlx_distributed_group){g};
}

#if MLX_C_ABI >= MLX_C_ABI_0_6_0
mlx_distributed_group mlx_distributed_init(bool strict, const char *bk) { return init(strict, bk); }
#else
mlx_distributed_group mlx_distributed_init(bool strict) { return init(strict, NULL); }
#endif

mlx_distributed_group mlx_distributed_group_split(mlx_distributed_group group, int color, int key)
{
    (void)color;
    (void)key;
    refuse_split(group);
    REPORT();
    return (mlx_distributed_group){0};
}
#endif

#if MLX_C_ABI >= MLX_C_ABI_0_6_0
bool mlx_distributed_is_available(const char *bk)
{
    (void)bk; /* none is built in */
    return false;
}
#else
bool mlx_distributed_is_available(void) { return false; }
#endif

int mlx_distributed_group_rank(mlx_distributed_group handle)
{
    capi_begin();
    const members *g = capi_need(handle.ctx, "mlx_distributed_group");
    if (!g)
        REPORT();
    return g ? g->rank : -1;
}

int mlx_distributed_group_size(mlx_distributed_group handle)
{
    capi_begin();
    const members *g = capi_need(handle.ctx, "mlx_distributed_group");
    if (!g)
        REPORT();
    return g ? g->size : -1;
}

/* ALONE(name): a collective over a group of one. */
#define ALONE(name)                                                                                  \
    int mlx_distributed_##name(mlx_array *res, const mlx_array x, const mlx_distributed_group group, \
                               const mlx_stream s)                                                   \
    {                                                                                                \
        (void)group;                                                                                 \
        size_t mark = capi_enter(s);                                                                 \
        return LEAVE(mark, res, capi_in(x));                                                         \
    }
ALONE(all_max)
ALONE(all_min)
ALONE(all_sum)
ALONE(sum_scatter)

int mlx_distributed_all_gather(mlx_array *res, const mlx_array x, const mlx_distributed_group group,
                               const mlx_stream S)
{
    (void)group;
    size_t mark = capi_enter(S);
    return LEAVE(mark, res, capi_in(x));
}

static mlx_array nobody(const char *text)
{
    error_set("[distributed] %s", text);
    return MX_NULL;
}

int mlx_distributed_recv(mlx_array *res, const int *shape, size_t shape_num, mlx_dtype dtype, int src,
                         const mlx_distributed_group group, const mlx_stream s)
{
    (void)shape, (void)shape_num, (void)dtype, (void)src, (void)group;
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, nobody("Cannot recv from a singleton group"));
}

int mlx_distributed_recv_like(mlx_array *res, const mlx_array x, int src, const mlx_distributed_group group,
                              const mlx_stream s)
{
    (void)src, (void)group;
    size_t mark = capi_enter(s);
    capi_in(x);
    return LEAVE(mark, res, nobody("Cannot recv from a singleton group"));
}

int mlx_distributed_send(mlx_array *res, const mlx_array x, int dst, const mlx_distributed_group group,
                         const mlx_stream s)
{
    (void)dst, (void)group;
    size_t mark = capi_enter(s);
    capi_in(x);
    return LEAVE(mark, res, nobody("Cannot send to a singleton group"));
}
