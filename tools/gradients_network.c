/* SPDX-License-Identifier: MIT */
/* The network to be asked about: read from a file or made, and with weights. */
#include "gradients_answer.h"

#include <math.h>
#include <rfield/readers.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Perceptrons -------------------------------------------------------------------------- */

const char *const gradients_activations[] = {"sigmoid", "tanh", "relu", "leaky-relu", "elu", "selu", "softplus",
                                             "softsign", "gelu", "none", NULL};

static const char *const operators[] = {"Sigmoid", "Tanh", "Relu", "LeakyRelu", "Elu", "Selu", "Softplus",
                                        "Softsign", "Gelu", "Identity"};

/* y_l = sigma(A_l y_{l-1} + b_l); the last layer without sigma. */
typedef struct made_perceptron {
    rf_network network;
    rf_tensor input;
    rf_attribute attributes[2]; /* of every dense layer */
    rf_layer *layers;
    char (*names)[32];
} made_perceptron;

static void free_perceptron(made_perceptron *it)
{
    if (it) {
        free(it->layers);
        free(it->names);
    }
    free(it);
}

static made_perceptron *make_perceptron(const perceptron_request *request)
{
    made_perceptron *it = calloc(1, sizeof *it);
    size_t count = 2 * (size_t)request->depth - 1;
    if (!it)
        return NULL;
    it->layers = calloc(count, sizeof *it->layers);
    it->names = calloc(count, sizeof *it->names);
    if (!it->layers || !it->names) {
        free_perceptron(it);
        return NULL;
    }
    it->attributes[0] = (rf_attribute)RF_INT("filters", request->width);
    it->input = (rf_tensor){.name = "x", .shape = RF_SHAPE(RF_UNKNOWN_DIM, request->width)};
    for (size_t i = 0; i < count; i++) {
        bool dense = i % 2 == 0;
        snprintf(it->names[i], sizeof it->names[i], "%s%zu", dense ? "layer" : "sigma", i / 2 + 1);
        it->layers[i] = (rf_layer){.name = it->names[i], .type = dense ? "Gemm" : operators[request->activation],
                                   .attributes = dense ? it->attributes : NULL};
    }
    it->network = (rf_network){.name = "perceptron", .inputs = &it->input, .input_count = 1, .layers = it->layers,
                               .layer_count = count};
    return it;
}

/* ---- Schemes ------------------------------------------------------------------------------ */

/* How a scheme takes the numbers behind its name. */
typedef enum numbers_taken { NO_NUMBERS, ONE_VALUE, MEAN_AND_DEVIATION, LOW_AND_HIGH } numbers_taken;

static const struct scheme {
    const char *word;
    rf_weight_scheme scheme;
    numbers_taken numbers;
} schemes[] = {
    {"zero", RF_WEIGHTS_ZERO, NO_NUMBERS},
    {"constant", RF_WEIGHTS_CONSTANT, ONE_VALUE},
    {"normal", RF_WEIGHTS_NORMAL, MEAN_AND_DEVIATION},
    {"uniform", RF_WEIGHTS_UNIFORM, LOW_AND_HIGH},
    {"xavier-uniform", RF_WEIGHTS_XAVIER_UNIFORM, NO_NUMBERS},
    {"xavier-normal", RF_WEIGHTS_XAVIER_NORMAL, NO_NUMBERS},
    {"he-uniform", RF_WEIGHTS_HE_UNIFORM, NO_NUMBERS},
    {"he-normal", RF_WEIGHTS_HE_NORMAL, NO_NUMBERS},
    {"lecun-normal", RF_WEIGHTS_LECUN_NORMAL, NO_NUMBERS},
    {"orthogonal", RF_WEIGHTS_ORTHOGONAL, NO_NUMBERS},
};
enum { SCHEMES = sizeof schemes / sizeof *schemes };

