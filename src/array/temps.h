/* The thread's pool of temporaries (see mx.h: mx_mark, mx_release). */
#ifndef MICA_ARRAY_TEMPS_H
#define MICA_ARRAY_TEMPS_H

/* Releases all temporaries of this thread and the pool's memory. */
void temps_free(void);

#endif
