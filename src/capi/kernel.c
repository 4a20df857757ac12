/* Kernels from source text: how they are launched can be described, but there is no device that runs them. As
 * in MLX, a CUDA kernel fails when it is made and a Metal kernel when it is run. */
#include "base/mem.h"
#include "capi/capi.h"
#include "mlx/c/fast.h"

#include <string.h>

enum template_kind { TEMPLATE_DTYPE, TEMPLATE_INT, TEMPLATE_BOOL };

typedef struct template_argument {
    char *name;
    enum template_kind kind;
    int value;
} template_argument;

typedef struct output {
    int *shape;
    size_t ndim;
    mlx_dtype dtype;
} output;

typedef struct launch {
    output *outputs;
    size_t n_outputs, outputs_capacity;
    template_argument *arguments;
    size_t n_arguments, arguments_capacity;
    int grid[3], group[3];
    mlx_optional_float init;
    bool verbose;
} launch;

static void launch_free(launch *l)
{
    for (size_t i = 0; l && i < l->n_outputs; i++)
        mem_free(l->outputs[i].shape);
    for (size_t i = 0; l && i < l->n_arguments; i++)
        mem_free(l->arguments[i].name);
    if (l) {
        mem_free(l->outputs);
        mem_free(l->arguments);
    }
    mem_free(l);
}

static int launch_add_output(launch *l, const int *shape, size_t n, mlx_dtype dtype)
{
    output *grown = mem_grow(l->outputs, &l->outputs_capacity, l->n_outputs + 1, sizeof *grown);
    int *copy = grown ? mem_alloc(n, sizeof *copy) : NULL;
    if (grown)
        l->outputs = grown;
    if (!copy)
        return -1;
    if (n)
        memcpy(copy, shape, n * sizeof *copy);
    l->outputs[l->n_outputs++] = (output){copy, n, dtype};
    return 0;
}

static int launch_add_argument(launch *l, const char *name, enum template_kind kind, int value)
{
    if (!capi_need((void *)(uintptr_t)name, "name"))
        return -1;
    template_argument *grown =
        mem_grow(l->arguments, &l->arguments_capacity, l->n_arguments + 1, sizeof *grown);
    char *copy = grown ? mem_strdup(name) : NULL;
    if (grown)
        l->arguments = grown;
    if (!copy)
        return -1;
    l->arguments[l->n_arguments++] = (template_argument){copy, kind, value};
    return 0;
}

#define KERNEL mlx_fast_cuda_kernel
#include "capi/kernel_tmpl.h"

#define KERNEL mlx_fast_metal_kernel
#include "capi/kernel_tmpl.h"

/* --- CUDA --- */

mlx_fast_cuda_kernel mlx_fast_cuda_kernel_new(const char *name, const mlx_vector_string input_names,
                                              const mlx_vector_string output_names, const char *source,
                                              const char *header, bool ensure_row_contiguous,
                                              int shared_memory)
{
    (void)name, (void)input_names, (void)output_names, (void)source, (void)header;
    (void)ensure_row_contiguous, (void)shared_memory;
    capi_begin();
    error_set("[cuda_kernel] No CUDA back-end.");
    REPORT();
    return (mlx_fast_cuda_kernel){0};
}

/* There is none to free. */
void mlx_fast_cuda_kernel_free(mlx_fast_cuda_kernel cls) { (void)cls; }

int mlx_fast_cuda_kernel_apply(mlx_vector_array *outputs, mlx_fast_cuda_kernel cls,
                               const mlx_vector_array inputs, const mlx_fast_cuda_kernel_config config,
                               const mlx_stream stream)
{
    (void)outputs, (void)inputs, (void)config, (void)stream;
    capi_begin();
    if (capi_need(cls.ctx, "mlx_fast_cuda_kernel"))
        error_set("[cuda_kernel] No CUDA back-end.");
    return REPORT();
}

/* --- Metal: the handle holds the kernel's name --- */

mlx_fast_metal_kernel mlx_fast_metal_kernel_new(const char *name, const mlx_vector_string input_names,
                                                const mlx_vector_string output_names, const char *source,
                                                const char *header, bool ensure_row_contiguous,
                                                bool atomic_outputs)
{
    (void)header, (void)ensure_row_contiguous, (void)atomic_outputs;
    capi_begin();
    bool complete =
        capi_need((void *)(uintptr_t)name, "name") && capi_need((void *)(uintptr_t)source, "source") &&
        capi_need(input_names.ctx, "mlx_vector_string") && capi_need(output_names.ctx, "mlx_vector_string");
    char *copy = complete ? mem_strdup(name) : NULL;
    if (!copy)
        REPORT();
    return (mlx_fast_metal_kernel){copy};
}

void mlx_fast_metal_kernel_free(mlx_fast_metal_kernel cls) { mem_free(cls.ctx); }

int mlx_fast_metal_kernel_apply(mlx_vector_array *outputs, mlx_fast_metal_kernel cls,
                                const mlx_vector_array inputs, const mlx_fast_metal_kernel_config config,
                                const mlx_stream stream)
{
    (void)outputs, (void)inputs, (void)config, (void)stream;
    capi_begin();
    const char *name = capi_need(cls.ctx, "mlx_fast_metal_kernel");
    if (name)
        error_set("[metal_kernel] No Metal back-end. (kernel \"%s\")", name);
    return REPORT();
}
