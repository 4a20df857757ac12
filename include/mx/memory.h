/* Memory: what buffers use, what is kept for reuse, limits. Mapped files do not count. */
#ifndef MX_MEMORY_H
#define MX_MEMORY_H

#include "mx/array.h"

/* Starts the high-water mark of mx_peak_memory anew, from 0. */
MX_API void mx_reset_peak_memory(void);
/* Bytes in freed blocks that are kept for reuse. */
MX_API size_t mx_cache_memory(void);
/* Returns them to the system. */
MX_API void mx_clear_cache(void);
/* At most so many bytes are kept; returns the limit before (512 MiB at first). */
MX_API size_t mx_set_cache_limit(size_t bytes);
/* While more than so many bytes are used and kept, freed blocks go back to the system. Nothing fails by it.
 * Returns the limit before: 0.8 of the machine's memory at first. */
MX_API size_t mx_set_memory_limit(size_t bytes);
MX_API size_t mx_memory_limit(void);
/* Bytes of memory that the machine has; 0 if it does not tell. */
MX_API size_t mx_memory_size(void);

#endif
