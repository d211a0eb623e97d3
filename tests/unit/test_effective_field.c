/* SPDX-License-Identifier: MIT */
/* The effective field against path counts, central differences and the theoretical field. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include <rfield/rfield.h>

#include "run_tools.h"

#define CHECK(call_)                                                   \
    do {                                                               \
        rf_error error = {.message = ""};                              \
        if ((call_) != RF_OK)                                          \
            fail_msg("%s: %s", #call_, error.message);                 \
    } while (0)

/* A network with weights, and the one that it was made from. */
typedef struct made_network {
    const rf_network *plain, *network;
} made_network;

static made_network make_network(const char *shape, const char *layers, rf_weight_scheme scheme)
{
    made_network made;
    char text[2048];
    rf_initialization how = RF_INITIALIZATION_DEFAULT;
    how.scheme = scheme;
    how.low = how.high = 1; /* of RF_WEIGHTS_CONSTANT */
    int bytes = snprintf(text, sizeof text, "{\"rfield\": 1, \"inputs\": [{\"name\": \"x\", \"shape\": [%s]}], "
                         "\"layers\": [%s]}", shape, layers);
    CHECK(rf_network_load_json(text, (size_t)bytes, NULL, &made.plain, &error));
    CHECK(rf_network_initialize(made.plain, &how, &made.network, &error));
    return made;
}

static void free_made(made_network *made)
{
    rf_network_free(made->network);
    rf_network_free(made->plain);
}

static const rf_effective_field *field_of(const rf_network *network, const rf_effective_options *options)
{
    const rf_effective_field *field;
    CHECK(rf_effective_field_make(network, options, &field, &error));
    return field;
}

/* ---- Against path counts ------------------------------------------------------------------ */

/* How many paths lead from position `i` of the input. */
static double paths_at(const rf_field_map *map, const rf_effective_field *field, size_t i)
{
    int64_t index[RF_MAX_SPATIAL] = {0};
    for (int32_t k = field->axis_count; k-- > 0; i /= (size_t)field->extents[k])
        index[k] = (int64_t)(i % (size_t)field->extents[k]);
    size_t at = 0;
    for (int32_t k = 0; k < field->axis_count; k++) {
        if (index[k] < map->axes[k].first || index[k] > map->axes[k].last)
            return 0;
        at = at * (size_t)(map->axes[k].last - map->axes[k].first + 1) + (size_t)(index[k] - map->axes[k].first);
    }
    return map->paths[at];
}

typedef void check_position(double weight, double paths, const char *of);

static void check_against_paths(const rf_network *network, const rf_effective_field *field, const char *of,
                                check_position *check)
{
    const rf_analysis *analysis;
    const rf_field_map *map;
    rf_field_query query = {.layer = field->layer, .output = field->output, .input = field->input,
                            .channel = field->channel, .at = field->at, .at_count = field->at_count};
    CHECK(rf_analyze(network, NULL, &analysis, &error));
    CHECK(rf_field_map_make(analysis, &query, &map, &error));
    assert_int_equal(map->axis_count, field->axis_count);
    for (size_t i = 0; i < field->count; i++)
        check(field->weights[i], paths_at(map, field, i), of);
    rf_field_map_free(map);
    rf_analysis_free(analysis);
}

static void are_equal(double weight, double paths, const char *of)
{
    if (weight < paths || weight > paths)
        fail_msg("%s: weight %g where %g paths lead from", of, weight, paths);
}

