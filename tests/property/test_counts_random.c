/* SPDX-License-Identifier: MIT */
/* Counts of random networks against loops that count tap by tap. See test_fields_random.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdlib.h>

#include <rfield/analysis.h>

#include "brute.h"

enum { DEFAULT_CASES = 600, SHOWN_FAILURES = 20 };

typedef struct trial {
    rn_network net;
    int node;
    int failures;
    uint64_t layers;
} trial;

static void compare(trial *t, const char *what, uint64_t expected, uint64_t got)
{
    if (expected == got || t->failures++)
        return;
    rn_print(&t->net, t->node, stderr);
    fprintf(stderr, "%s of the last layer: expected %" PRIu64 ", got %" PRIu64 "\n", what, expected,
            got);
}

static void compare_counts(trial *t, const rf_counts *expected, const rf_counts *got)
{
    compare(t, "multiplications", expected->multiplications, got->multiplications);
    compare(t, "additions", expected->additions, got->additions);
    compare(t, "comparisons", expected->comparisons, got->comparisons);
    compare(t, "divisions", expected->divisions, got->divisions);
    compare(t, "activations", expected->activations, got->activations);
    compare(t, "macs", expected->macs, got->macs);
    compare(t, "exponentials", expected->exponentials, got->exponentials);
    compare(t, "square roots", expected->square_roots, got->square_roots);
}

static uint64_t bytes_of(const rn_network *net, const rn_node *node)
{
    uint64_t bytes = 0;
    for (int k = 0; k < node->output_count; k++) {
        uint64_t elements = 1;
        for (int a = 0; a < net->tensors[node->outputs[k]].rank; a++)
            elements *= (uint64_t)net->tensors[node->outputs[k]].dims[a];
        bytes += elements * sizeof(float);
    }
    return bytes;
}

static void add_counts(rf_counts *total, const rf_counts *counts)
{
    total->multiplications += counts->multiplications;
    total->additions += counts->additions;
    total->comparisons += counts->comparisons;
    total->divisions += counts->divisions;
    total->activations += counts->activations;
    total->macs += counts->macs;
}

static void check_layers(trial *t, const rf_analysis *analysis)
{
    brute_counts total = {.parameters = 0};
    uint64_t bytes = 0;
    for (t->node = 0; t->node < t->net.node_count; t->node++) {
        const rn_node *node = &t->net.nodes[t->node];
        brute_counts counts;
        brute_count(&t->net, t->node, &counts);
        size_t index = rf_analysis_find_layer(analysis, t->net.tensors[node->outputs[0]].name);
        assert_true(index < analysis->layer_count);
        const rf_layer_analysis *layer = &analysis->layers[index];
        compare_counts(t, &counts.dense, &layer->dense);
        compare_counts(t, &counts.valid, &layer->valid);
        compare(t, "parameters", counts.parameters, layer->parameters);
        compare(t, "statistics", 0, layer->statistics);
        compare(t, "weight bytes", 4 * counts.parameters, layer->weight_bytes);
        compare(t, "activation bytes", bytes_of(&t->net, node), layer->activation_bytes);
        add_counts(&total.dense, &counts.dense);
        add_counts(&total.valid, &counts.valid);
        total.parameters += counts.parameters;
        bytes += bytes_of(&t->net, node);
        t->layers++;
    }
    t->node = t->net.node_count - 1;
    compare_counts(t, &total.dense, &analysis->dense);
    compare_counts(t, &total.valid, &analysis->valid);
    compare(t, "parameters in all", total.parameters, analysis->parameters);
    compare(t, "activation bytes in all", bytes, analysis->activation_bytes);
}

static void check_case(trial *t, uint64_t seed)
{
    const rf_analysis *analysis = NULL;
    rf_error error = {.message = ""};
    rn_make(&t->net, seed);
    t->failures = 0;
    rn_description *description = rn_describe(&t->net);
    assert_non_null(description);
    const rf_network *network = rn_description_network(description);
    if (rf_analyze(network, NULL, &analysis, &error) == RF_OK)
        check_layers(t, analysis);
    else
        fail_msg("RF_SEED=%" PRIu64 ": %s", seed, error.message);
    rf_analysis_free(analysis);
    rn_description_free(description);
}

static void counts_agree_with_brute_force(void **state)
{
    (void)state;
    uint64_t seed = rn_environment("RF_SEED", 1), cases = rn_environment("RF_CASES", DEFAULT_CASES);
    trial *t = calloc(1, sizeof *t);
    assert_non_null(t);
    int failed = 0;
    for (uint64_t k = 0; k < cases && failed < SHOWN_FAILURES; k++) {
        check_case(t, seed + k);
        failed += t->failures > 0;
    }
    print_message("RF_SEED=%" PRIu64 " RF_CASES=%" PRIu64 ": %" PRIu64 " layers compared\n", seed,
                  cases, t->layers);
    free(t);
    assert_int_equal(failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(counts_agree_with_brute_force)};
    return cmocka_run_group_tests_name("counts_random", tests, NULL, NULL);
}