/* "A" or "A,B", finite. */
static bool read_numbers(const char *word, double numbers[2], int *count)
{
    for (*count = 0; *count < 2;) {
        char *end;
        double number = strtod(word, &end);
        if (end == word || !isfinite(number))
            return false;
        numbers[(*count)++] = number;
        if (*end == 0)
            return true;
        if (*end != ',')
            return false;
        word = end + 1;
    }
    return false;
}

static void put_numbers(const struct scheme *scheme, const double numbers[2], int count, rf_initialization *how)
{
    double a = numbers[0], b = numbers[1];
    if (scheme->numbers == MEAN_AND_DEVIATION) {
        how->mean = count == 2 ? a : 0;
        how->deviation = count == 2 ? b : a;
    } else if (scheme->numbers == LOW_AND_HIGH) {
        how->low = count == 2 ? a : -fabs(a);
        how->high = count == 2 ? b : fabs(a);
    } else {
        how->low = how->high = a;
    }
}

static int take_numbers(const subcommand *command, const struct scheme *scheme, const char *word, rf_initialization *how)
{
    double numbers[2] = {0, 0};
    int count, most = scheme->numbers == NO_NUMBERS ? 0 : scheme->numbers == ONE_VALUE ? 1 : 2;
    if (most == 0)
        return misuse(command, "--init: %s takes no numbers, but --gain", scheme->word);
    if (!read_numbers(word, numbers, &count) || count > most)
        return misuse(command, "--init: '%.80s' is not %s", word, most == 1 ? "a number" : "one number or two such as "
                      "0,0.1");
    put_numbers(scheme, numbers, count, how);
    if (how->deviation >= 0 && how->low <= how->high)
        return DONE;
    return misuse(command, "--init: '%.80s' is %s", word, how->deviation < 0 ? "a deviation below 0"
                                                                            : "a range that ends before it begins");
}

int take_scheme(const subcommand *command, char *word, rf_initialization *how)
{
    char *colon = strchr(word, ':');
    size_t bytes = colon ? (size_t)(colon - word) : strlen(word);
    for (size_t i = 0; i < SCHEMES; i++) {
        if (strlen(schemes[i].word) != bytes || strncmp(schemes[i].word, word, bytes) != 0)
            continue;
        how->scheme = schemes[i].scheme;
        how->all = true;
        return colon ? take_numbers(command, &schemes[i], colon + 1, how) : DONE;
    }
    return misuse(command, "--init: '%.80s' is no scheme; see the list", word);
}

/* ---- Networks ----------------------------------------------------------------------------- */

static int name_bindings(const gradients_network *it, const rf_network *network, const input_options *inputs)
{
    for (size_t i = 0; i < inputs->count; i++) {
        if (inputs->bindings[i].name)
            continue;
        if (network->input_count != 1)
            return complain(it->path, "the network has %zu inputs, so that --input must name one: NAME=SHAPE",
                            network->input_count);
        inputs->bindings[i].name = network->inputs[0].name;
    }
    return DONE;
}

int gradients_network_open(gradients_network *it, const char *path, const perceptron_request *perceptron,
                           const input_options *inputs, const rf_initialization *how)
{
    rf_error error;
    rf_initialization complete = *how;
    *it = (gradients_network){.path = path ? path : "perceptron"};
    if (path && rf_network_load(path, NULL, &it->read, &error) != RF_OK)
        return complain(it->path, "%s", error.message);
    if (!path)
        it->made = make_perceptron(perceptron);
    if (!path && !it->made)
        return complain(it->path, "no memory for %lld layers", (long long)perceptron->depth);
    const rf_network *source = path ? it->read : &it->made->network;
    int code = name_bindings(it, source, inputs);
    if (code != DONE)
        return code;
    complete.bindings = inputs->bindings;
    complete.binding_count = inputs->count;
    if (rf_network_initialize(source, &complete, &it->network, &error) != RF_OK)
        return complain(it->path, "%s", error.message);
    return DONE;
}

void gradients_network_close(gradients_network *it)
{
    rf_network_free(it->network);
    rf_network_free(it->read);
    free_perceptron(it->made);
}
