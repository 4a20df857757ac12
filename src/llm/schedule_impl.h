/* What the two halves of the scheduler tell each other. */
#ifndef MICA_LLM_SCHEDULE_IMPL_H
#define MICA_LLM_SCHEDULE_IMPL_H

#include "llm/schedule.h"

/* Does a come before b? */
bool sched_before(const sequence *a, const sequence *b);
/* A sequence with its tables begun joins those that run. */
void sched_run(sched *s, sequence *q);
/* A running sequence gives its blocks back and waits. */
void sched_preempt(sched *s, sequence *q);
/* Promises a sequence the blocks that it will still take for the tokens it has, or none. */
void sched_promise(sched *s, sequence *q, bool any);
/* Free blocks that are not promised. */
int sched_spare(const sched *s, int group);

#endif
