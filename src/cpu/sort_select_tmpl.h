/* Selection among elements of one type E in a total order, BEFORE(a, b), in which no two are equal:
 * quickselect, whose pivot is the middle one of three elements at scattered places. */

/* Puts the element that sorting would put at kth there, those before it in front of it, the others behind it.
 */
static void CAT(select, E)(E *a, size_t n, size_t kth)
{
    size_t lo = 0, hi = n; /* the kth lies in [lo, hi) */
    uint32_t random = 1;
    while (hi - lo > 1) {
        E p[3];
        for (int i = 0; i < 3; i++) {
            random = random * 1664525u + 1013904223u;
            p[i] = a[lo + (size_t)(((uint64_t)random * (hi - lo)) >> 32)];
        }
        E low = BEFORE(p[1], p[0]) ? p[1] : p[0], high = BEFORE(p[1], p[0]) ? p[0] : p[1];
        E pivot = BEFORE(p[2], low) ? low : BEFORE(p[2], high) ? p[2] : high;
        size_t i = lo, j = hi;
        for (;; i++) { /* up to i: not behind the pivot; from j on: not before it */
            while (BEFORE(a[i], pivot))
                i++;
            do
                j--;
            while (BEFORE(pivot, a[j]));
            if (i >= j)
                break;
            E t = a[i];
            a[i] = a[j];
            a[j] = t;
        }
        if (j + 1 == hi) /* the pivot is the last of all, and in its place */
            j--;
        if (kth <= j)
            hi = j + 1;
        else
            lo = j + 1;
    }
}
