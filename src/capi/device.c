/* Devices: a type and an index. There is one CPU, and no other device that could be the default. */
#include "mlx/c/device.h"

#include "base/cpuid.h"
#include "base/mem.h"
#include "capi/capi.h"
#include "capi/stream.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

const capi_device *capi_device_of(mlx_device dev) { return capi_need(dev.ctx, "mlx_device"); }

int capi_set_device(mlx_device *dev, mlx_device_type type, int index)
{
    capi_device *d = dev->ctx ? dev->ctx : mem_alloc(1, sizeof *d);
    if (!d)
        return -1;
    *d = (capi_device){type, index};
    dev->ctx = d;
    return 0;
}

bool capi_device_is_cpu(const char *what, mlx_device dev)
{
    const capi_device *d = capi_device_of(dev);
    if (!d)
        return false;
    if (d->type == MLX_CPU && d->index == 0)
        return true;
    if (d->type == MLX_GPU)
        error_set("[%s] Cannot set gpu device without gpu backend.", what);
    else
        error_set("[%s] there is no device of type %d and index %d", what, (int)d->type, d->index);
    return false;
}

mlx_device mlx_device_new(void) { return (mlx_device){0}; }

mlx_device mlx_device_new_type(mlx_device_type type, int index)
{
    mlx_device dev = {0};
    capi_begin();
    if (capi_set_device(&dev, type, index))
        REPORT();
    return dev;
}

int mlx_device_free(mlx_device dev)
{
    mem_free(dev.ctx);
    return 0;
}

int mlx_device_set(mlx_device *dev, const mlx_device src)
{
    capi_begin();
    const capi_device *d = capi_device_of(src);
    return STATUS(!d || capi_set_device(dev, d->type, d->index));
}

int mlx_device_tostring(mlx_string *str, mlx_device dev)
{
    char text[64];
    capi_begin();
    const capi_device *d = capi_device_of(dev);
    if (d)
        snprintf(text, sizeof text, "Device(%s, %d)", d->type == MLX_CPU ? "cpu" : "gpu", d->index);
    return STATUS(!d || capi_set_text(str, text));
}

bool mlx_device_equal(mlx_device lhs, mlx_device rhs)
{
    capi_begin();
    const capi_device *l = capi_device_of(lhs), *r = capi_device_of(rhs);
    if (!l || !r)
        REPORT();
    return l && r && l->type == r->type && l->index == r->index;
}

int mlx_device_get_index(int *index, mlx_device dev)
{
    capi_begin();
    const capi_device *d = capi_device_of(dev);
    if (d)
        *index = d->index;
    return STATUS(!d);
}

int mlx_device_get_type(mlx_device_type *type, mlx_device dev)
{
    capi_begin();
    const capi_device *d = capi_device_of(dev);
    if (d)
        *type = d->type;
    return STATUS(!d);
}

int mlx_get_default_device(mlx_device *dev)
{
    capi_begin();
    return STATUS(capi_set_device(dev, MLX_CPU, 0));
}

int mlx_set_default_device(mlx_device dev)
{
    capi_begin();
    return STATUS(!capi_device_is_cpu("set_default_device", dev));
}

int mlx_device_count(int *count, mlx_device_type type)
{
    *count = type == MLX_CPU;
    return 0;
}

int mlx_device_is_available(bool *avail, mlx_device dev)
{
    capi_begin();
    const capi_device *d = capi_device_of(dev);
    if (d)
        *avail = d->type == MLX_CPU && d->index == 0;
    return STATUS(!d);
}

/* --- what is known of a device: a list of keys, whose values are texts or sizes --- */

typedef struct fact {
    const char *key;
    bool is_text;
    size_t size;
    char text[128];
} fact;

typedef struct fact_list {
    size_t count;
    fact facts[3];
} fact_list;

mlx_device_info mlx_device_info_new(void) { return (mlx_device_info){0}; }

static void learn_cpu(fact_list *known)
{
    struct utsname system;
    *known = (fact_list){.count = 3,
                         .facts = {{.key = "architecture", .is_text = true},
                                   {.key = "device_name", .is_text = true},
                                   {.key = "memory_size", .size = mx_memory_size()}}};
    snprintf(known->facts[0].text, sizeof known->facts[0].text, "%s",
             uname(&system) == 0 ? system.machine : "unknown");
    cpuid_name(known->facts[1].text, sizeof known->facts[1].text);
}

int mlx_device_info_get(mlx_device_info *info, mlx_device dev)
{
    bool there;
    if (mlx_device_is_available(&there, dev))
        return 1;
    fact_list *known = info->ctx ? info->ctx : mem_alloc(1, sizeof *known);
    if (!known)
        return REPORT();
    *known = (fact_list){0};
    if (there)
        learn_cpu(known);
    info->ctx = known;
    return 0;
}

int mlx_device_info_free(mlx_device_info info)
{
    mem_free(info.ctx);
    return 0;
}

/* *found = the fact of a key, or NULL. 0, or 1 with the error reported. */
static int look_up(mlx_device_info handle, const char *key, const fact **found, const char *file, int line)
{
    capi_begin();
    const fact_list *known = capi_need(handle.ctx, "mlx_device_info");
    if (!known || !capi_need((void *)(uintptr_t)key, "key"))
        return capi_report(file, line);
    *found = NULL;
    for (size_t i = 0; i < known->count; i++)
        if (strcmp(known->facts[i].key, key) == 0)
            *found = &known->facts[i];
    return 0;
}

int mlx_device_info_has_key(bool *exists, mlx_device_info info, const char *key)
{
    const fact *f;
    if (look_up(info, key, &f, HERE))
        return 1;
    *exists = f != NULL;
    return 0;
}

int mlx_device_info_is_string(bool *is_string, mlx_device_info info, const char *key)
{
    const fact *f;
    if (look_up(info, key, &f, HERE))
        return 1;
    if (f)
        *is_string = f->is_text;
    return f ? 0 : CAPI_ABSENT;
}

int mlx_device_info_get_string(const char **value, mlx_device_info info, const char *key)
{
    const fact *f;
    if (look_up(info, key, &f, HERE))
        return 1;
    if (!f || !f->is_text)
        return CAPI_ABSENT;
    *value = f->text;
    return 0;
}

int mlx_device_info_get_size(size_t *value, mlx_device_info info, const char *key)
{
    const fact *f;
    if (look_up(info, key, &f, HERE))
        return 1;
    if (!f || f->is_text)
        return CAPI_ABSENT;
    *value = f->size;
    return 0;
}

int mlx_device_info_get_keys(mlx_vector_string *keys, mlx_device_info info)
{
    const char *names[3];
    capi_begin();
    const fact_list *known = capi_need(info.ctx, "mlx_device_info");
    if (!known)
        return REPORT();
    for (size_t i = 0; i < known->count; i++)
        names[i] = known->facts[i].key;
    return mlx_vector_string_set_data(keys, names, known->count);
}
