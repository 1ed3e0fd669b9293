/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "pages.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where things lie in a page, a node (an entry of a page), a meta page and in what a tree's root is told (MDB_page, MDB_node, MDB_meta, MDB_db). */
enum {
	PAGE_NUMBER = 0,
	PAGE_FLAGS = 10,
	PAGE_LOWER = 12, /* end of the nodes' offsets; of an overflow page, how many pages it has */
	PAGE_UPPER = 14, /* begin of the nodes */
	PAGE_HEADER = 16,
	PAGE_BYTES_MIN = 512,
	PAGE_BYTES_MAX = 65536,

	NODE_LOW = 0, /* size of the value, or number of the page below: bits 0..31 */
	NODE_FLAGS = 4,
	NODE_KEY_BYTES = 6,
	NODE_HEADER = 8,

	META_MAGIC = PAGE_HEADER,
	META_VERSION = PAGE_HEADER + 4,
	META_FREE_TREE = PAGE_HEADER + 24,
	META_MAIN_TREE = META_FREE_TREE + 48,
	META_LAST_PAGE = META_MAIN_TREE + 48,
	META_TRANSACTION = META_LAST_PAGE + 8,

	TREE_PAGE_BYTES = 0, /* of the free tree */
	TREE_FLAGS = 4,
	TREE_DEPTH = 6,
	TREE_BRANCHES = 8,
	TREE_LEAVES = 16,
	TREE_OVERFLOWS = 24,
	TREE_ENTRIES = 32,
	TREE_ROOT = 40,
	TREE_BYTES = 48,
	TREE_DEPTH_MAX = 32,
};

enum { BRANCH = 0x01, LEAF = 0x02, OVERFLOW = 0x04, META = 0x08 }; /* flags of a page */
enum { VALUE_ELSEWHERE = 0x01, VALUE_IS_TREE = 0x02 };             /* flags of a node */
enum { NUMBER_KEYS = 0x08 };                                       /* flags of a tree */

#define MAGIC 0xbeefc0deU
#define NO_PAGE UINT64_MAX