static void test_ones_count_paths(void **unused)
{
    static const struct { const char *shape, *layers; } cases[] = {
        {"1, 1, 5, 5", "{\"type\": \"Conv\", \"filters\": 1, \"kernel\": 3, \"pad\": 1}"},
        {"2, 3, 12, 11", "{\"type\": \"Conv\", \"filters\": 4, \"kernel\": 3, \"pad\": 1},"
         "{\"type\": \"Conv\", \"filters\": 2, \"kernel\": 3, \"stride\": 2, \"dilation\": 2, \"pad\": 1}"},
        {"1, 2, 9, 9", "{\"name\": \"a\", \"type\": \"Conv\", \"filters\": 2, \"kernel\": 3, \"pad\": 1},"
         "{\"name\": \"b\", \"type\": \"Conv\", \"filters\": 2, \"kernel\": 5, \"pad\": 2, \"from\": \"x\"},"
         "{\"type\": \"Add\", \"from\": [\"a\", \"b\"]},"
         "{\"type\": \"ConvTranspose\", \"filters\": 3, \"kernel\": 3, \"stride\": 2}"},
        {"1, 16, 20, 20", "{\"type\": \"Conv\", \"filters\": 32, \"kernel\": 3, \"pad\": 1},"
         "{\"type\": \"Conv\", \"filters\": 16, \"kernel\": 3, \"pad\": 1}"},
        {"1, 2, 17", "{\"type\": \"Conv\", \"filters\": 2, \"kernel\": 3, \"dilation\": 3}"},
        {"1, 2, 6, 7, 8", "{\"type\": \"Conv\", \"filters\": 2, \"kernel\": 3, \"stride\": 2}"},
    };
    (void)unused;
    for (size_t c = 0; c < LENGTH(cases); c++)
        for (int64_t channel = -1; channel < 2; channel++) {
            rf_effective_options options = RF_EFFECTIVE_OPTIONS_DEFAULT;
            made_network made = make_network(cases[c].shape, cases[c].layers, RF_WEIGHTS_CONSTANT);
            options.channel = channel == 1 && c ? 1 : channel == 1 ? 0 : channel;
            options.samples = 2;
            const rf_effective_field *field = field_of(made.network, &options);
            check_against_paths(made.network, field, cases[c].layers, are_equal);
            assert_true(field->largest > 0);
            rf_effective_field_free(field);
            free_made(&made);
        }
}

/* ---- Against the theoretical field -------------------------------------------------------- */

static void is_inside(double weight, double paths, const char *of)
{
    if (!(paths > 0) && !(weight <= 0))
        fail_msg("%s: weight %g where no path leads from", of, weight);
}

static void check_layer(const rf_network *network, const rf_layer_analysis *layer)
{
    rf_effective_options options = RF_EFFECTIVE_OPTIONS_DEFAULT;
    options.tensor = layer->outputs[0].name;
    options.samples = 1;
    const rf_effective_field *field = field_of(network, &options);
    check_against_paths(network, field, options.tensor, is_inside);
    assert_true(field->pixels > 0 && field->pixels <= field->theoretical.support);
    assert_true(field->ratio > 0 && field->ratio <= 1);
    for (int32_t k = 0; k < field->axis_count; k++) {
        assert_true(field->box[k].first >= field->theoretical.exact[k].first);
        assert_true(field->box[k].last <= field->theoretical.exact[k].last);
        assert_true(field->sigma[k] >= 0);
    }
    rf_effective_field_free(field);
}

/* A layer at a quarter and one at half of the depth. */
static void test_inside_of_known_networks(void **unused)
{
    static const char *const names[] = {"googlenet", "inception_bottleneck", "inception_naive", "lenet5", "mobilenet_v2",
                                        "resnet18", "squeezenet1_1", "unet_small", "vgg_two_blocks"};
    (void)unused;
    for (size_t n = 0; n < LENGTH(names); n++) {
        char path[512];
        const rf_network *plain, *network;
        const rf_analysis *analysis;
        snprintf(path, sizeof path, "%s/%s.json", RF_TEST_NETWORKS, names[n]);
        CHECK(rf_network_load(path, NULL, &plain, &error));
        CHECK(rf_network_initialize(plain, NULL, &network, &error));
        CHECK(rf_analyze(network, NULL, &analysis, &error));
        for (size_t part = 1; part <= 2; part++) {
            const rf_layer_analysis *layer = &analysis->layers[analysis->layer_count * part / 4];
            if (layer->field_count)
                check_layer(network, layer);
        }
        rf_analysis_free(analysis);
        rf_network_free(network);
        rf_network_free(plain);
    }
}

/* ---- Against central differences ---------------------------------------------------------- */

enum { SIDE = 9, CHANNELS = 2, PIXELS = SIDE * SIDE, ELEMENTS = CHANNELS * PIXELS };

/* The same network in double, by plain loops: a run's output element, given the input. */
typedef struct double_network {
    rf_network network;
    rf_tensor input, constants[16];
    rf_model *model;
    rf_session *session;
    double elements[ELEMENTS];
} double_network;

static double *as_doubles(const rf_tensor *from)
{
    size_t count = from->data_bytes / sizeof(float);
    const float *values = from->data;
    double *made = malloc(count * sizeof *made);
    assert_non_null(made);
    for (size_t i = 0; i < count; i++)
        made[i] = (double)values[i];
    return made;
}

