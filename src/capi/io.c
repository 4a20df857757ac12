/* Arrays in files: npy and safetensors, by name or by callbacks. */
#include "mlx/c/io.h"

#include "base/mem.h"
#include "capi/capi.h"
#include "capi/io_types.h"
#include "capi/map.h"
#include "io/npy.h"
#include "io/safetensors.h"
#include "mx/io.h"

static void hold(void *file) { capi_file_retain(file); }
static void drop(void *file) { capi_file_release(file); }

/* The callbacks of a handle; false with an error for an empty one. */
static bool stream_of(stream *to, void *ctx, const char *type)
{
    capi_file *f = capi_need(ctx, type);
    if (!f)
        return false;
    const mlx_io_vtable *v = capi_file_calls(f, &to->desc);
    to->calls = (stream_calls){v->is_open,        v->good,  v->tell,  v->seek, v->read,
                               v->read_at_offset, v->write, v->label, v->free};
    to->owner = f;
    to->hold = hold;
    to->drop = drop;
    return true;
}

/* --- npy --- */

int mlx_load(mlx_array *res, const char *file, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    mlx_array x = capi_text(file, "file") ? mx_load(file) : MX_NULL;
    if (mx_is_null(x) && file)
        capi_name_op("load");
    return LEAVE(mark, res, x);
}

int mlx_load_reader(mlx_array *res, mlx_io_reader in_stream, const mlx_stream s)
{
    stream from;
    size_t mark = capi_enter(s);
    return LEAVE(mark, res,
                 stream_of(&from, in_stream.ctx, "mlx_io_reader") ? npy_load_stream(&from) : MX_NULL);
}

int mlx_save(const char *file, const mlx_array a)
{
    size_t mark = capi_begin();
    int rc = !capi_text(file, "file") || mx_is_null(capi_in(a)) || (mx_save(file, a) && capi_name_op("save"));
    mx_release(mark);
    return STATUS(rc);
}

int mlx_save_writer(mlx_io_writer out_stream, const mlx_array a)
{
    stream to;
    size_t mark = capi_begin();
    int rc =
        !stream_of(&to, out_stream.ctx, "mlx_io_writer") || mx_is_null(capi_in(a)) || npy_save_stream(&to, a);
    mx_release(mark);
    return STATUS(rc);
}

/* --- safetensors --- */

/* Fills both maps from an open file. 0, or 1 with the error reported or pending. */
static int fill_maps(mlx_map_string_to_array arrays, mlx_map_string_to_string metadata, const safetensors *f)
{
    int rc = !arrays.ctx || !metadata.ctx;
    for (size_t i = 0; i < f->count && !rc; i++) {
        mlx_array x = safetensors_array(f, &f->tensors[i]);
        rc = mx_is_null(x) || mlx_map_string_to_array_insert(arrays, f->tensors[i].name, x);
    }
    for (size_t i = 0; i + 1 < 2 * f->n_metadata && !rc; i += 2)
        rc = mlx_map_string_to_string_insert(metadata, f->metadata[i], f->metadata[i + 1]);
    return rc;
}

/* Ends a load: f, open if rc is 0, becomes the two maps, or neither changes. */
static int leave_maps(size_t mark, mlx_map_string_to_array *res_0, mlx_map_string_to_string *res_1,
                      safetensors *f, int rc, const char *file, int line)
{
    mlx_map_string_to_array arrays = {0};
    mlx_map_string_to_string metadata = {0};
    if (rc) {
        mx_release(mark);
        return capi_report(file, line);
    }
    arrays = mlx_map_string_to_array_new();
    metadata = mlx_map_string_to_string_new();
    int status = fill_maps(arrays, metadata, f);
    if (status && error_pending())
        capi_report(file, line);
    status =
        status || mlx_map_string_to_string_set(res_1, metadata) || mlx_map_string_to_array_set(res_0, arrays);
    mlx_map_string_to_array_free(arrays);
    mlx_map_string_to_string_free(metadata);
    safetensors_close(f);
    mx_release(mark);
    return status;
}

int mlx_load_safetensors(mlx_map_string_to_array *res_0, mlx_map_string_to_string *res_1, const char *file,
                         const mlx_stream s)
{
    safetensors f = {0};
    size_t mark = capi_enter(s);
    int rc = error_pending() || !capi_text(file, "file") ||
             (safetensors_open(&f, file) && capi_name_op("load_safetensors"));
    return leave_maps(mark, res_0, res_1, &f, rc, HERE);
}

int mlx_load_safetensors_reader(mlx_map_string_to_array *res_0, mlx_map_string_to_string *res_1,
                                mlx_io_reader in_stream, const mlx_stream s)
{
    safetensors f = {0};
    stream from;
    size_t mark = capi_enter(s);
    int rc = error_pending() || !stream_of(&from, in_stream.ctx, "mlx_io_reader") ||
             (safetensors_load_stream(&f, &from) && capi_name_op("load_safetensors"));
    return leave_maps(mark, res_0, res_1, &f, rc, HERE);
}

/* The maps' entries as lists, for saving. */
typedef struct lists {
    const char **names;
    mlx_array *arrays;
    const char *(*metadata)[2];
    safetensors_map map;
} lists;

static void lists_free(lists *l)
{
    mem_free(l->names);
    mem_free(l->arrays);
    mem_free(l->metadata);
}

/* 0, or -1 with an error; to be freed in either case. */
static int lists_of(lists *l, mlx_map_string_to_array param, mlx_map_string_to_string metadata)
{
    size_t n = capi_map_size(param), m = capi_text_map_size(metadata);
    *l = (lists){0};
    if (!capi_need(param.ctx, "mlx_map_string_to_array") ||
        !capi_need(metadata.ctx, "mlx_map_string_to_string"))
        return -1;
    l->names = mem_alloc(n, sizeof *l->names);
    l->arrays = mem_alloc(n, sizeof *l->arrays);
    l->metadata = mem_alloc(m, sizeof *l->metadata);
    if (!l->names || !l->arrays || !l->metadata)
        return -1;
    for (size_t i = 0; i < n; i++)
        capi_map_entry(param, i, &l->names[i], &l->arrays[i]);
    for (size_t i = 0; i < m; i++)
        capi_text_map_entry(metadata, i, &l->metadata[i][0], &l->metadata[i][1]);
    l->map = (safetensors_map){l->names, l->arrays, n, (const char *const(*)[2])l->metadata, m};
    return 0;
}

int mlx_save_safetensors(const char *file, const mlx_map_string_to_array param,
                         const mlx_map_string_to_string metadata)
{
    lists l = {0};
    size_t mark = capi_begin();
    int rc = !capi_text(file, "file") || lists_of(&l, param, metadata) ||
             (safetensors_save_map(file, &l.map) && capi_name_op("save_safetensors"));
    lists_free(&l);
    mx_release(mark);
    return STATUS(rc);
}

int mlx_save_safetensors_writer(mlx_io_writer in_stream, const mlx_map_string_to_array param,
                                const mlx_map_string_to_string metadata)
{
    lists l = {0};
    stream to;
    size_t mark = capi_begin();
    int rc = !stream_of(&to, in_stream.ctx, "mlx_io_writer") || lists_of(&l, param, metadata) ||
             (safetensors_save_stream(&to, &l.map) && capi_name_op("save_safetensors"));
    lists_free(&l);
    mx_release(mark);
    return STATUS(rc);
}
