/* An intrusive, circular, doubly linked list. A zeroed node is "not linked". */
#ifndef SP_BASE_LIST_H
#define SP_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/must.h"

struct sp_list {
	struct sp_list *next, *prev;
};

static inline void sp_list_init(struct sp_list *head)
{
	head->next = head->prev = head;
}
static inline bool sp_list_empty(const struct sp_list *head)
{
	return head->next == head || head->next == NULL;
}
static inline bool sp_list_linked(const struct sp_list *node)
{
	return node->next != NULL;
}
static inline void sp_list_append(struct sp_list *head, struct sp_list *node)
{
	sp_must(!sp_list_linked(node));
	node->prev = head->prev;
	node->next = head;
	head->prev->next = node;
	head->prev = node;
}
static inline void sp_list_prepend(struct sp_list *head, struct sp_list *node)
{
	sp_list_append(head->next, node);
}
/* Idempotent. */
static inline void sp_list_remove(struct sp_list *node)
{
	if (!sp_list_linked(node))
		return;
	node->prev->next = node->next;
	node->next->prev = node->prev;
	node->next = node->prev = NULL;
}
static inline struct sp_list *sp_list_pop(struct sp_list *head)
{
	struct sp_list *node = head->next;
	if (sp_list_empty(head))
		return NULL;
	sp_list_remove(node);
	return node;
}

/* for (each node): n may be removed inside the loop, its successor may not. */
#define SP_LIST_EACH(n, head, tmp) for (n = (head)->next; n != (head) && ((tmp) = n->next, true); n = tmp)

#endif
