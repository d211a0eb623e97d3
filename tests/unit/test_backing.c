/* SPDX-License-Identifier: MIT */
/*
 * Weights that lie in a file: each of their bytes is read once, by parts and by any number of workers; what cannot be
 * read is packed in place, with the same bits; and no page of the file stays in memory.
 */
#include "run_tools.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernels/machine.h"

/* ---- A network whose layers have several panels, the last of them narrower ----------------- */

enum { STEM = 72 * 3 * 49, WIDE = 150 * 72 * 9, MIX = 200 * 150, GROUPED = 200 * 10 * 9, DEPTH = 200 * 25,
       UP = 200 * 40 * 4, DENSE = 70 * 40, MATRIX = 70 * 130 };

static float stem_w[STEM], wide_w[WIDE], mix_w[MIX], grouped_w[GROUPED], depth_w[DEPTH], up_w[UP], dense_w[DENSE],
    matrix_w[MATRIX];

#define WEIGHT(array_, ...) \
    {.name = #array_, .dtype = RF_FLOAT32, .shape = RF_SHAPE(__VA_ARGS__), \
     .data = (array_), .data_bytes = sizeof(array_)}

static const rf_tensor constants[] = {
    WEIGHT(stem_w, 72, 3, 7, 7),      WEIGHT(wide_w, 150, 72, 3, 3), WEIGHT(mix_w, 200, 150, 1, 1),
    WEIGHT(grouped_w, 200, 10, 3, 3), WEIGHT(depth_w, 200, 1, 5, 5), WEIGHT(up_w, 200, 40, 2, 2),
    WEIGHT(dense_w, 70, 40),          WEIGHT(matrix_w, 70, 130),
};

#define PADDED(n_) RF_INTS("pads", n_, n_, n_, n_)
#define HALVED RF_INTS("strides", 2, 2)

static const rf_tensor image = {.name = "x", .dtype = RF_FLOAT32, .shape = RF_SHAPE(1, 3, 56, 56)};

static const rf_layer layers[] = {
    {.name = "stem", .type = "Conv", .inputs = RF_NAMES("x", "stem_w"), .attributes = RF_ATTRIBUTES(PADDED(3), HALVED)},
    {.name = "wide", .type = "Conv", .inputs = RF_NAMES("stem", "wide_w"), .attributes = RF_ATTRIBUTES(PADDED(1))},
    {.name = "mix", .type = "Conv", .inputs = RF_NAMES("wide", "mix_w")},
    {.name = "grouped", .type = "Conv", .inputs = RF_NAMES("mix", "grouped_w"),
     .attributes = RF_ATTRIBUTES(PADDED(1), HALVED, RF_INT("group", 20))},
    {.name = "depth", .type = "Conv", .inputs = RF_NAMES("grouped", "depth_w"),
     .attributes = RF_ATTRIBUTES(PADDED(2), RF_INT("group", 200))},
    {.name = "up", .type = "ConvTranspose", .inputs = RF_NAMES("depth", "up_w"), .attributes = RF_ATTRIBUTES(HALVED)},
    {.name = "mean", .type = "GlobalAveragePool", .inputs = RF_NAMES("up")},
    {.name = "flat", .type = "Flatten", .inputs = RF_NAMES("mean")},
    {.name = "dense", .type = "Gemm", .inputs = RF_NAMES("flat", "dense_w"),
     .attributes = RF_ATTRIBUTES(RF_INT("transB", 1))},
    {.name = "matrix", .type = "MatMul", .inputs = RF_NAMES("dense", "matrix_w")},
};

static rf_network layered_network(void)
{
    for (size_t i = 0; i < LENGTH(constants); i++)
        fill_random((float *)(uintptr_t)constants[i].data, elements_of(&constants[i].shape), i + 1);
    return (rf_network){
        .name = "layered", .inputs = &image, .input_count = 1, .constants = constants,
        .constant_count = LENGTH(constants), .layers = layers, .layer_count = LENGTH(layers),
    };
}

