/* Sorting of elements of one type by the unsigned key that they hold; see sort.c. The includer defines E, the
 * element, and KEY(e), its key.
 *
 * radix is a stable sort by digits, from the lowest up: for each digit it counts how often each value occurs,
 * which tells where the elements of each value begin, and moves the elements there. A row is cut into chunks,
 * whose counts are kept apart, so that threads can count and move chunks on their own. */

typedef struct CAT(job, E) {
    const E *from;
    E *to;
    size_t n;
    int shift, bits;
    const sort_space *space;
} CAT(job, E);

static void CAT(count, E)(void *arg, size_t begin, size_t end)
{
    const CAT(job, E) *j = arg;
    size_t values = (size_t)1 << j->bits;
    for (size_t c = begin; c < end; c++) {
        uint32_t *counts = j->space->counts + c * values;
        const E *e = j->from + chunk_start(j->n, c, j->space->chunks);
        const E *stop = j->from + chunk_start(j->n, c + 1, j->space->chunks);
        memset(counts, 0, values * sizeof *counts);
        for (; e < stop; e++)
            counts[KEY(*e) >> j->shift & (values - 1)]++;
    }
}

static void CAT(move, E)(void *arg, size_t begin, size_t end)
{
    const CAT(job, E) *j = arg;
    size_t values = (size_t)1 << j->bits;
    for (size_t c = begin; c < end; c++) {
        uint32_t *places = j->space->counts + c * values;
        const E *e = j->from + chunk_start(j->n, c, j->space->chunks);
        const E *stop = j->from + chunk_start(j->n, c + 1, j->space->chunks);
        for (; e < stop; e++)
            j->to[places[KEY(*e) >> j->shift & (values - 1)]++] = *e;
    }
}

/* Few elements: each one's place is the number of those before it, counted without branches that cannot be
 * foreseen. */
static void CAT(ranks, E)(const E *a, E *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t place = 0;
        for (size_t k = 0; k < i; k++)
            place += KEY(a[k]) <= KEY(a[i]);
        for (size_t k = i + 1; k < n; k++)
            place += KEY(a[k]) < KEY(a[i]);
        b[place] = a[i];
    }
}

static void CAT(insertion, E)(E *a, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        E e = a[i];
        size_t k = i;
        for (; k > 0 && KEY(e) < KEY(a[k - 1]); k--)
            a[k] = a[k - 1];
        a[k] = e;
    }
}

/* Sorts the n elements at space->a by the lowest key_bits bits of their keys. Returns where they are then:
 * there or at space->b. */
static E *CAT(radix, E)(const sort_space *space, size_t n, int key_bits)
{
    E *a = space->a, *b = space->b;
    if (n <= TINY) {
        CAT(ranks, E)(a, b, n);
        return b;
    }
    if (n <= SMALL) {
        CAT(insertion, E)(a, n);
        return a;
    }
    CAT(job, E) j = {.n = n, .bits = key_bits <= 16 || n < LARGE ? 8 : 11, .space = space};
    for (; j.shift < key_bits; j.shift += j.bits) {
        j.from = a;
        j.to = b;
        pool_for(space->chunks, 1, CAT(count, E), &j);
        if (!counts_to_places(space, (size_t)1 << j.bits, n))
            continue;
        pool_for(space->chunks, 1, CAT(move, E), &j);
        E *t = a;
        a = b;
        b = t;
    }
    return a;
}
