/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The engine "cryptodev": any crypto device that DPDK drives, a card or software. Alone the name means the first device that
 * EAL found; its devices have the names that EAL gives them.
 *
 * All of this is for the control thread, before workers run.
 */
#ifndef FAN_ENGINE_CRYPTODEV_H
#define FAN_ENGINE_CRYPTODEV_H

#include "../engine.h"

/* About 1.6 KiB each for crypto_aesni_mb, 6.5 MiB per worker. A UE has one, or two where cipher and MAC are no chain. For
 * 100,000 UEs at 160 octets, 4,096 sessions made anew took 840 cycles per UE on crypto_aesni_mb and 131,072 fetched from memory 880;
 * on crypto_openssl, which takes long to set a session up, 6,920 and 2,620. A card is likely to be of the second kind. */
#define FAN_CRYPTODEV_SESSIONS_DEFAULT 4096
#define FAN_CRYPTODEV_SESSIONS_MAX (1U << 20)

extern const struct fan_engine_ops fan_engine_cryptodev;

/* Milliseconds between two rounds of questions with known answers; three minutes unless a test says otherwise. */
void fan_engine_cryptodev_questions_every(unsigned ms);

/* Sessions of every instance opened from now on: 1..FAN_CRYPTODEV_SESSIONS_MAX, else INVALID. */
int fan_engine_cryptodev_sessions(uint32_t sessions);

#endif
