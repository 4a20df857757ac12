/* What other shims need of maps: their entries by number. */
#ifndef MICA_CAPI_MAP_H
#define MICA_CAPI_MAP_H

#include "capi/capi.h"
#include "mlx/c/map.h"

size_t capi_map_size(mlx_map_string_to_array m);
/* Borrowed: valid until the map changes. */
void capi_map_entry(mlx_map_string_to_array m, size_t i, const char **key, mlx_array *value);
size_t capi_text_map_size(mlx_map_string_to_string m);
void capi_text_map_entry(mlx_map_string_to_string m, size_t i, const char **key, const char **value);

#endif
