/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What PyTorch checks before it fills: ATen/native/DistributionTemplates.h. Some checks come before
 * it leaves an empty tensor alone, and some, those of the kernels' dtypes mostly, after.
 */
#include <math.h>

#include "kernels/kernels.h"
#include "random/distributions.h"

static kdl_status not_implemented(kdl_context *ctx, const char *place, const char *kernel,
                                  kdl_dtype dtype)
{
    return kdl__fail_at(ctx, place, KDL_ERROR_NOT_IMPLEMENTED, "\"%s\" not implemented for '%s'",
                        kernel, kdl_dtype_scalar_name(dtype));
}

static kdl_status out_of_bounds(kdl_context *ctx, const char *place, const char *name,
                                kdl_dtype dtype)
{
    return kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME, "%s is out of bounds for %s", name,
                        kdl__dtype_cpp_name(dtype));
}

static kdl_status check_uniform(kdl_context *ctx, const char *place, const kdl__fill *fill)
{
    const double from = fill->a, to = fill->b;
    if (!kdl_dtype_is_floating_point(fill->dtype))
        return not_implemented(ctx, place, "check_uniform_bounds", fill->dtype);
    const double max = kdl__float_max(fill->dtype);
    if (!(from >= -max && from <= max))
        return out_of_bounds(ctx, place, "from", fill->dtype);
    if (!(to >= -max && to <= max))
        return out_of_bounds(ctx, place, "to", fill->dtype);
    if (from > to)
        return kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                            "uniform_ expects to return a [from, to) range, but found from=%g > "
                            "to=%g",
                            from, to);
    if (to - from > max)
        return kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                            "uniform_ expects to-from <= std::numeric_limits<%s>::max(), but found "
                            "to=%g and from=%g which result in to-from to exceed the limit",
                            kdl_dtype_scalar_name(fill->dtype), to, from);
    return KDL_OK;
}

/* "NAME expects WHAT, but ... VALUE" unless `ok`. */
static kdl_status expect(kdl_context *ctx, const char *place, bool ok, const char *what,
                         double value)
{
    return ok ? KDL_OK : kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME, "%s%g", what, value);
}

static kdl_status continuous_only(kdl_context *ctx, const char *place, const char *distribution,
                                  const char *dtype)
{
    return kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                        "%s distribution is a continuous probability distribution. dtype must be "
                        "a floating point but you specified %s",
                        distribution, dtype);
}

static kdl_status check_arguments(kdl_context *ctx, const char *place, const kdl__fill *fill)
{
    const double a = fill->a, b = fill->b;
    switch (fill->distribution) {
    case KDL__UNIFORM:
        return check_uniform(ctx, place, fill);
    case KDL__NORMAL:
    case KDL__NORMAL_SERIAL:
        return expect(ctx, place, b >= 0.0, "normal expects std >= 0.0, but found std ", b);
    case KDL__LOG_NORMAL:
        return expect(ctx, place, b > 0.0, "log_normal_ expects std > 0.0, but found std=", b);
    case KDL__EXPONENTIAL:
        return expect(ctx, place, a > 0.0,
                      "exponential_ expects lambda > 0.0, but found lambda=", a);
    case KDL__CAUCHY:
        return expect(ctx, place, b > 0.0, "cauchy_ expects sigma > 0.0, but found sigma=", b);
    case KDL__GEOMETRIC:
        return expect(ctx, place, a > 0.0 && a < 1.0,
                      "geometric_ expects p to be in (0, 1), but got p=", a);
    case KDL__BERNOULLI:
        return expect(ctx, place, a >= 0.0 && a <= 1.0,
                      "bernoulli_ expects p to be in [0, 1], but got p=", a);
    default: /* random_: see kdl__fill_set_range */
        return KDL_OK;
    }
}

/* What random_ from -2^63 on, without an end, is there for. */
static kdl_status check_whole_range(kdl_context *ctx, const char *place, kdl_dtype dtype)
{
    static const char kernel[] = "random_full_64_bits_range_kernel_cpu";
    if (dtype == KDL_F16 || dtype == KDL_BOOL)
        return not_implemented(ctx, place, kernel, dtype);
    if (dtype == KDL_I32 || dtype == KDL_U8)
        return kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                            "%s handles only int64, double, float and bfloat16", kernel);
    return KDL_OK;
}

static kdl_status check_dtype(kdl_context *ctx, const char *place, const kdl__fill *fill)
{
    const kdl_dtype dtype = fill->dtype;
    const bool is_float = kdl_dtype_is_floating_point(dtype);
    switch (fill->distribution) {
    case KDL__NORMAL:
    case KDL__NORMAL_SERIAL:
        return is_float ? KDL_OK : not_implemented(ctx, place, "normal_kernel_cpu", dtype);
    case KDL__LOG_NORMAL:
        return is_float ? KDL_OK : not_implemented(ctx, place, "log_normal_cpu", dtype);
    case KDL__GEOMETRIC:
        return dtype != KDL_BOOL ? KDL_OK : not_implemented(ctx, place, "geometric_cpu", dtype);
    case KDL__RANDOM:
        return fill->range ? KDL_OK : check_whole_range(ctx, place, dtype);
    case KDL__EXPONENTIAL:
        return is_float ? KDL_OK
                        : continuous_only(ctx, place, "Exponential", kdl_dtype_scalar_name(dtype));
    default:
        return KDL_OK;
    }
}