static uint16_t
u16(const uint8_t *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static uint32_t
u32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static uint64_t
u64(const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

/* ---- The file -------------------------------------------------------------------------------------------------------------- */

static const uint8_t *
meta_page(const struct fan_pages *pages, unsigned meta)
{
	return pages->map + (size_t)meta * pages->page_bytes;
}

static int
check_metas(struct fan_pages *pages)
{
	pages->page_bytes = pages->bytes > META_TRANSACTION + 8 ? u32(pages->map + META_FREE_TREE + TREE_PAGE_BYTES) : 0;
	if (pages->page_bytes < PAGE_BYTES_MIN || pages->page_bytes > PAGE_BYTES_MAX ||
	    (pages->page_bytes & (pages->page_bytes - 1)) != 0 || pages->bytes < (size_t)2 * pages->page_bytes)
		return fan_fail(FAN_E_IO, "%s: page 0 is damaged: it does not tell the size of pages", pages->path);
	for (unsigned i = 0; i < 2; i++) {
		const uint8_t *const page = meta_page(pages, i);

		if (u64(page + PAGE_NUMBER) != i || u16(page + PAGE_FLAGS) != META || u32(page + META_MAGIC) != MAGIC ||
		    u32(page + META_VERSION) != 1 || u32(page + META_FREE_TREE + TREE_PAGE_BYTES) != pages->page_bytes)
			return fan_fail(FAN_E_IO, "%s: page %u is damaged: it is no meta page of LMDB's format 1", pages->path,
					i);
	}
	return 0;
}

static int
map(struct fan_pages *pages)
{
	struct stat stat;
	void *mapped;

	if (fstat(pages->fd, &stat) != 0)
		return fan_fail(FAN_E_IO, "%s: %s", pages->path, strerror(errno));
	if (stat.st_size == 0)
		return 0;
	mapped = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_SHARED, pages->fd, 0);
	if (mapped == MAP_FAILED)
		return fan_fail(FAN_E_MEMORY, "%s: %zu octets of address space cannot be had", pages->path,
				(size_t)stat.st_size);
	pages->map = mapped;
	pages->bytes = (size_t)stat.st_size;
	return check_metas(pages);
}

int
fan_pages_open(struct fan_pages *pages, const char *path)
{
	int error;

	*pages = (struct fan_pages){ .fd = open(path, O_RDWR | O_CLOEXEC) };
	(void)snprintf(pages->path, sizeof(pages->path), "%s", path);
	if (pages->fd < 0)
		return errno == ENOENT ? 0 : fan_fail(FAN_E_IO, "%s: %s", path, strerror(errno));
	error = map(pages);
	if (error != 0)
		fan_pages_close(pages);
	return error;
}

void
fan_pages_close(struct fan_pages *pages)
{
	if (pages->map != NULL)
		(void)munmap(pages->map, pages->bytes);
	if (pages->fd >= 0)
		(void)close(pages->fd);
	pages->map = NULL;
	pages->fd = -1;
}

uint64_t
fan_pages_transaction(const struct fan_pages *pages, unsigned meta)
{
	return u64(meta_page(pages, meta) + META_TRANSACTION);
}

bool
fan_pages_blank(const struct fan_pages *pages, unsigned meta)
{
	return u64(meta_page(pages, meta) + META_MAIN_TREE + TREE_ROOT) == NO_PAGE;
}

uint64_t
fan_pages_last(const struct fan_pages *pages, unsigned meta)
{
	return u64(meta_page(pages, meta) + META_LAST_PAGE);
}

int
fan_pages_set_transaction(const struct fan_pages *pages, unsigned meta, uint64_t transaction, uint64_t last_page)
{
	const uint64_t octets[2] = { last_page, transaction };
	const off_t at = (off_t)((size_t)meta * pages->page_bytes + META_LAST_PAGE);

	static_assert(META_TRANSACTION == META_LAST_PAGE + 8, "both are written at once");
	if (pwrite(pages->fd, octets, sizeof(octets), at) != sizeof(octets) || fdatasync(pages->fd) != 0)
		return fan_fail(FAN_E_IO, "%s: page %u cannot be written: %s", pages->path, meta, strerror(errno));
	return 0;
}

/* ---- Pages and nodes --------------------------------------------------------------------------------------------------------- */

struct node {
	const uint8_t *key, *value;
	size_t key_bytes, value_bytes;
	uint64_t page; /* below a branch; of a value elsewhere */
	unsigned flags;
};

static size_t
node_count(const uint8_t *page)
{
	return (u16(page + PAGE_LOWER) - (size_t)PAGE_HEADER) / 2;
}

/* Whether the offsets and nodes of a branch or leaf have their bounds. */
static bool
has_bounds(const uint8_t *page, size_t page_bytes)
{
	const unsigned lower = u16(page + PAGE_LOWER), upper = u16(page + PAGE_UPPER);

	return lower > PAGE_HEADER && lower % 2 == 0 && lower <= upper && upper <= page_bytes;
}

/* Out: the i-th node of a leaf or branch. Returns the octets that it takes; 0: it is not in the page. */
static size_t
read_node(struct node *node, const uint8_t *page, size_t page_bytes, size_t i)
{
	const size_t at = u16(page + PAGE_HEADER + 2 * i);
	const bool leaf = u16(page + PAGE_FLAGS) == LEAF;
	const uint8_t *const octets = page + at;
	size_t taken;

	if (at < u16(page + PAGE_UPPER) || at + NODE_HEADER > page_bytes)
		return 0;
	*node = (struct node){ .flags = leaf ? u16(octets + NODE_FLAGS) : 0,
			       .key = octets + NODE_HEADER,
			       .key_bytes = u16(octets + NODE_KEY_BYTES),
			       .value_bytes = leaf ? u32(octets + NODE_LOW) : 0,
			       .page = u32(octets + NODE_LOW) | (uint64_t)u16(octets + NODE_FLAGS) << 32 };
	node->value = node->key + node->key_bytes;
	taken = NODE_HEADER + node->key_bytes + (node->flags & VALUE_ELSEWHERE ? sizeof(uint64_t) : node->value_bytes);
	if (taken > page_bytes - at)
		return 0;
	if (node->flags & VALUE_ELSEWHERE)
		node->page = u64(node->value);
	return (taken + 1) & ~(size_t)1;
}

static int
compare(const uint8_t *left, size_t left_bytes, const uint8_t *right, size_t right_bytes)
{
	const int order = memcmp(left, right, left_bytes < right_bytes ? left_bytes : right_bytes);

	return order != 0 ? order : (left_bytes > right_bytes) - (left_bytes < right_bytes);
}

bool
fan_pages_find(const struct fan_pages *pages, unsigned meta, const char *name, const uint8_t **value, size_t *value_bytes)
{
	const uint64_t root = u64(meta_page(pages, meta) + META_MAIN_TREE + TREE_ROOT);
	const uint8_t *page;
	struct node node;

	if (root < 2 || root >= pages->bytes / pages->page_bytes)
		return false;
	page = pages->map + root * pages->page_bytes;
	if (u64(page + PAGE_NUMBER) != root || u16(page + PAGE_FLAGS) != LEAF || !has_bounds(page, pages->page_bytes))
		return false;
	for (size_t i = 0; i < node_count(page); i++) {
		if (read_node(&node, page, pages->page_bytes, i) == 0 || node.flags != 0 ||
		    compare(node.key, node.key_bytes, (const uint8_t *)name, strlen(name)) != 0)
			continue;
		*value = node.value;
		*value_bytes = node.value_bytes;
		return true;
	}
	return false;
}

/* ---- Trees ----------------------------------------------------------------------------------------------------------------- */

/* FNV-1a of 64 bits. */
static uint64_t
hash(uint64_t state, const uint8_t *octets, size_t octet_count)
{
	for (size_t i = 0; i < octet_count; i++)
		state = (state ^ octets[i]) * UINT64_C(0x100000001b3);
	return state;
}

uint64_t
fan_pages_term(const void *key, size_t key_bytes, const void *value, size_t value_bytes)
{
	const size_t tag_bytes = value_bytes < 16 ? value_bytes : 16;

	return hash(hash(UINT64_C(0xcbf29ce484222325), key, key_bytes), (const uint8_t *)value + value_bytes - tag_bytes,
		    tag_bytes);
}

struct walk {
	const struct fan_pages *pages;
	uint64_t page_count; /* of the file */
	uint64_t last_page;  /* that there may be; those behind the file's end are free */
	uint64_t highest;    /* in use or free, so far */
	uint8_t *seen;       /* a bit for each page */
	struct fan_pages_tree *trees;
};

struct tree {
	const char *database;
	int (*entry)(struct walk *walk, const struct tree *tree, const struct node *node); /* told of each entry */
	bool number_keys;
	uint64_t branches, leaves, overflows, entries, sum;
	const uint8_t *key; /* the last that was met; NULL: none */
	size_t key_bytes;
};

static int
damaged(const struct walk *walk, const struct tree *tree, uint64_t number, const char *what)
{
	return fan_fail(FAN_E_IO, "%s: page %lu of database %s is damaged: %s", walk->pages->path, number, tree->database,
			what);
}

/* Counts a page, which nothing else may be. */
static bool
claim(struct walk *walk, uint64_t number)
{
	if (number < 2 || number > walk->last_page || (walk->seen[number / 8] >> number % 8 & 1) != 0)
		return false;
	walk->seen[number / 8] |= (uint8_t)(1U << number % 8);
	if (number > walk->highest)
		walk->highest = number;
	return true;
}

/* A key ascends from the one before it: `or_equal` where a branch has said it already. */
static bool
ascend(struct tree *tree, const struct node *node, bool or_equal)
{
	int order = -1;

	if (tree->number_keys && node->key_bytes != sizeof(uint64_t))
		return false;
	if (tree->key != NULL && tree->number_keys)
		order = u64(tree->key) < u64(node->key) ? -1 : u64(tree->key) > u64(node->key);
	else if (tree->key != NULL)
		order = compare(tree->key, tree->key_bytes, node->key, node->key_bytes);
	tree->key = node->key;
	tree->key_bytes = node->key_bytes;
	return order < 0 || (or_equal && order == 0);
}

/* Brings the value of a node in that lies on pages of its own. */
static int
fetch(struct walk *walk, struct tree *tree, struct node *node)
{
	const size_t page_bytes = walk->pages->page_bytes;
	const uint64_t count = (PAGE_HEADER - 1 + node->value_bytes) / page_bytes + 1;
	const uint8_t *page;

	for (uint64_t i = 0; i < count; i++)
		if (!claim(walk, node->page + i) || node->page + i >= walk->page_count)
			return damaged(walk, tree, node->page,
				       "what it should hold does not lie in the file, or is something else too");
	page = walk->pages->map + node->page * page_bytes;
	if (u64(page + PAGE_NUMBER) != node->page || u16(page + PAGE_FLAGS) != OVERFLOW || u32(page + PAGE_LOWER) != count)
		return damaged(walk, tree, node->page, "it does not begin a long value");
	tree->overflows += count;
	node->value = page + PAGE_HEADER;
	return 0;
}

/* In: named, whether a branch has named the leaf's first key. */
static int
check_leaf(struct walk *walk, struct tree *tree, uint64_t number, const uint8_t *page, bool named)
{
	size_t used = 0;
	struct node node;
	int error = 0;

	tree->leaves++;
	for (size_t i = 0; i < node_count(page); i++) {
		const size_t taken = read_node(&node, page, walk->pages->page_bytes, i);

		used += taken;
		if (taken == 0 || !ascend(tree, &node, named && i == 0))
			return damaged(walk, tree, number, "an entry does not lie in it, or in its order");
		if (node.flags & VALUE_ELSEWHERE)
			error = fetch(walk, tree, &node);
		if (error == 0)
			error = tree->entry(walk, tree, &node);
		if (error != 0)
			return error;
		tree->entries++;
		tree->sum += fan_pages_term(node.key, node.key_bytes, node.value, node.value_bytes);
	}
	return used == walk->pages->page_bytes - u16(page + PAGE_UPPER)
		       ? 0
		       : damaged(walk, tree, number, "its entries do not fill what it says");
}

static int
check_page(struct walk *walk, struct tree *tree, uint64_t number, unsigned depth, bool named)
{
	const size_t page_bytes = walk->pages->page_bytes;
	const uint8_t *page;
	size_t used = 0;
	struct node node;

	if (!claim(walk, number) || number >= walk->page_count)
		return damaged(walk, tree, number, "it does not lie in the file, or is something else too");
	page = walk->pages->map + number * page_bytes;
	if (u64(page + PAGE_NUMBER) != number || u16(page + PAGE_FLAGS) != (depth == 1 ? LEAF : BRANCH) ||
	    !has_bounds(page, page_bytes))
		return damaged(walk, tree, number, "its header is not that of such a page");
	if (depth == 1)
		return check_leaf(walk, tree, number, page, named);
	tree->branches++;
	for (size_t i = 0; i < node_count(page); i++) {
		const size_t taken = read_node(&node, page, page_bytes, i);
		int error;

		used += taken;
		if (taken == 0 || (i > 0 && !ascend(tree, &node, false)))
			return damaged(walk, tree, number, "an entry does not lie in it, or in its order");
		error = check_page(walk, tree, node.page, depth - 1, i > 0 || named);
		if (error != 0)
			return error;
	}
	return used == page_bytes - u16(page + PAGE_UPPER)
		       ? 0
		       : damaged(walk, tree, number, "its entries do not fill what it says");
}

/* In: told, what the root of a tree is told of it. */
static int
check_tree(struct walk *walk, struct tree *tree, const uint8_t *told)
{
	const uint64_t root = u64(told + TREE_ROOT);
	const unsigned depth = u16(told + TREE_DEPTH);
	int error = 0;

	if (u16(told + TREE_FLAGS) != (tree->number_keys ? NUMBER_KEYS : 0) || depth > TREE_DEPTH_MAX ||
	    (depth == 0) != (root == NO_PAGE))
		return fan_fail(FAN_E_IO, "%s: database %s is damaged: its root is not that of such a database",
				walk->pages->path, tree->database);
	if (depth > 0)
		error = check_page(walk, tree, root, depth, false);
	if (error == 0 && (tree->branches != u64(told + TREE_BRANCHES) || tree->leaves != u64(told + TREE_LEAVES) ||
			   tree->overflows != u64(told + TREE_OVERFLOWS) || tree->entries != u64(told + TREE_ENTRIES)))
		return fan_fail(FAN_E_IO,
				"%s: database %s is damaged: it has not the pages or records that its root is told of",
				walk->pages->path, tree->database);
	return error;
}

/* An entry of the free tree: how many pages, and their numbers, descending. */
static int
free_entry(struct walk *walk, const struct tree *tree, const struct node *node)
{
	const uint64_t count = node->value_bytes >= sizeof(uint64_t) ? u64(node->value) : UINT64_MAX;

	if (node->flags & VALUE_IS_TREE || count >= node->value_bytes / sizeof(uint64_t))
		return damaged(walk, tree, 0, "a list of free pages is longer than what holds it");
	for (uint64_t i = 1; i <= count; i++) {
		const uint64_t number = u64(node->value + i * sizeof(uint64_t));

		if (!claim(walk, number) || (i > 1 && number >= u64(node->value + (i - 1) * sizeof(uint64_t))))
			return damaged(walk, tree, number, "it is said to be free, and is not");
	}
	return 0;
}

static int
record_entry(struct walk *walk, const struct tree *tree, const struct node *node)
{
	return (node->flags & ~(unsigned)VALUE_ELSEWHERE) == 0 ? 0 : damaged(walk, tree, 0, "an entry is no record");
}

/* An entry of the main tree: one of the store's own records, or a database. */
static int
main_entry(struct walk *walk, const struct tree *tree, const struct node *node)
{
	if (node->flags == 0)
		return 0;
	for (unsigned i = 0; i < FAN_RECORD_KINDS; i++) {
		const char *const name = fan_record_databases[i];
		struct tree inner = { .database = name, .entry = record_entry };
		int error;

		if (node->flags != VALUE_IS_TREE || node->value_bytes != TREE_BYTES ||
		    compare(node->key, node->key_bytes, (const uint8_t *)name, strlen(name)) != 0)
			continue;
		error = check_tree(walk, &inner, node->value);
		walk->trees[i] = (struct fan_pages_tree){ .entries = inner.entries, .sum = inner.sum };
		return error;
	}
	return damaged(walk, tree, 0, "it names a database that there is not");
}

int
fan_pages_check(const struct fan_pages *pages, unsigned meta, struct fan_pages_tree trees[FAN_RECORD_KINDS],
		uint64_t *last_page)
{
	const uint64_t page_count = pages->bytes / pages->page_bytes;
	const uint64_t told = u64(meta_page(pages, meta) + META_LAST_PAGE);
	struct walk walk = { .pages = pages, .page_count = page_count, .highest = 1, .trees = trees };
	struct tree main_tree = { .database = "main", .entry = main_entry };
	struct tree free_tree = { .database = "free", .entry = free_entry, .number_keys = true };
	int error;

	memset(trees, 0, FAN_RECORD_KINDS * sizeof(*trees));
	if (told >= FAN_STORE_BYTES_MAX / pages->page_bytes)
		return fan_fail(FAN_E_IO, "%s: page %u is damaged: there is no page %lu", pages->path, meta, told);
	walk.last_page = told > page_count - 1 ? told : page_count - 1;
	walk.seen = calloc(walk.last_page / 8 + 1, 1);
	if (walk.seen == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory for a bit for each of %lu pages", walk.last_page);
	error = check_tree(&walk, &main_tree, meta_page(pages, meta) + META_MAIN_TREE);
	if (error == 0)
		error = check_tree(&walk, &free_tree, meta_page(pages, meta) + META_FREE_TREE);
	free(walk.seen);
	*last_page = walk.highest;
	return error;
}
