/* SPDX-License-Identifier: MIT */
#include "training/schemes.h"

#include <math.h>

#include <rfield/random.h>

#include "ops/op.h"

static const double first_slope = 0.25; /* of PRelu, in its paper (He et al. 2015) */

/* One tensor being filled. */
typedef struct filling {
    const rf_initialization *how;
    const rf_weight_view *view;
    rf_random random;
    rf_dtype dtype;
    void *data;
    uint64_t elements;
} filling;

rf_status rf_scheme_check(const rf_initialization *how, rf_error *error)
{
    const double numbers[] = {how->gain, how->mean, how->deviation, how->low, how->high};
    static const char *const names[] = {"gain", "mean", "deviation", "low", "high"};
    if ((int)how->scheme < 0 || how->scheme > RF_WEIGHTS_ORTHOGONAL)
        return rf_fail(error, RF_ERROR_ARGUMENT, "scheme", "scheme is %d; 0 to %d are known", (int)how->scheme,
                       RF_WEIGHTS_ORTHOGONAL);
    if ((int)how->bias < 0 || how->bias > RF_BIAS_UNIFORM_FAN_IN)
        return rf_fail(error, RF_ERROR_ARGUMENT, "bias", "bias is %d; 0 to %d are known", (int)how->bias,
                       RF_BIAS_UNIFORM_FAN_IN);
    if ((int)how->fan < 0 || how->fan > RF_FAN_OUT)
        return rf_fail(error, RF_ERROR_ARGUMENT, "fan", "fan is %d; 0 to %d are known", (int)how->fan, RF_FAN_OUT);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!isfinite(numbers[i]))
            return rf_fail(error, RF_ERROR_ARGUMENT, names[i], "%s is %g, but must be finite", names[i], numbers[i]);
    if (how->deviation < 0 || how->low > how->high)
        return rf_fail(error, RF_ERROR_ARGUMENT, how->deviation < 0 ? "deviation" : "low",
                       "deviation is %g, low %g, high %g; deviation must be at least 0, low at most high",
                       how->deviation, how->low, how->high);
    return RF_OK;
}

static void fill_constant(const filling *to, double element)
{
    for (uint64_t i = 0; i < to->elements; i++)
        rf_store_float(to->data, to->dtype, i, element);
}

static void fill_uniform(filling *to, double low, double high)
{
    for (uint64_t i = 0; i < to->elements; i++)
        rf_store_float(to->data, to->dtype, i, low + (high - low) * rf_random_uniform(&to->random));
}

static void fill_normal(filling *to, double mean, double deviation)
{
    for (uint64_t i = 0; i < to->elements; i++)
        rf_store_float(to->data, to->dtype, i, mean + deviation * rf_random_normal(&to->random));
}

/* Of variance deviation^2: a uniform number in [-1, 1) has 1/3. */
static void fill_uniform_of(filling *to, double deviation)
{
    double bound = deviation * sqrt(3.0);
    fill_uniform(to, -bound, bound);
}

/* ---- Orthogonal matrices ---------------------------------------------------------------- */

static double product(const double *a, const double *b, uint64_t length)
{
    double sum = 0;
    for (uint64_t i = 0; i < length; i++)
        sum += a[i] * b[i];
    return sum;
}

static void subtract(double *from, const double *along, double factor, uint64_t length)
{
    for (uint64_t i = 0; i < length; i++)
        from[i] -= factor * along[i];
}

/* Makes vector `last` orthogonal to those before it, twice for rounding's sake. Returns its length then. */
static double separate(double *vectors, uint64_t last, uint64_t length)
{
    double *vector = vectors + last * length;
    for (int pass = 0; pass < 2; pass++)
        for (uint64_t i = 0; i < last; i++) {
            const double *other = vectors + i * length;
            subtract(vector, other, product(vector, other, length), length);
        }
    return sqrt(product(vector, vector, length));
}

/* Normal vectors made orthonormal one after the other (Gram and Schmidt) point everywhere alike. */
static void draw_orthonormal(rf_random *random, double *vectors, uint64_t count, uint64_t length)
{
    for (uint64_t v = 0; v < count; v++) {
        double *vector = vectors + v * length, norm = 0;
        while (!(norm > 1e-6)) {
            for (uint64_t i = 0; i < length; i++)
                vector[i] = rf_random_normal(random);
            norm = separate(vectors, v, length);
        }
        for (uint64_t i = 0; i < length; i++)
            vector[i] /= norm;
    }
}

