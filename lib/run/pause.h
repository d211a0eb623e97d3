/* SPDX-License-Identifier: MIT */
/* A moment in which a processor leaves its other thread the better part of itself. */
#ifndef RF_RUN_PAUSE_H
#define RF_RUN_PAUSE_H

#if defined(__x86_64__) || defined(__i386__)
static inline void rf_pause(void)
{
    __builtin_ia32_pause();
}
#elif defined(__aarch64__)
static inline void rf_pause(void)
{
    __asm__ volatile("yield");
}
#else
static inline void rf_pause(void)
{
}
#endif

#endif
