/* SPDX-License-Identifier: MIT */
#include "network/attributes.h"

#include <string.h>

static const char *type_name(rf_attribute_type type)
{
    static const char *const names[] = {
        [RF_ATTRIBUTE_NONE] = "nothing",       [RF_ATTRIBUTE_INT] = "an integer",
        [RF_ATTRIBUTE_FLOAT] = "a float",      [RF_ATTRIBUTE_STRING] = "a string",
        [RF_ATTRIBUTE_INTS] = "integers",      [RF_ATTRIBUTE_FLOATS] = "floats",
        [RF_ATTRIBUTE_STRINGS] = "strings",    [RF_ATTRIBUTE_TENSOR] = "a tensor",
        [RF_ATTRIBUTE_OTHER] = "of a kind that is not supported",
    };
    size_t row = (size_t)type;
    return names[row < sizeof names / sizeof *names ? row : RF_ATTRIBUTE_OTHER];
}

static void store(const rf_attribute_spec *spec, const rf_attribute *attribute, char *params)
{
    char *member = params + spec->offset;
    switch (spec->type) {
    case RF_ATTRIBUTE_INT:
        memcpy(member, &attribute->value.i, sizeof attribute->value.i);
        return;
    case RF_ATTRIBUTE_FLOAT:
        memcpy(member, &attribute->value.f, sizeof attribute->value.f);
        return;
    case RF_ATTRIBUTE_STRING:
        memcpy(member, &attribute->value.s, sizeof attribute->value.s);
        return;
    case RF_ATTRIBUTE_INTS:
        *(rf_ints *)(void *)member = (rf_ints){attribute->count, attribute->value.ints};
        return;
    case RF_ATTRIBUTE_FLOATS:
        *(rf_floats *)(void *)member = (rf_floats){attribute->count, attribute->value.floats};
        return;
    case RF_ATTRIBUTE_STRINGS:
        *(rf_strings *)(void *)member = (rf_strings){attribute->count, attribute->value.strings};
        return;
    case RF_ATTRIBUTE_TENSOR:
        memcpy(member, &attribute->value.tensor, sizeof attribute->value.tensor);
        return;
    default:
        return;
    }
}

static const rf_attribute_spec *find_spec(const rf_op *op, const char *name)
{
    if (!op->attributes)
        return NULL;
    for (const rf_attribute_spec *spec = op->attributes; spec->name; spec++)
        if (strcmp(spec->name, name) == 0)
            return spec;
    return NULL;
}

/* An empty list reaches a file without a type of its own. */
static bool is_empty_list(const rf_attribute *attribute)
{
    return attribute->type >= RF_ATTRIBUTE_INTS && attribute->type <= RF_ATTRIBUTE_STRINGS
        && attribute->count == 0;
}

static rf_status apply_one(rf_node *node, const rf_attribute *attribute, char *params, uint64_t *seen)
{
    const rf_attribute_spec *spec = find_spec(node->op, attribute->name);
    if (!spec)
        return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "attribute '%.60s' is not one of this operator's",
                            attribute->name);
    bool list = spec->type >= RF_ATTRIBUTE_INTS && spec->type <= RF_ATTRIBUTE_STRINGS;
    if (spec->type != attribute->type && !(list && is_empty_list(attribute)))
        return rf_node_fail(node, RF_ERROR_FORMAT, "attribute '%s' must be %s, but is %s", spec->name,
                            type_name(spec->type), type_name(attribute->type));
    uint64_t bit = UINT64_C(1) << (spec - node->op->attributes);
    if (*seen & bit)
        return rf_node_fail(node, RF_ERROR_FORMAT, "attribute '%s' is given twice", spec->name);
    *seen |= bit;
    store(spec, attribute, params);
    return RF_OK;
}

rf_status rf_attributes_apply(rf_node *node)
{
    const rf_op *op = node->op;
    char *params = rf_arena_take(node->arena, 1, op->params_size);
    if (!params)
        return rf_arena_fail(node->arena, node->error, "a layer's attributes");
    if (op->defaults)
        memcpy(params, op->defaults, op->params_size);
    node->params = params;

    uint64_t seen = 0;
    if (node->layer->attributes)
        for (const rf_attribute *attribute = node->layer->attributes; attribute->name; attribute++)
            RF_TRY(apply_one(node, attribute, params, &seen));
    if (!op->attributes)
        return RF_OK;
    for (const rf_attribute_spec *spec = op->attributes; spec->name; spec++)
        if (spec->required && !(seen >> (spec - op->attributes) & 1))
            return rf_node_fail(node, RF_ERROR_FORMAT, "attribute '%s' is required", spec->name);
    return RF_OK;
}
