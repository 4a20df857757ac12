/* What steps have in common, whatever keeps their keys and values. */
#include "kv/step.h"

#include "nn/linear.h"

#include <limits.h>

mlx_array kv_select(const kv_step *s, mlx_array h)
{
    int before = nn_drawn_rows(-1);
    if (before >= 0) /* what follows gives the logits: one row each, whatever the kind */
        before = INT_MAX;
    nn_drawn_rows(before);
    if (!s->wanted || mx_is_null(h))
        return h;
    int first = s->n_wanted ? s->wanted[0] : 0, last = s->n_wanted ? s->wanted[s->n_wanted - 1] + 1 : 0;
    if (last - first == s->n_wanted) /* neighbours: a view */
        return first == 0 && last == mx_dim(h, 1) ? h : mx_slice_axis(h, 1, first, last);
    return mx_take(h, mx_from(s->wanted, SHAPE(s->n_wanted), MLX_INT32), 1);
}
