/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The card as a raw device of DPDK, for programs that know rte_rawdev and nothing of Fanfare: version, counters, self-test, dump.
 * Protecting is the engine's matter; a raw device takes no queue of the card but during its self-test, and lives beside engines.
 *
 *	--vdev=rawdev_fanfare                       the default card
 *	--vdev=rawdev_fanfare0,card=model,seed=7    `card` is the last argument: all that follows is its value
 *
 * Any DPDK program that loads libfanfare.so as a plugin (-d) has the driver; so has fanfare itself, behind --.
 *
 *	rte_rawdev_firmware_version_get()  struct fan_card_rawdev_version
 *	rte_rawdev_info_get()              struct fan_card_build
 *	rte_rawdev_xstats_...              the counters of struct fan_card_statistics; reset counts from 0 again for this device alone
 *	rte_rawdev_selftest()              registers, clock, and the questions whose answers are known, which go through DMA (card_exam.h)
 *	rte_rawdev_dump()                  text
 */
#ifndef FAN_CARD_RAWDEV_H
#define FAN_CARD_RAWDEV_H

struct fan_card_rawdev_version {
	unsigned major, minor; /* of the registers */
	char text[64];         /* "1.0, 1 AES, 0 SNOW 3G, 0 ZUC lanes, 4 queues" */
};

/* Makes the driver known to EAL; a second time does nothing. Also done when the library is loaded. */
void fan_card_rawdev_register(void);

#endif
