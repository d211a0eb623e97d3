/* SPDX-License-Identifier: MIT */
#include "ops/einsum_equation.h"

typedef struct reader {
    const rf_node *node;
    const char *text, *at;
    int32_t ellipsis;                  /* the most axes that one stood for */
    uint32_t uses[RF_EINSUM_LABELS];   /* of each label in the inputs */
} reader;

static rf_status fail(const reader *from, const char *what)
{
    return rf_node_fail(from->node, RF_ERROR_FORMAT, "equation '%.60s': %s", from->text, what);
}

static int label_of(char letter)
{
    if (letter >= 'A' && letter <= 'Z')
        return letter - 'A';
    return letter >= 'a' && letter <= 'z' ? letter - 'a' + 26 : -1;
}

/* The letters of a term, and how many of them stand before its ellipsis, -1 where it has none. */
static rf_status read_letters(reader *from, rf_einsum_term *letters, int32_t *before)
{
    letters->rank = 0;
    *before = -1;
    for (; *from->at && *from->at != ',' && *from->at != '-'; from->at++) {
        if (*from->at == ' ')
            continue;
        if (*from->at == '.') {
            if (*before >= 0 || from->at[1] != '.' || from->at[2] != '.')
                return fail(from, "a term may have one ellipsis of three dots");
            *before = letters->rank;
            from->at += 2;
            continue;
        }
        int label = label_of(*from->at);
        if (label < 0)
            return fail(from, "labels must be letters");
        if (letters->rank == RF_MAX_RANK)
            return fail(from, "a term has more labels than a tensor may have axes");
        letters->labels[letters->rank++] = (uint8_t)label;
    }
    return RF_OK;
}

/* Puts the labels of `broad` axes where the ellipsis stood. */
static rf_status expand(const reader *from, const rf_einsum_term *letters, int32_t before, int32_t broad,
                        rf_einsum_term *term)
{
    term->rank = letters->rank + broad;
    if (term->rank > RF_MAX_RANK)
        return rf_node_fail(from->node, RF_ERROR_LIMIT, "equation '%.60s' makes a tensor of rank %d, more than %d",
                            from->text, (int)term->rank, RF_MAX_RANK);
    for (int32_t k = 0, letter = 0; k < term->rank; k++) {
        bool inside = broad && k >= before && k < before + broad;
        term->labels[k] = inside ? (uint8_t)(RF_EINSUM_LABELS - broad + k - before) : letters->labels[letter++];
    }
    return RF_OK;
}

static rf_status read_input(reader *from, uint32_t i, rf_einsum_term *term)
{
    rf_einsum_term letters;
    int32_t before, rank = from->node->inputs[i]->shape.rank;
    RF_TRY(read_letters(from, &letters, &before));
    int32_t broad = rank - letters.rank;
    if (broad < 0 || (broad && before < 0))
        return rf_node_fail(from->node, RF_ERROR_SHAPE, "equation '%.60s' has %d labels for input %u of shape %s",
                            from->text, (int)letters.rank, (unsigned)i,
                            rf_shape_print(&from->node->inputs[i]->shape).text);
    RF_TRY(expand(from, &letters, before, broad, term));
    from->ellipsis = broad > from->ellipsis ? broad : from->ellipsis;
    for (int32_t k = 0; k < rank; k++)
        from->uses[term->labels[k]]++;
    return RF_OK;
}

static rf_status read_output(reader *from, rf_einsum_term *output)
{
    rf_einsum_term letters;
    int32_t before;
    uint64_t seen = 0;
    if (*from->at != '>')
        return fail(from, "'-' must be followed by '>'");
    from->at++;
    RF_TRY(read_letters(from, &letters, &before));
    if (*from->at)
        return fail(from, "there is something after the output's labels");
    RF_TRY(expand(from, &letters, before, before < 0 ? 0 : from->ellipsis, output));
    for (int32_t k = 0; k < output->rank; k++) {
        uint64_t bit = UINT64_C(1) << output->labels[k];
        if (!from->uses[output->labels[k]] || seen & bit)
            return fail(from, "every label of the output must be an input's, and there once");
        seen |= bit;
    }
    return RF_OK;
}

/* Without an output in the equation: the ellipsis and then the labels that occur once, in order. */
static rf_status imply_output(const reader *from, rf_einsum_term *output)
{
    rf_einsum_term once = {.rank = 0};
    for (int label = 0; label < RF_EINSUM_LETTERS; label++) {
        if (from->uses[label] != 1)
            continue;
        if (once.rank == RF_MAX_RANK)
            return fail(from, "its output would have more axes than a tensor may have");
        once.labels[once.rank++] = (uint8_t)label;
    }
    return expand(from, &once, 0, from->ellipsis, output);
}

rf_status rf_einsum_read(const rf_node *node, const char *text, rf_einsum_equation *equation)
{
    reader from = {.node = node, .text = text, .at = text};
    equation->inputs = RF_TAKE(node->arena, rf_einsum_term, node->input_count);
    if (!equation->inputs)
        return rf_node_fail(node, RF_ERROR_MEMORY, "no memory for its equation");
    for (uint32_t i = 0; i < node->input_count; i++) {
        RF_TRY(read_input(&from, i, &equation->inputs[i]));
        if (i + 1 < node->input_count && *from.at != ',')
            return fail(&from, "it has fewer terms than the layer has inputs");
        from.at += i + 1 < node->input_count;
    }
    if (*from.at == ',')
        return fail(&from, "it has more terms than the layer has inputs");
    if (!*from.at)
        return imply_output(&from, &equation->output);
    from.at++;
    return read_output(&from, &equation->output);
}
