/* SPDX-License-Identifier: MIT */
/*
 * Lesson 4: one output pixel. rf_field_at() says which input positions it sees; rf_field_map_make()
 * by how many paths, which is the field's weight before training has given it any.
 */
#include <inttypes.h>
#include <stdio.h>

#include <rfield/rfield.h>

static const rf_tensor image = {.name = "image", .shape = RF_SHAPE(1, 1, 12, 12)};

/* Two kernels that overlap give the middle of what they see more weight; a dilated one leaves holes. */
static const rf_layer layers[] = {
    {.name = "first", .type = "Conv",
     .attributes = RF_ATTRIBUTES(RF_INT("filters", 1), RF_INTS("kernel_shape", 2, 2))},
    {.name = "second", .type = "Conv",
     .attributes = RF_ATTRIBUTES(RF_INT("filters", 1), RF_INTS("kernel_shape", 2, 2))},
    {.name = "third", .type = "Conv",
     .attributes = RF_ATTRIBUTES(RF_INT("filters", 1), RF_INTS("kernel_shape", 3, 3),
                                 RF_INTS("dilations", 4, 4), RF_INTS("pads", 4, 4, 4, 4))},
};
static const rf_network network = {.inputs = &image, .input_count = 1, .layers = layers,
                                   .layer_count = sizeof layers / sizeof *layers};

static void print_field(const rf_field_at_result *field)
{
    printf("  with padding  rows %" PRId64 "..%" PRId64 ", columns %" PRId64 "..%" PRId64 "\n",
           field->axes[0].first, field->axes[0].last, field->axes[1].first, field->axes[1].last);
    printf("  on the input  rows %" PRId64 "..%" PRId64 ", columns %" PRId64 "..%" PRId64 "\n",
           field->exact[0].first, field->exact[0].last, field->exact[1].first, field->exact[1].last);
    printf("  of these      %" PRIu64 " positions count\n", field->support);
}

static void print_map(const rf_field_map *map)
{
    size_t columns = (size_t)(map->axes[1].last - map->axes[1].first + 1);
    for (size_t k = 0; k < map->count; k++)
        printf("%3.0f%s", map->paths[k], (k + 1) % columns ? "" : "\n");
}

static rf_status look_at(const rf_analysis *analysis, const int64_t *at, rf_error *error)
{
    rf_field_query query = {.layer = rf_analysis_find_layer(analysis, "third"), .channel = -1,
                            .at = at, .at_count = 2};
    rf_field_at_result field;
    const rf_field_map *map;
    rf_status status = rf_field_at(analysis, &query, &field, error);
    if (status != RF_OK)
        return status;
    printf("output (%" PRId64 ", %" PRId64 ")\n", at[0], at[1]);
    print_field(&field);
    status = rf_field_map_make(analysis, &query, &map, error);
    if (status == RF_OK)
        print_map(map);
    rf_field_map_free(map);
    return status;
}

int main(void)
{
    static const int64_t inside[] = {5, 5}, corner[] = {0, 0};
    const rf_analysis *analysis;
    rf_error error;
    rf_status status = rf_analyze(&network, NULL, &analysis, &error);
    if (status == RF_OK)
        status = look_at(analysis, inside, &error);
    if (status == RF_OK)
        status = look_at(analysis, corner, &error);
    if (status != RF_OK)
        fprintf(stderr, "%s\n", error.message);
    rf_analysis_free(analysis);
    return status != RF_OK;
}
