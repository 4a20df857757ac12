/* Memory, the version, and the devices that are not there. */
#include "mlx/c/memory.h"

#include "capi/capi.h"
#include "mlx/c/cuda.h"
#include "mlx/c/metal.h"
#include "mlx/c/version.h"
#include "mx/memory.h"

/* The version of MLX whose behaviour the library has. */
#define MLX_VERSION "0.32.2"

int mlx_clear_cache(void)
{
    mx_clear_cache();
    return 0;
}

int mlx_get_active_memory(size_t *res)
{
    *res = mx_active_memory();
    return 0;
}

int mlx_get_cache_memory(size_t *res)
{
    *res = mx_cache_memory();
    return 0;
}

int mlx_get_memory_limit(size_t *res)
{
    *res = mx_memory_limit();
    return 0;
}

int mlx_get_peak_memory(size_t *res)
{
    *res = mx_peak_memory();
    return 0;
}

int mlx_reset_peak_memory(void)
{
    mx_reset_peak_memory();
    return 0;
}

int mlx_set_cache_limit(size_t *res, size_t limit)
{
    *res = mx_set_cache_limit(limit);
    return 0;
}

int mlx_set_memory_limit(size_t *res, size_t limit)
{
    *res = mx_set_memory_limit(limit);
    return 0;
}

/* Only a GPU's memory can be wired: there is none, so its limit stays 0. */
int mlx_set_wired_limit(size_t *res, size_t limit)
{
    (void)limit;
    *res = 0;
    return 0;
}

int mlx_version(mlx_string *str_)
{
    capi_begin();
    return STATUS(capi_set_text(str_, MLX_VERSION));
}

int mlx_cuda_is_available(bool *res)
{
    *res = false;
    return 0;
}

int mlx_metal_is_available(bool *res)
{
    *res = false;
    return 0;
}

/* There is nothing to capture. */
int mlx_metal_start_capture(const char *path)
{
    (void)path;
    return 0;
}

int mlx_metal_stop_capture(void) { return 0; }