kdl_status kdl__fill_check(kdl_context *ctx, const char *place, const kdl__fill *fill)
{
    kdl_status status = check_arguments(ctx, place, fill);
    if (status)
        return status;
    if (fill->distribution == KDL__CAUCHY && !kdl_dtype_is_floating_point(fill->dtype))
        return continuous_only(ctx, place, "Cauchy", kdl__dtype_cpp_name(fill->dtype));
    return fill->numel == 0 ? KDL_OK : check_dtype(ctx, place, fill);
}

/* ---- random_(from, to) ------------------------------------------------------------------- */

/* Significant bits of a float dtype. */
static int float_digits(kdl_dtype dtype)
{
    switch (dtype) {
    case KDL_F16:
        return 11;
    case KDL_BF16:
        return 8;
    case KDL_F32:
        return 24;
    default:
        return 53;
    }
}

/* The integer that `value` becomes in the dtype and back. */
static int64_t rounded(kdl_dtype dtype, int64_t value)
{
    uint64_t element = 0;
    int64_t back;
    kdl__kernels_ref.convert(KDL_I64, &value, dtype, &element, 1);
    kdl__kernels_ref.convert(dtype, &element, KDL_I64, &back, 1);
    return back;
}

/* The distance of the dtype's numbers at an integer of that size. */
static int64_t spacing(kdl_dtype dtype, int64_t value)
{
    uint64_t magnitude = value < 0 ? -(uint64_t)value : (uint64_t)value;
    int shift = 63 - __builtin_clzll(magnitude | 1) - float_digits(dtype) + 1;
    return INT64_C(1) << (shift & 63);
}

/*
 * The bounds move inwards where the numbers next to them round outwards: only where the dtype's
 * numbers are coarser than integers, so that the spacing is 2 at least. There must be an integer
 * above `low` and below `high`.
 */
static int64_t round_low(kdl_dtype dtype, int64_t low)
{
    int64_t above = rounded(dtype, low + 1);
    return above < low ? (int64_t)((uint64_t)above + (uint64_t)spacing(dtype, low + 1)) : low;
}

static int64_t round_high(kdl_dtype dtype, int64_t high)
{
    int64_t below = rounded(dtype, high - 1);
    return below >= high ? (int64_t)((uint64_t)below - (uint64_t)spacing(dtype, high - 1)) : high;
}

static bool in_dtype(kdl_dtype dtype, int64_t value)
{
    switch (dtype) {
    case KDL_I64:
        return true;
    case KDL_I32:
        return value >= INT32_MIN && value <= INT32_MAX;
    case KDL_U8:
        return value >= 0 && value <= UINT8_MAX;
    case KDL_BOOL:
        return value == 0 || value == 1;
    default:
        return fabs((double)value) <= kdl__float_max(dtype);
    }
}

static void warn_if_imprecise(kdl_context *ctx, const char *name, kdl_dtype dtype, int64_t value)
{
    const int digits = float_digits(dtype);
    const int64_t limit = INT64_C(1) << digits;
    if (value < -limit || value > limit)
        kdl__warn(ctx,
                  "%s is out of bounds [-(2^%d), 2^%d]. Due to precision limitations %s can "
                  "support discrete uniform distribution only within this range. This warning will "
                  "become an error in version 1.7 release, please fix the code in advance",
                  name, digits, digits, kdl__dtype_cpp_name(dtype));
}

kdl_status kdl__fill_set_range(kdl_context *ctx, const char *place, kdl__fill *fill, int64_t from,
                               int64_t to)
{
    const kdl_dtype dtype = fill->dtype;
    const bool is_float = kdl_dtype_is_floating_point(dtype);
    if (from >= to)
        return kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                            "random_ expects 'from' to be less than 'to', but got from=%lld >= "
                            "to=%lld",
                            (long long)from, (long long)to);
    if (is_float) {
        from = round_low(dtype, from);
        to = round_high(dtype, to);
    }
    if (from >= to)
        return kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                            "random_ expects 'from' casted to dtype to be less than 'to' casted to "
                            "dtype, but got from=%lld >= to=%lld",
                            (long long)from, (long long)to);
    if (!in_dtype(dtype, from))
        return out_of_bounds(ctx, place, "from", dtype);
    if (!in_dtype(dtype, to - 1))
        return out_of_bounds(ctx, place, "to - 1", dtype);
    if (is_float) {
        warn_if_imprecise(ctx, "from", dtype, from);
        warn_if_imprecise(ctx, "to - 1", dtype, to - 1);
    }
    fill->distribution = KDL__RANDOM;
    fill->low = from;
    fill->range = (uint64_t)to - (uint64_t)from;
    return KDL_OK;
}

kdl_status kdl__fill_set_from(kdl_context *ctx, const char *place, kdl__fill *fill, int64_t from)
{
    const kdl_dtype dtype = fill->dtype;
    const bool is_float = kdl_dtype_is_floating_point(dtype);
    const int64_t last = (int64_t)(kdl__dtype_range(dtype) - 1);
    fill->distribution = KDL__RANDOM;
    fill->low = 0;
    fill->range = 0; /* every 64-bit integer */
    if (from == INT64_MIN)
        return KDL_OK;
    if (is_float && from < INT64_MAX)
        from = round_low(dtype, from);
    if (is_float && from >= last)
        return kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                            "random_ expects 'from' casted to dtype to be less than or equal to "
                            "'to_inc' casted to dtype, but got from=%lld > to_inc=%lld",
                            (long long)from, (long long)last);
    if (!in_dtype(dtype, from))
        return out_of_bounds(ctx, place, "from", dtype);
    if (is_float)
        warn_if_imprecise(ctx, "from", dtype, from);
    fill->low = from;
    fill->range = (uint64_t)last - (uint64_t)from + 1;
    return KDL_OK;
}
