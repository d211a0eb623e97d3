/* SPDX-License-Identifier: MIT */
#include "mutate.h"

#include <stdlib.h>
#include <string.h>

#include "run_attack.h"

#define LENGTH(array_) ((int64_t)(sizeof(array_) / sizeof *(array_)))

/* Every operator's name, from the library's own list. */
static const char *const types[] = {
#define RF_OP(type) #type,
#include "ops/operators.def"
#undef RF_OP
};

static int64_t nasty_number(void)
{
    static const int64_t numbers[] = {
        0, 1, -1, 2, 3, 4, 5, 7, 8, -2, -3, 16, 17, 100, 1000, 65536, INT32_MAX, INT32_MIN, INT64_C(1) << 31,
        INT64_C(1) << 33, INT64_C(1) << 40, -(INT64_C(1) << 40), INT64_C(1) << 62, INT64_MAX, INT64_MIN, INT64_MIN + 1,
    };
    return numbers[attack_below(attack_below(3) ? 13 : LENGTH(numbers))];
}

static int64_t nasty_extent(void)
{
    static const int64_t extents[] = {0, 1, 1, 2, 3, 5, 7, 8, 16, 17, 33, 100, 4096, INT64_C(1) << 31,
                                      INT64_C(1) << 33, INT64_C(1) << 61, INT64_MAX};
    return extents[attack_below(attack_below(8) ? 12 : LENGTH(extents))];
}

static rf_dtype any_type(void)
{
    static const rf_dtype dtypes[] = {RF_FLOAT32, RF_FLOAT32, RF_INT64, RF_INT32, RF_UINT8, RF_BOOL, RF_FLOAT16,
                                      RF_FLOAT64, RF_BFLOAT16, RF_UINT64, RF_COMPLEX64, RF_STRING, RF_UINT4};
    return dtypes[attack_below(LENGTH(dtypes))];
}

/* ---- Copies ------------------------------------------------------------------------------- */

/* New elements for a constant, as many as its shape says, where they are few. */
static void give_elements(mutant *of, rf_tensor *constant, const void *from, size_t from_bytes, attack_data data)
{
    uint64_t count;
    size_t element = attack_element_bytes(constant->dtype);
    if (of->block_count == MUTANT_BLOCKS || !element || !attack_elements(&constant->shape, &count)
        || count > 1 << 16)
        return;
    size_t bytes = (size_t)count * element;
    void *block = malloc(bytes + 1);
    if (!block)
        return;
    of->blocks[of->block_count++] = block;
    attack_fill(block, constant->dtype, bytes, data);
    if (from)
        memcpy(block, from, from_bytes < bytes ? from_bytes : bytes);
    constant->data = block;
    constant->data_bytes = bytes;
}

static void copy_attributes(mutant *copy, size_t l, const rf_attribute *from)
{
    for (size_t k = 0; from && from[k].name && k + 1 < MUTANT_SLOTS; k++) {
        rf_attribute *to = &copy->attributes[l][k];
        *to = from[k];
        if (to->type != RF_ATTRIBUTE_INTS || to->count > MUTANT_INTS)
            continue;
        memcpy(copy->ints[l][k], to->value.ints, to->count * sizeof(int64_t));
        to->value.ints = copy->ints[l][k];
    }
    copy->layers[l].attributes = copy->attributes[l];
}

static void copy_layer(mutant *copy, size_t l, const rf_layer *from)
{
    copy->layers[l] = *from;
    for (size_t k = 0; from->inputs && from->inputs[k] && k + 1 < MUTANT_SLOTS; k++)
        copy->read[l][k] = from->inputs[k];
    if (from->inputs)
        copy->layers[l].inputs = copy->read[l];
    copy_attributes(copy, l, from->attributes);
}

