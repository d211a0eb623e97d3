/* SPDX-License-Identifier: MIT */
#include "training/copy.h"

#include <string.h>

bool rf_copy_text(rf_arena *arena, const char *text, const char **copy)
{
    *copy = text ? rf_arena_text(arena, text, strlen(text)) : NULL;
    return *copy || !text;
}

static bool copy_texts(rf_arena *arena, const char *const *texts, size_t count, const char *const **copies)
{
    const char **made = RF_TAKE(arena, const char *, count);
    *copies = made;
    for (size_t i = 0; made && i < count; i++)
        if (!rf_copy_text(arena, texts[i], &made[i]))
            return false;
    return made != NULL;
}

bool rf_copy_tensors(rf_arena *arena, const rf_tensor *tensors, size_t count, rf_tensor *copies)
{
    for (size_t i = 0; i < count; i++) {
        copies[i] = tensors[i];
        bool named = tensors[i].dim_names && tensors[i].shape.rank > 0;
        if (!rf_copy_text(arena, tensors[i].name, &copies[i].name))
            return false;
        copies[i].dim_names = NULL;
        if (named && !copy_texts(arena, tensors[i].dim_names, (size_t)tensors[i].shape.rank, &copies[i].dim_names))
            return false;
    }
    return true;
}

static const void *copy_bytes(rf_arena *arena, const void *from, size_t count, size_t size)
{
    void *to = rf_arena_take(arena, count, size);
    if (to && count)
        memcpy(to, from, count * size);
    return to;
}

static bool copy_attribute(rf_arena *arena, const rf_attribute *from, rf_attribute *to)
{
    *to = *from;
    if (!rf_copy_text(arena, from->name, &to->name))
        return false;
    rf_tensor *tensor;
    switch (from->type) {
    case RF_ATTRIBUTE_STRING:
        return (to->value.s = rf_arena_text(arena, from->value.s ? from->value.s : "",
                                            from->value.s ? from->count : 0));
    case RF_ATTRIBUTE_INTS:
        return (to->value.ints = copy_bytes(arena, from->value.ints, from->count, sizeof *from->value.ints));
    case RF_ATTRIBUTE_FLOATS:
        return (to->value.floats = copy_bytes(arena, from->value.floats, from->count, sizeof *from->value.floats));
    case RF_ATTRIBUTE_STRINGS:
        return copy_texts(arena, from->value.strings, from->count, &to->value.strings);
    case RF_ATTRIBUTE_TENSOR:
        to->value.tensor = tensor = RF_TAKE(arena, rf_tensor, 1);
        return tensor && (!from->value.tensor || rf_copy_tensors(arena, from->value.tensor, 1, tensor));
    default:
        return true;
    }
}

static bool is_among(const char *name, const char *const *names)
{
    for (; *names; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return false;
}

bool rf_copy_attributes(rf_arena *arena, const rf_attribute *attributes, const char *const *without,
                        const rf_attribute **copies)
{
    size_t count = 0, kept = 0;
    *copies = NULL;
    while (attributes && attributes[count].name)
        count++;
    if (count == 0)
        return true;
    rf_attribute *made = RF_TAKE(arena, rf_attribute, count + 1);
    for (size_t i = 0; made && i < count; i++)
        if (!is_among(attributes[i].name, without) && !copy_attribute(arena, &attributes[i], &made[kept++]))
            return false;
    *copies = made;
    return made != NULL;
}
