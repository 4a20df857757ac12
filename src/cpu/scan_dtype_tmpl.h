/* The scans of one dtype (dtypes_tmpl.h) and a function that finds them by their kind. */
#define NAME sum
#include "cpu/scan_tmpl.h"
#define NAME prod
#include "cpu/scan_tmpl.h"
#define NAME max
#include "cpu/scan_tmpl.h"
#define NAME min
#include "cpu/scan_tmpl.h"
#if CAT(CLASS, are_inexact)
#define NAME logaddexp
#include "cpu/scan_tmpl.h"
#endif

static scan_fn CAT(find, X)(int kind)
{
    static const scan_fn scans[PRIM_SCAN_KINDS] = {
        [PRIM_SCAN_SUM] = CAT(scan_sum, X),
        [PRIM_SCAN_PROD] = CAT(scan_prod, X),
        [PRIM_SCAN_MAX] = CAT(scan_max, X),
        [PRIM_SCAN_MIN] = CAT(scan_min, X),
#if CAT(CLASS, are_inexact)
        [PRIM_SCAN_LOGADDEXP] = CAT(scan_logaddexp, X),
#endif
    };
    return scans[kind];
}