bool mutant_make(mutant *copy, const rf_network *network)
{
    *copy = (mutant){.network = *network};
    if (network->input_count >= MUTANT_TENSORS / 2 || network->constant_count >= MUTANT_TENSORS / 2
        || network->output_count >= MUTANT_TENSORS / 2 || network->layer_count > MUTANT_LAYERS)
        return false;
    for (size_t i = 0; i < network->input_count; i++)
        copy->inputs[i] = network->inputs[i];
    for (size_t i = 0; i < network->output_count; i++)
        copy->outputs[i] = network->outputs[i];
    for (size_t i = 0; i < network->constant_count; i++) {
        copy->constants[i] = network->constants[i];
        give_elements(copy, &copy->constants[i], network->constants[i].data, network->constants[i].data_bytes,
                      ATTACK_SMALL);
    }
    for (size_t l = 0; l < network->layer_count; l++)
        copy_layer(copy, l, &network->layers[l]);
    copy->network.inputs = copy->inputs;
    copy->network.outputs = copy->outputs;
    copy->network.constants = copy->constants;
    copy->network.layers = copy->layers;
    return true;
}

void mutant_free(mutant *copy)
{
    while (copy->block_count)
        free(copy->blocks[--copy->block_count]);
}

/* ---- Changes ------------------------------------------------------------------------------ */

static const char *any_tensor(const mutant *of)
{
    int64_t inputs = (int64_t)of->network.input_count, constants = (int64_t)of->network.constant_count;
    int64_t layers = (int64_t)of->network.layer_count, at = attack_below(inputs + constants + layers + 1);
    if (at < inputs)
        return of->inputs[at].name;
    if (at < inputs + constants)
        return of->constants[at - inputs].name;
    return at < inputs + constants + layers ? of->layers[at - inputs - constants].outputs[0] : "";
}

static void change_input(mutant *of)
{
    if (!of->network.input_count)
        return;
    rf_tensor *input = &of->inputs[attack_below((int64_t)of->network.input_count)];
    if (attack_below(4) == 0)
        input->dtype = any_type();
    else if (input->shape.rank > 0)
        input->shape.dims[attack_below(input->shape.rank)] = nasty_extent();
}

static void change_constant(mutant *of)
{
    if (!of->network.constant_count)
        return;
    rf_tensor *constant = &of->constants[attack_below((int64_t)of->network.constant_count)];
    const void *kept = attack_below(2) ? constant->data : NULL;
    if (constant->shape.rank > 0 && attack_below(2))
        constant->shape.dims[attack_below(constant->shape.rank)] = nasty_extent();
    give_elements(of, constant, kept, constant->data_bytes, attack_below(3) ? ATTACK_SMALL : ATTACK_SPECIAL);
}

static void change_attribute(mutant *of, size_t l)
{
    size_t count = 0;
    while (of->attributes[l][count].name)
        count++;
    if (!count)
        return;
    size_t k = (size_t)attack_below((int64_t)count);
    rf_attribute *attribute = &of->attributes[l][k];
    if (attribute->type == RF_ATTRIBUTE_INT)
        attribute->value.i = nasty_number();
    else if (attribute->type == RF_ATTRIBUTE_INTS && attribute->count && attribute->value.ints == of->ints[l][k])
        of->ints[l][k][attack_below((int64_t)attribute->count)] = nasty_number();
}

static void change_reader(mutant *of, size_t l)
{
    size_t count = 0;
    while (of->read[l][count])
        count++;
    if (count)
        of->read[l][attack_below((int64_t)count)] = any_tensor(of);
}

static void add_output(mutant *of)
{
    if (of->network.output_count < MUTANT_TENSORS)
        of->outputs[of->network.output_count++] = (rf_tensor){.name = any_tensor(of), .shape = {.rank = -1}};
}

/* What only running knew is now known before, and is computed with then. */
static void fix_input(mutant *of)
{
    rf_tensor *constant = &of->constants[of->network.constant_count];
    if (!of->network.input_count || of->network.constant_count == MUTANT_TENSORS)
        return;
    *constant = of->inputs[of->network.input_count - 1];
    give_elements(of, constant, NULL, 0, ATTACK_SMALL);
    if (!constant->data)
        return;
    of->network.input_count--;
    of->network.constant_count++;
}

void mutate(mutant *of)
{
    size_t l = of->network.layer_count ? (size_t)attack_below((int64_t)of->network.layer_count) : 0;
    switch (attack_below(12)) {
    case 0: case 1: change_input(of); return;
    case 2: case 3: change_constant(of); return;
    case 4: case 5: case 6: change_attribute(of, l); return;
    case 7: case 8: change_reader(of, l); return;
    case 9: of->layers[l].type = types[attack_below(LENGTH(types))]; return;
    case 10: add_output(of); return;
    default: fix_input(of); return;
    }
}