static rf_status fill_orthogonal(filling *to, double gain, rf_error *error)
{
    const uint64_t rows = to->view->rows, columns = to->view->columns;
    bool wide = rows <= columns;
    uint64_t count = wide ? rows : columns, length = wide ? columns : rows;
    rf_arena arena;
    rf_arena_init(&arena, to->how->allocator, to->how->limits.memory_bytes);
    double *vectors = RF_TAKE(&arena, double, to->elements / to->view->count);
    rf_status status = vectors ? RF_OK : rf_arena_fail(&arena, error, "an orthogonal matrix");
    for (uint64_t m = 0; status == RF_OK && m < to->view->count; m++) {
        draw_orthonormal(&to->random, vectors, count, length);
        for (uint64_t i = 0; i < rows * columns; i++) {
            uint64_t row = i / columns, column = i % columns;
            double element = wide ? vectors[row * length + column] : vectors[column * length + row];
            rf_store_float(to->data, to->dtype, m * rows * columns + i, gain * element);
        }
    }
    rf_arena_release(&arena);
    return status;
}

/* ---- Schemes ---------------------------------------------------------------------------- */

static double gain_of(const rf_initialization *how)
{
    bool he = how->scheme == RF_WEIGHTS_HE_UNIFORM || how->scheme == RF_WEIGHTS_HE_NORMAL;
    return how->gain != 0 ? how->gain : he ? sqrt(2.0) : 1;
}

static rf_status fill_weight(filling *to, rf_error *error)
{
    const rf_initialization *how = to->how;
    const rf_weight_view *view = to->view;
    const double gain = gain_of(how), fan = how->fan == RF_FAN_OUT ? view->fan_out : view->fan_in;
    switch (how->scheme) {
    case RF_WEIGHTS_CONSTANT:
        fill_constant(to, how->low);
        break;
    case RF_WEIGHTS_NORMAL:
        fill_normal(to, how->mean, how->deviation);
        break;
    case RF_WEIGHTS_UNIFORM:
        fill_uniform(to, how->low, how->high);
        break;
    case RF_WEIGHTS_XAVIER_UNIFORM:
        fill_uniform_of(to, gain * sqrt(2 / (view->fan_in + view->fan_out)));
        break;
    case RF_WEIGHTS_XAVIER_NORMAL:
        fill_normal(to, 0, gain * sqrt(2 / (view->fan_in + view->fan_out)));
        break;
    case RF_WEIGHTS_HE_UNIFORM:
        fill_uniform_of(to, gain / sqrt(fan));
        break;
    case RF_WEIGHTS_HE_NORMAL:
        fill_normal(to, 0, gain / sqrt(fan));
        break;
    case RF_WEIGHTS_LECUN_NORMAL:
        fill_normal(to, 0, gain / sqrt(view->fan_in));
        break;
    case RF_WEIGHTS_ORTHOGONAL:
        return fill_orthogonal(to, gain, error);
    default:
        fill_constant(to, 0);
    }
    return RF_OK;
}

static void fill_bias(filling *to)
{
    double bound = 1 / sqrt(to->view->fan_in);
    if (to->how->bias == RF_BIAS_UNIFORM_FAN_IN)
        fill_uniform(to, -bound, bound);
    else
        fill_constant(to, 0);
}

rf_status rf_scheme_fill(const rf_initialization *how, const rf_weight_view *view, const char *name, rf_dtype dtype,
                         void *data, rf_error *error)
{
    filling to = {.how = how, .view = view, .random = rf_random_named(how->seed, name), .dtype = dtype, .data = data,
                  .elements = view->count * view->rows * view->columns};
    if (to.elements == 0)
        return RF_OK;
    switch (view->role) {
    case RF_ROLE_WEIGHT:
        return fill_weight(&to, error);
    case RF_ROLE_BIAS:
        fill_bias(&to);
        break;
    case RF_ROLE_SLOPE:
        fill_constant(&to, first_slope);
        break;
    default:
        fill_constant(&to, view->role == RF_ROLE_ONE ? 1 : 0);
    }
    return RF_OK;
}