/* ---- Backings ------------------------------------------------------------------------------ */

/* How often each float of the constants was read. */
typedef struct reading {
    unsigned char *times[LENGTH(constants)];
    size_t calls, refuse; /* the reads to refuse: each of so many; 0 for none */
    size_t forgotten;     /* calls for all */
} reading;

static void reading_make(reading *made, size_t refuse)
{
    *made = (reading){.refuse = refuse};
    for (size_t i = 0; i < LENGTH(constants); i++)
        assert_non_null(made->times[i] = calloc(elements_of(&constants[i].shape), 1));
}

static void reading_free(reading *made)
{
    for (size_t i = 0; i < LENGTH(constants); i++)
        free(made->times[i]);
}

/* Which constant has these bytes, and where in it they begin. */
static size_t constant_at(const void *from, size_t bytes, size_t *at)
{
    for (size_t i = 0; i < LENGTH(constants); i++) {
        *at = (uintptr_t)from - (uintptr_t)constants[i].data;
        if (*at < constants[i].data_bytes && bytes <= constants[i].data_bytes - *at)
            return i;
    }
    fail_msg("%zu bytes are no constant's", bytes);
    return 0;
}

static bool read_some(void *context, const void *from, size_t bytes, void *to)
{
    reading *it = context;
    size_t at, i = constant_at(from, bytes, &at);
    if (it->refuse && ++it->calls % it->refuse == 0)
        return false;
    for (size_t k = at / sizeof(float); k < (at + bytes) / sizeof(float); k++)
        it->times[i][k]++;
    memcpy(to, from, bytes);
    return true;
}

static void note_forgotten(void *context, const void *from, size_t bytes)
{
    reading *it = context;
    size_t at;
    if (from)
        constant_at(from, bytes, &at);
    else
        it->forgotten += bytes == SIZE_MAX;
}

/* Counts the constants that were read from begin to end, once. */
static size_t count_whole(const reading *it)
{
    size_t whole = 0;
    for (size_t i = 0; i < LENGTH(constants); i++) {
        size_t count = elements_of(&constants[i].shape), once = 0, more = 0;
        for (size_t k = 0; k < count; k++) {
            once += it->times[i][k] == 1;
            more += it->times[i][k] > 1;
        }
        if (more || (once && once < count))
            fail_msg("%s: %zu of %zu floats are read once, %zu more than once", constants[i].name, once, count, more);
        whole += once == count;
    }
    return whole;
}

static void expect_bits(const rf_network *network, const rf_compile_options *options, const bound_run *wanted)
{
    bound_run run;
    rf_model *model = compiled(network, options);
    bound_run_make(&run, model, NULL, 1);
    bound_run_go(&run);
    assert_true(bound_runs_agree(wanted, &run));
    bound_run_free(&run);
    rf_model_free(model);
}

static void check_backing(rf_network *network, rf_compile_options *options, const bound_run *wanted, size_t refuse)
{
    reading it;
    reading_make(&it, refuse);
    const rf_backing backing = {.read = read_some, .forget = note_forgotten, .context = &it};
    network->backing = &backing;
    expect_bits(network, options, wanted);
    network->backing = NULL;
    assert_int_equal(it.forgotten, 2); /* what planning has read, and what packing has */
    /* In bfloat16 the parts of a matrix read from all over it. */
    if (!refuse)
        assert_true(count_whole(&it) >= LENGTH(constants) - 1);
    reading_free(&it);
}

static void check_options(rf_network *network, rf_compile_options *options)
{
    bound_run wanted;
    rf_model *model = compiled(network, options);
    bound_run_make(&wanted, model, NULL, 1);
    bound_run_go(&wanted);
    for (size_t workers = 1; workers <= 3; workers++) {
        const rf_executor executor = {.run = run_backward, .workers = workers};
        options->executor = &executor;
        for (size_t refuse = 0; refuse <= 3; refuse++)
            check_backing(network, options, &wanted, refuse);
    }
    options->executor = NULL;
    bound_run_free(&wanted);
    rf_model_free(model);
}

