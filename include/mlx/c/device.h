/** @file
 * Devices. */
#ifndef MLX_C_DEVICE_H
#define MLX_C_DEVICE_H

#include "mlx/c/string.h"
#include "mlx/c/vector.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/** A device. */
typedef struct mlx_device_ {
    void *ctx;
} mlx_device;

/** Kinds of devices. */
typedef enum mlx_device_type_ {
    MLX_CPU,
    MLX_GPU,
} mlx_device_type;

/** What is known of a device: a table of texts and sizes. */
typedef struct mlx_device_info_ {
    void *ctx;
} mlx_device_info;

/** The empty handle. */
mlx_device mlx_device_new(void);

/** A device by type and index. It need not exist. */
mlx_device mlx_device_new_type(mlx_device_type type, int index);

/** Drops a handle. */
int mlx_device_free(mlx_device dev);

/** *dev becomes a copy of src. */
int mlx_device_set(mlx_device *dev, const mlx_device src);

/** "Device(cpu, 0)". */
int mlx_device_tostring(mlx_string *str, mlx_device dev);

/** Are type and index the same? */
bool mlx_device_equal(mlx_device lhs, mlx_device rhs);

/** Its index in *index. */
int mlx_device_get_index(int *index, mlx_device dev);

/** Its type in *type. */
int mlx_device_get_type(mlx_device_type *type, mlx_device dev);

/** The device that default streams are on: the CPU where there is no GPU. One for the process. */
int mlx_get_default_device(mlx_device *dev);

/** Makes dev the default; a device that does not exist is an error. */
int mlx_set_default_device(mlx_device dev);

/** *avail = is there such a device? */
int mlx_device_is_available(bool *avail, mlx_device dev);

/** *count = number of devices of a type: one CPU, and no GPU where there is none. */
int mlx_device_count(int *count, mlx_device_type type);

/** The empty handle. */
mlx_device_info mlx_device_info_new(void);

/** *info becomes a table of what is known of a device; for the CPU at least the texts "architecture" and
 * "device_name". Empty for a device that does not exist. */
int mlx_device_info_get(mlx_device_info *info, mlx_device dev);

/** Drops it. */
int mlx_device_info_free(mlx_device_info info);

/** *exists = does the table have the key? */
int mlx_device_info_has_key(bool *exists, mlx_device_info info, const char *key);

/** *is_string = is the value a text (else a size)? 2, without an error, when the key is absent. */
int mlx_device_info_is_string(bool *is_string, mlx_device_info info, const char *key);

/** The text of a key, owned by the table. 2, without an error, when it is absent or a size. */
int mlx_device_info_get_string(const char **value, mlx_device_info info, const char *key);

/** The size of a key. 2, without an error, when it is absent or a text. */
int mlx_device_info_get_size(size_t *value, mlx_device_info info, const char *key);

/** *keys becomes the list of keys. */
int mlx_device_info_get_keys(mlx_vector_string *keys, mlx_device_info info);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