static void double_network_make(double_network *it, const rf_network *network, const float *elements)
{
    rf_compile_options how = RF_COMPILE_OPTIONS_DEFAULT;
    it->network = *network;
    it->input = network->inputs[0];
    it->input.dtype = RF_FLOAT64;
    assert_true(network->constant_count <= LENGTH(it->constants));
    for (size_t i = 0; i < network->constant_count; i++) {
        it->constants[i] = network->constants[i];
        it->constants[i].dtype = RF_FLOAT64;
        it->constants[i].data = as_doubles(&network->constants[i]);
        it->constants[i].data_bytes *= 2;
    }
    it->network.inputs = &it->input;
    it->network.constants = it->constants;
    how.reference = true;
    CHECK(rf_compile(&it->network, &how, &it->model, &error));
    CHECK(rf_session_make(it->model, NULL, &it->session, &error));
    for (size_t i = 0; i < ELEMENTS; i++)
        it->elements[i] = (double)elements[i];
    CHECK(rf_session_bind_input(it->session, "x", it->elements, sizeof it->elements, &error));
}

static void double_network_free(double_network *it)
{
    rf_session_free(it->session);
    rf_model_free(it->model);
    for (size_t i = 0; i < it->network.constant_count; i++)
        free((void *)(uintptr_t)it->constants[i].data);
}

static double output_at(double_network *it, size_t at)
{
    rf_tensor output;
    CHECK(rf_run(it->session, &error));
    CHECK(rf_session_output(it->session, "y", &output, &error));
    return ((const double *)output.data)[at];
}

static double derivative(double_network *it, size_t element, size_t output)
{
    const double step = 1e-5, kept = it->elements[element];
    it->elements[element] = kept + step;
    double up = output_at(it, output);
    it->elements[element] = kept - step;
    double down = output_at(it, output);
    it->elements[element] = kept;
    return (up - down) / (2 * step);
}

static void test_against_central_differences(void **unused)
{
    static const int64_t at[] = {1, 2};
    double_network doubled = {.session = NULL};
    float elements[ELEMENTS];
    rf_effective_options options = RF_EFFECTIVE_OPTIONS_DEFAULT;
    (void)unused;
    made_network made = make_network("1, 2, 9, 9", "{\"type\": \"Conv\", \"filters\": 4, \"kernel\": 3, \"pad\": 1},"
                                     "{\"type\": \"Tanh\"}, {\"type\": \"AveragePool\", \"kernel\": 2, \"stride\": 2},"
                                     "{\"type\": \"Sigmoid\"}, {\"name\": \"y\", \"type\": \"Conv\", \"filters\": 3, "
                                     "\"kernel\": 2}", RF_WEIGHTS_HE_NORMAL);
    fill_random(elements, ELEMENTS, 3);
    options.at = at;
    options.at_count = 2;
    options.channel = 2;
    options.elements = elements;
    options.element_count = ELEMENTS;
    options.samples = 1;
    const rf_effective_field *field = field_of(made.network, &options);
    double_network_make(&doubled, made.network, elements);
    for (size_t i = 0; i < PIXELS; i++) {
        double expected = 0; /* the output is [1, 3, 3, 3] */
        for (size_t c = 0; c < CHANNELS; c++)
            expected += fabs(derivative(&doubled, c * PIXELS + i, 2 * 9 + 1 * 3 + 2));
        if (!(fabs(expected - field->weights[i]) <= 1e-5 * field->largest))
            fail_msg("position %zu has weight %g, central differences %g", i, field->weights[i], expected);
    }
    double_network_free(&doubled);
    rf_effective_field_free(field);
    free_made(&made);
}

/* ---- Numbers ------------------------------------------------------------------------------ */

static void test_numbers_of_a_square(void **unused)
{
    (void)unused;
    made_network made = make_network("1, 3, 8, 8", "{\"type\": \"Conv\", \"filters\": 1, \"kernel\": 3}",
                                     RF_WEIGHTS_CONSTANT);
    const rf_effective_field *field = field_of(made.network, NULL);
    assert_int_equal(field->axis_count, 2);
    assert_int_equal(field->count, 64);
    assert_int_equal(field->at[0], 3); /* of 6 rows */
    assert_int_equal(field->pixels, 9);
    assert_true(fabs(field->largest - 3) < 1e-12 && fabs(field->side - 3) < 1e-12);
    assert_true(fabs(field->theoretical_side - 3) < 1e-12 && fabs(field->ratio - 1) < 1e-12);
    for (int32_t k = 0; k < 2; k++) {
        assert_true(fabs(field->centre[k] - 4) < 1e-12);
        assert_true(fabs(field->sigma[k] - sqrt(2.0 / 3)) < 1e-12);
        assert_int_equal(field->box[k].first, 3);
        assert_int_equal(field->box[k].last, 5);
    }
    rf_effective_field_free(field);
    free_made(&made);
}

