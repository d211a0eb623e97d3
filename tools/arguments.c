/* SPDX-License-Identifier: MIT */
#include "arguments.h"

#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Reads digits at *at and moves past them. */
static bool take_integer(const char **at, int64_t *integer)
{
    int64_t value = 0;
    const char *c = *at;
    for (; *c >= '0' && *c <= '9'; c++) {
        if (value > (INT64_MAX - (*c - '0')) / 10)
            return false;
        value = value * 10 + (*c - '0');
    }
    bool any = c != *at;
    *at = c;
    *integer = value;
    return any;
}

static bool take_list(const char *word, char separator, int64_t *out, size_t limit, size_t *count)
{
    for (*count = 0; *count < limit; word++) {
        if (!take_integer(&word, &out[(*count)++]))
            return false;
        if (*word != separator)
            return *word == 0;
    }
    return false;
}

bool parse_shape(const char *word, rf_shape *shape)
{
    size_t rank;
    *shape = (rf_shape){.rank = 0};
    if (!take_list(word, 'x', shape->dims, RF_MAX_RANK, &rank))
        return false;
    shape->rank = (int32_t)rank;
    return true;
}

bool parse_indices(const char *word, int64_t *indices, size_t limit, size_t *count)
{
    return take_list(word, ',', indices, limit, count);
}

bool parse_integer(const char *word, int64_t *integer)
{
    return take_integer(&word, integer) && *word == 0;
}

bool parse_channels(const char *word, float numbers[3])
{
    size_t count = 0;
    for (const char *at = word; count < 3; at++) {
        char *end;
        numbers[count] = strtof(at, &end);
        if (end == at || !isfinite(numbers[count]))
            return false;
        count++;
        at = end;
        if (*at == 0)
            break;
        if (*at != ',' || count == 3)
            return false;
    }
    for (size_t i = 1; count == 1 && i < 3; i++)
        numbers[i] = numbers[0];
    return count != 2;
}

int find_word(const char *const *words, const char *word)
{
    for (int i = 0; words[i]; i++)
        if (strcmp(words[i], word) == 0)
            return i;
    return -1;
}

int take_precision(const subcommand *command, const char *word, rf_precision *precision)
{
    static const char *const words[] = {
        [RF_PRECISION_FLOAT32] = "float32", [RF_PRECISION_BFLOAT16] = "bf16", NULL,
    };
    int found = find_word(words, word);
    if (found < 0)
        return misuse(command, "--precision: '%.80s' is neither float32 nor bf16", word);
    *precision = (rf_precision)found;
    return DONE;
}

static bool same_name(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

int add_input(const subcommand *command, input_options *inputs, char *word)
{
    rf_binding binding = {.name = NULL};
    char *equals = strrchr(word, '=');
    const char *shape = equals ? equals + 1 : word;
    if (!parse_shape(shape, &binding.shape))
        return misuse(command, "--input: '%.80s' is not a shape such as 1x3x224x224", shape);
    if (equals) {
        *equals = 0;
        binding.name = word;
    }
    for (size_t i = 0; i < inputs->count; i++)
        if (same_name(inputs->bindings[i].name, binding.name))
            return misuse(command, "--input: '%.80s' is given twice", equals ? word : shape);
    rf_binding *grown = realloc(inputs->bindings, (inputs->count + 1) * sizeof *grown);
    if (!grown)
        return complain("rfield", "no memory for the options");
    inputs->bindings = grown;
    inputs->bindings[inputs->count++] = binding;
    return DONE;
}

void free_inputs(input_options *inputs)
{
    free(inputs->bindings);
    *inputs = (input_options){0};
}

int take_model(const subcommand *command, int argc, char **argv, const char **model)
{
    if (optind == argc)
        return misuse(command, "a model file is needed");
    *model = argv[optind++];
    if (optind < argc)
        return misuse(command, "'%.80s' is one word too many", argv[optind]);
    return DONE;
}

int bad_option(const subcommand *command, int answer, char **argv)
{
    if (answer == ':')
        return misuse(command, "option '%.80s' needs a value", argv[optind - 1]);
    if (optopt && strncmp(argv[optind - 1], "--", 2) != 0)
        return misuse(command, "there is no option '-%c'", optopt);
    return misuse(command, "there is no option '%.80s'", argv[optind - 1]);
}
