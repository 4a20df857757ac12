/* Readers and writers: callbacks with a descriptor, counted, for arrays may read long after the handle is
 * gone. */
#include "capi/io_types.h"

#include "base/mem.h"
#include "capi/capi.h"

#include <stdatomic.h>

struct capi_file {
    _Atomic int refs;
    void *desc;
    mlx_io_vtable calls;
};

static capi_file *file_new(void *desc, mlx_io_vtable vtable, const char *file, int line)
{
    capi_begin();
    capi_file *f = mem_alloc(1, sizeof *f);
    if (!f) {
        capi_report(file, line);
        if (vtable.free)
            vtable.free(desc);
        return NULL;
    }
    *f = (capi_file){.refs = 1, .desc = desc, .calls = vtable};
    return f;
}

const mlx_io_vtable *capi_file_calls(const capi_file *f, void **desc)
{
    *desc = f->desc;
    return &f->calls;
}

capi_file *capi_file_retain(capi_file *f)
{
    atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
    return f;
}

void capi_file_release(capi_file *f)
{
    if (!f || atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (f->calls.free)
        f->calls.free(f->desc);
    mem_free(f);
}

static int descriptor(void **desc, const void *ctx, const char *type, const char *file, int line)
{
    capi_begin();
    const capi_file *f = capi_need((void *)(uintptr_t)ctx, type);
    if (f)
        *desc = f->desc;
    return capi_status(!f, file, line);
}

static int label(mlx_string *str, const void *ctx, const char *type, const char *file, int line)
{
    capi_begin();
    const capi_file *f = capi_need((void *)(uintptr_t)ctx, type);
    const char *text = f && f->calls.label ? f->calls.label(f->desc) : "";
    return capi_status(!f || capi_set_text(str, text ? text : ""), file, line);
}

mlx_io_reader mlx_io_reader_new(void *desc, mlx_io_vtable vtable)
{
    return (mlx_io_reader){file_new(desc, vtable, HERE)};
}

int mlx_io_reader_descriptor(void **desc_, mlx_io_reader io)
{
    return descriptor(desc_, io.ctx, "mlx_io_reader", HERE);
}

int mlx_io_reader_tostring(mlx_string *str_, mlx_io_reader io)
{
    return label(str_, io.ctx, "mlx_io_reader", HERE);
}

int mlx_io_reader_free(mlx_io_reader io)
{
    capi_file_release(io.ctx);
    return 0;
}

mlx_io_writer mlx_io_writer_new(void *desc, mlx_io_vtable vtable)
{
    return (mlx_io_writer){file_new(desc, vtable, HERE)};
}

int mlx_io_writer_descriptor(void **desc_, mlx_io_writer io)
{
    return descriptor(desc_, io.ctx, "mlx_io_writer", HERE);
}

int mlx_io_writer_tostring(mlx_string *str_, mlx_io_writer io)
{
    return label(str_, io.ctx, "mlx_io_writer", HERE);
}

int mlx_io_writer_free(mlx_io_writer io)
{
    capi_file_release(io.ctx);
    return 0;
}