static void weights_are_read_once(void **state)
{
    (void)state;
    rf_network network = layered_network();
    for (const rf_kernels *const *kernels = rf_machine_kernels(); *kernels; kernels++)
        for (int exact = 0; exact < 2; exact++) {
            rf_compile_options options = RF_COMPILE_OPTIONS_DEFAULT;
            options.isa = (*kernels)->isa;
            options.exact = exact;
            check_options(&network, &options);
            options.precision = RF_PRECISION_BFLOAT16;
            check_options(&network, &options);
        }
}

static const rf_tensor vector = {.name = "x", .dtype = RF_FLOAT32, .shape = RF_SHAPE(1, 40)};

static const rf_layer turned[] = {
    {.name = "turned", .type = "Transpose", .inputs = RF_NAMES("dense_w")},
    {.name = "product", .type = "MatMul", .inputs = RF_NAMES("x", "turned")},
};

/* What layers made of constants is the model's own: nobody but it may copy that, or give up its memory. */
static void computed_weights_have_no_backing(void **state)
{
    (void)state;
    rf_network network = layered_network();
    network.inputs = &vector;
    network.layers = turned;
    network.layer_count = LENGTH(turned);
    for (size_t refuse = 0; refuse <= 1; refuse++) {
        reading it;
        reading_make(&it, refuse);
        const rf_backing backing = {.read = read_some, .forget = note_forgotten, .context = &it};
        network.backing = &backing;
        rf_model_free(compiled(&network, NULL));
        assert_int_equal(count_whole(&it), 0);
        assert_int_equal(it.forgotten, 2);
        reading_free(&it);
    }
}

/* Without memory for a buffer weights are packed in place. */
static void no_memory_to_read_into(void **state)
{
    (void)state;
    rf_network network = layered_network();
    reading it;
    reading_make(&it, 0);
    const rf_backing backing = {.read = read_some, .forget = note_forgotten, .context = &it};
    counted_memory memory;
    rf_compile_options options = RF_COMPILE_OPTIONS_DEFAULT;
    bound_run wanted;
    rf_model *model = compiled(&network, &options);
    bound_run_make(&wanted, model, NULL, 1);
    bound_run_go(&wanted);
    network.backing = &backing;
    options.allocator = &memory.allocator;
    counted_memory_init(&memory, 0);
    rf_model_free(compiled(&network, &options));
    size_t last = memory.calls; /* the buffers are the last piece that is taken */
    assert_true(count_whole(&it) > 0);
    counted_memory_init(&memory, last);
    expect_bits(&network, &options, &wanted);
    assert_int_equal(memory.live, 0);
    bound_run_free(&wanted);
    rf_model_free(model);
    reading_free(&it);
}

/* The least limit that will do leaves nothing to read into; no limit is passed. */
static void no_limit_to_read_into(void **state)
{
    (void)state;
    rf_network network = layered_network();
    reading it;
    reading_make(&it, 0);
    const rf_backing backing = {.read = read_some, .forget = note_forgotten, .context = &it};
    counted_memory memory;
    rf_compile_options options = RF_COMPILE_OPTIONS_DEFAULT;
    rf_model *plain = compiled(&network, &options);
    bound_run wanted;
    bound_run_make(&wanted, plain, NULL, 1);
    bound_run_go(&wanted);
    network.backing = &backing;
    options.allocator = &memory.allocator;
    uint64_t least = 0, enough = UINT64_C(1) << 30;
    while (enough - least > 1) {
        rf_model *model = NULL;
        options.limits.memory_bytes = least + (enough - least) / 2;
        counted_memory_init(&memory, 0);
        rf_status status = rf_compile(&network, &options, &model, NULL);
        assert_true(status == RF_OK || status == RF_ERROR_LIMIT);
        assert_in_range(memory.most, 0, options.limits.memory_bytes);
        *(status == RF_OK ? &enough : &least) = options.limits.memory_bytes;
        rf_model_free(model);
    }
    counted_memory_init(&memory, 0);
    options.limits.memory_bytes = enough;
    reading_free(&it);
    reading_make(&it, 0);
    expect_bits(&network, &options, &wanted);
    assert_int_equal(count_whole(&it), 0);
    assert_int_equal(memory.live, 0);
    bound_run_free(&wanted);
    rf_model_free(plain);
    reading_free(&it);
}