static void test_numbers_of_a_pyramid(void **unused)
{
    (void)unused;
    made_network made = make_network("1, 1, 31, 31", "{\"type\": \"Conv\", \"filters\": 1, \"kernel\": 3},"
                                     "{\"type\": \"Conv\", \"filters\": 1, \"kernel\": 3},"
                                     "{\"type\": \"Conv\", \"filters\": 1, \"kernel\": 3},"
                                     "{\"type\": \"Conv\", \"filters\": 1, \"kernel\": 3}", RF_WEIGHTS_CONSTANT);
    const rf_effective_field *field = field_of(made.network, NULL);
    /* Along an axis 1, 4, 10, 16, 19, 16, 10, 4, 1, whose sum is 81. The threshold is 0.0455 * 361 = 16.4, which the
     * row of 19 passes everywhere, those of 16 and 10 but for their ends, those of 4 from 10 on, those of 1 in 19. */
    assert_int_equal(field->pixels, 9 + 2 * 7 + 2 * 7 + 2 * 5 + 2);
    assert_true(fabs(field->sigma[0] - sqrt(4 * 2.0 / 3)) < 1e-12);
    /* Without one outermost row 80/81 are left, without all four faces 0.952: the last of them stays. */
    assert_int_equal(field->box[0].last - field->box[0].first + 1 + field->box[1].last - field->box[1].first + 1, 15);
    rf_effective_field_free(field);
    free_made(&made);
}

static void test_dead_output(void **unused)
{
    (void)unused;
    made_network made = make_network("1, 1, 7, 7", "{\"type\": \"Conv\", \"filters\": 1, \"kernel\": 3}", RF_WEIGHTS_ZERO);
    const rf_effective_field *field = field_of(made.network, NULL);
    assert_true(field->pixels == 0 && !(field->side > 0) && !(field->ratio > 0) && !(field->sigma[0] > 0));
    assert_true(field->box[0].last < field->box[0].first);
    rf_effective_field_free(field);
    free_made(&made);
}

static void test_same_bits(void **unused)
{
    rf_executor three = {.run = run_backward, .workers = 3};
    rf_effective_options options = RF_EFFECTIVE_OPTIONS_DEFAULT;
    (void)unused;
    made_network made = make_network("1, 3, 24, 24", "{\"type\": \"Conv\", \"filters\": 16, \"kernel\": 3, \"pad\": 1},"
                                     "{\"type\": \"Relu\"}, {\"type\": \"MaxPool\", \"kernel\": 2, \"stride\": 2},"
                                     "{\"type\": \"Conv\", \"filters\": 16, \"kernel\": 3, \"pad\": 1}",
                                     RF_WEIGHTS_HE_NORMAL);
    const rf_effective_field *one = field_of(made.network, &options);
    options.executor = &three;
    const rf_effective_field *other = field_of(made.network, &options);
    assert_memory_equal(one->weights, other->weights, one->count * sizeof *one->weights);
    rf_effective_field_free(other);
    options.seed = 2;
    other = field_of(made.network, &options);
    assert_memory_not_equal(one->weights, other->weights, one->count * sizeof *one->weights);
    rf_effective_field_free(other);
    rf_effective_field_free(one);
    free_made(&made);
}

/* ---- What is refused ---------------------------------------------------------------------- */

static void check_refused(const rf_network *network, const rf_effective_options *options, rf_status expected,
                          const char *named)
{
    const rf_effective_field *field = (const rf_effective_field *)(const void *)options;
    rf_error error = {.message = ""};
    assert_int_equal(rf_effective_field_make(network, options, &field, &error), expected);
    assert_null(field);
    if (!strstr(error.message, named))
        fail_msg("'%s' is not named in: %s", named, error.message);
}

