/* SPDX-License-Identifier: MIT */
/*
 * Optimisers' loops, plain enough for the compiler to make vectors of them. Products and sums are not
 * fused here (see meson.build): weights don't depend on the instruction set.
 */
#include "kernels/update.h"

#include <math.h>

#include "kernels/vector/makers.h"

/* Sums side by side, the same on every machine. */
enum { SUMS = 16 };

static double square_sum(const float *at, size_t count)
{
    double sums[SUMS] = {0}, sum = 0;
    size_t whole = count - count % SUMS;
    for (size_t i = 0; i < whole; i += SUMS)
        for (size_t lane = 0; lane < SUMS; lane++)
            sums[lane] += (double)at[i + lane] * (double)at[i + lane];
    for (size_t i = whole; i < count; i++)
        sums[i - whole] += (double)at[i] * (double)at[i];
    for (size_t lane = 0; lane < SUMS; lane++)
        sum += sums[lane];
    return sum;
}

static void plain(const rf_update_rule *rule, const rf_update_block *block)
{
    float *restrict at = block->at;
    const float *restrict gradient = block->gradient;
    const float scale = rule->scale, decay = rule->decay, rate = rule->rate;
    for (size_t i = 0; i < block->count; i++)
        at[i] -= rate * (scale * gradient[i] + decay * at[i]);
}

/* `first` holds the last step, theta^k - theta^{k-1}: the difference of the rounded parameters would carry
 * their rounding into the next step, where momentum sums it up. */
static void momentum_1(const rf_update_rule *rule, const rf_update_block *block)
{
    float *restrict at = block->at, *restrict moved = block->first;
    const float *restrict gradient = block->gradient;
    const float scale = rule->scale, decay = rule->decay, rate = rule->rate, momentum = rule->momentum;
    for (size_t i = 0; i < block->count; i++) {
        moved[i] = momentum * moved[i] - rate * (scale * gradient[i] + decay * at[i]);
        at[i] += moved[i];
    }
}

static void momentum_2(const rf_update_rule *rule, const rf_update_block *block)
{
    float *restrict at = block->at, *restrict speed = block->first;
    const float *restrict gradient = block->gradient;
    const float scale = rule->scale, decay = rule->decay, rate = rule->rate, momentum = rule->momentum;
    for (size_t i = 0; i < block->count; i++) {
        speed[i] = scale * gradient[i] + decay * at[i] + momentum * speed[i];
        at[i] -= rate * speed[i];
    }
}

static void nesterov(const rf_update_rule *rule, const rf_update_block *block)
{
    float *restrict at = block->at, *restrict speed = block->first;
    const float *restrict gradient = block->gradient;
    const float scale = rule->scale, decay = rule->decay, rate = rule->rate, momentum = rule->momentum;
    for (size_t i = 0; i < block->count; i++) {
        float g = scale * gradient[i] + decay * at[i];
        speed[i] = g + momentum * speed[i];
        at[i] -= rate * (g + momentum * speed[i]);
    }
}

static void adam(const rf_update_rule *rule, const rf_update_block *block)
{
    float *restrict at = block->at, *restrict mean = block->first, *restrict square = block->second;
    const float *restrict gradient = block->gradient;
    const rf_update_rule to = *rule;
    for (size_t i = 0; i < block->count; i++) {
        float g = to.scale * gradient[i] + to.decay * at[i];
        mean[i] = to.beta1 * mean[i] + to.rest1 * g;
        square[i] = to.beta2 * square[i] + to.rest2 * g * g;
        at[i] = to.shrink * at[i] - to.rate * mean[i] / (sqrtf(square[i]) * to.root_scale + to.epsilon);
    }
}

extern const rf_updates RF_ISA_NAME(rf_updates);

const rf_updates RF_ISA_NAME(rf_updates) = {
    .square_sum = square_sum,
    .plain = plain,
    .momentum_1 = momentum_1,
    .momentum_2 = momentum_2,
    .nesterov = nesterov,
    .adam = adam,
};