/* ---- Files --------------------------------------------------------------------------------- */

/* Kilobytes of the file that are in this process's memory; -1 where the system doesn't tell. */
static long resident(void)
{
    char line[512];
    long kilobytes = -1, of_file = 0;
    bool here = false;
    FILE *maps = fopen("/proc/self/smaps", "r");
    while (maps && fgets(line, sizeof line, maps)) {
        unsigned long long begin, end;
        if (sscanf(line, "%llx-%llx ", &begin, &end) == 2)
            here = strstr(line, network_path) != NULL;
        if (here && sscanf(line, "Rss: %ld kB", &of_file) == 1)
            kilobytes = (kilobytes < 0 ? 0 : kilobytes) + of_file;
    }
    if (maps)
        fclose(maps);
    return kilobytes;
}

static size_t open_files(void)
{
    size_t count = 0;
    DIR *files = opendir("/proc/self/fd");
    while (files && readdir(files))
        count++;
    if (files)
        closedir(files);
    return count;
}

static const rf_network *saved(const rf_network *network)
{
    const rf_network *back = NULL;
    rf_error error = {.message = ""};
    if (rf_network_save_onnx(network, network_path, NULL, &error) != RF_OK
        || rf_network_load(network_path, NULL, &back, &error) != RF_OK)
        fail_msg("%s", error.message);
    return back;
}

static void files_leave_memory(void **state)
{
    (void)state;
    rf_network network = layered_network();
    size_t before = open_files();
    const rf_network *back = saved(&network);
    assert_non_null(back->backing);
    if (resident() < 0)
        skip();
    bound_run wanted;
    rf_model *model = compiled(&network, NULL);
    bound_run_make(&wanted, model, NULL, 1);
    bound_run_go(&wanted);
    for (int i = 0; i < 2; i++) {
        rf_model *other = compiled(back, NULL);
        assert_int_equal(resident(), 0);
        rf_model_free(other);
        expect_bits(back, NULL, &wanted);
    }
    bound_run_free(&wanted);
    rf_model_free(model);
    rf_network_free(back);
    assert_int_equal(open_files(), before);
}

/* The bytes are those of the file, to its last; others are no constant's. */
static void backing_of_a_file(void **state)
{
    (void)state;
    rf_network network = layered_network();
    const rf_network *back = saved(&network);
    const rf_backing *backing = back->backing;
    for (size_t i = 0; i < back->constant_count; i++) {
        const rf_tensor *constant = &back->constants[i];
        char *copy = malloc(constant->data_bytes);
        assert_non_null(copy);
        assert_true(backing->read(backing->context, constant->data, constant->data_bytes, copy));
        backing->forget(backing->context, constant->data, constant->data_bytes);
        assert_memory_equal(copy, constant->data, constant->data_bytes);
        free(copy);
    }
    char byte;
    FILE *file = fopen(network_path, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    size_t beyond = (size_t)ftell(file) + 1;
    fclose(file);
    assert_false(backing->read(backing->context, &byte, 1, &byte));
    assert_false(backing->read(backing->context, back->constants[0].data, beyond, &byte));
    backing->forget(backing->context, &byte, 1);
    rf_network_free(back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_are_read_once),
        cmocka_unit_test(computed_weights_have_no_backing),
        cmocka_unit_test(no_memory_to_read_into),
        cmocka_unit_test(no_limit_to_read_into),
        cmocka_unit_test(files_leave_memory),
        cmocka_unit_test(backing_of_a_file),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