static void test_refusals(void **unused)
{
    static const int64_t outside[] = {1, 99};
    static const float few[7] = {0};
    const rf_effective_options good = RF_EFFECTIVE_OPTIONS_DEFAULT;
    rf_effective_options options = good;
    (void)unused;
    made_network made = make_network("1, 3, 8, 8", "{\"name\": \"y\", \"type\": \"Conv\", \"filters\": 2, \"kernel\": 3}",
                                     RF_WEIGHTS_HE_NORMAL);
    options.tensor = "nowhere";
    check_refused(made.network, &options, RF_ERROR_NOT_FOUND, "nowhere");
    options = good, options.input = "z";
    check_refused(made.network, &options, RF_ERROR_NOT_FOUND, "'z'");
    options = good, options.at = outside, options.at_count = 2;
    check_refused(made.network, &options, RF_ERROR_ARGUMENT, "99");
    options.at_count = 9;
    check_refused(made.network, &options, RF_ERROR_ARGUMENT, "9 indices");
    options = good, options.at_count = 1;
    check_refused(made.network, &options, RF_ERROR_ARGUMENT, "at is NULL");
    options = good, options.channel = 2;
    check_refused(made.network, &options, RF_ERROR_ARGUMENT, "channel 2");
    options = good, options.samples = 0;
    check_refused(made.network, &options, RF_ERROR_ARGUMENT, "samples");
    options = good, options.elements = few, options.element_count = LENGTH(few);
    check_refused(made.network, &options, RF_ERROR_ARGUMENT, "7 elements");
    options = good, options.size = 0;
    check_refused(made.network, &options, RF_ERROR_ARGUMENT, "rf_effective_options");
    check_refused(made.plain, &good, RF_ERROR_GRAPH, "'y'");
    check_refused(NULL, &good, RF_ERROR_ARGUMENT, "network");
    free_made(&made);
    made = make_network("1, 6", "{\"name\": \"y\", \"type\": \"Gemm\", \"filters\": 2}", RF_WEIGHTS_HE_NORMAL);
    check_refused(made.network, &good, RF_ERROR_SHAPE, "'x'");
    free_made(&made);
    made = make_network("1, 2, 8, 8", "{\"name\": \"y\", \"type\": \"Hardmax\"}", RF_WEIGHTS_HE_NORMAL);
    check_refused(made.network, &good, RF_ERROR_UNSUPPORTED, "'y'");
    free_made(&made);
}

/* The derivative of 1 / x at 0 is infinite. */
static void test_infinite_derivative(void **unused)
{
    static const float zeros[16] = {0};
    rf_effective_options options = RF_EFFECTIVE_OPTIONS_DEFAULT;
    (void)unused;
    made_network made = make_network("1, 1, 4, 4", "{\"name\": \"y\", \"type\": \"Reciprocal\"}", RF_WEIGHTS_HE_NORMAL);
    options.elements = zeros;
    options.element_count = LENGTH(zeros);
    options.samples = 1;
    check_refused(made.network, &options, RF_ERROR_NUMBER, "'x'");
    free_made(&made);
}

static void test_memory_that_runs_out(void **unused)
{
    rf_effective_options options = RF_EFFECTIVE_OPTIONS_DEFAULT;
    rf_status status = RF_ERROR_MEMORY;
    (void)unused;
    made_network made = make_network("1, 2, 6, 6", "{\"type\": \"Conv\", \"filters\": 2, \"kernel\": 3},{\"type\": \"Relu\"}",
                                     RF_WEIGHTS_HE_NORMAL);
    for (size_t refused = 1; status == RF_ERROR_MEMORY; refused++) {
        counted_memory memory;
        const rf_effective_field *field;
        counted_memory_init(&memory, refused);
        options.allocator = &memory.allocator;
        status = rf_effective_field_make(made.network, &options, &field, NULL);
        rf_effective_field_free(field);
        assert_int_equal(memory.live, 0);
        assert_true(refused < 10000);
    }
    assert_int_equal(status, RF_OK);
    free_made(&made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ones_count_paths),
        cmocka_unit_test(test_inside_of_known_networks),
        cmocka_unit_test(test_against_central_differences),
        cmocka_unit_test(test_numbers_of_a_square),
        cmocka_unit_test(test_numbers_of_a_pyramid),
        cmocka_unit_test(test_dead_output),
        cmocka_unit_test(test_same_bits),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_infinite_derivative),
        cmocka_unit_test(test_memory_that_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
