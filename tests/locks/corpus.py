"""Small functions with the order that they take locks in, known by construction.

``edges`` are the pairs expected, all of them; ``mistakes`` the (kind, lock) expected, all of them.
"""

from dataclasses import dataclass

KEPT = "lock not released"
SLEEPS = "sleeps in atomic context"
UNSAFE = "lock unsafe in irq"


@dataclass(frozen=True)
class Case:
    """C source, the edges and the mistakes in it."""

    name: str
    code: str
    edges: frozenset[tuple[str, str]]
    mistakes: frozenset[tuple[str, str]] = frozenset()


def _case(name: str, code: str, edges: str = "", mistakes: str = "") -> Case:
    pairs = (line.split(" > ") for line in edges.split("; ") if line)
    wrong = (text.split(": ") for text in mistakes.split("; ") if text)
    return Case(
        name, code, frozenset((a, b) for a, b in pairs), frozenset((a, b) for a, b in wrong)
    )


CASES = [
    _case("nothing", "int f(int a) { return a + 1; }"),
    _case("one lock", "void f(struct x *x) { down_read(&x->a_sem); up_read(&x->a_sem); }"),
    _case(
        "two nested",
        """
void f(struct x *x)
{
	down_write(&x->a_sem);
	mutex_lock(&x->b_mutex);
	mutex_unlock(&x->b_mutex);
	up_write(&x->a_sem);
}""",
        "a_sem > b_mutex",
    ),
    _case(
        "one after the other",
        """
void f(struct x *x)
{
	mutex_lock(&x->a_mutex);
	mutex_unlock(&x->a_mutex);
	mutex_lock(&x->b_mutex);
	mutex_unlock(&x->b_mutex);
}""",
    ),
    _case(
        "released in the order of acquisition",
        """
void f(struct x *x)
{
	mutex_lock(&x->a_mutex);
	mutex_lock(&x->b_mutex);
	mutex_unlock(&x->a_mutex);
	mutex_lock(&x->c_mutex);
	mutex_unlock(&x->c_mutex);
	mutex_unlock(&x->b_mutex);
}""",
        "a_mutex > b_mutex; b_mutex > c_mutex",
    ),
    _case(
        "three deep",
        """
void f(struct inode *inode)
{
	inode_lock(inode);
	filemap_invalidate_lock(inode->i_mapping);
	down_write(&EXT4_I(inode)->i_data_sem);
	up_write(&EXT4_I(inode)->i_data_sem);
	filemap_invalidate_unlock(inode->i_mapping);
	inode_unlock(inode);
}""",
        "i_rwsem > invalidate_lock; i_rwsem > i_data_sem; invalidate_lock > i_data_sem",
    ),
    _case(
        "goto out",
        """
int f(struct x *x)
{
	int ret;

	mutex_lock(&x->a_mutex);
	ret = prepare(x);
	if (ret)
		goto out;
	mutex_lock(&x->b_mutex);
	mutex_unlock(&x->b_mutex);
out:
	mutex_unlock(&x->a_mutex);
	return ret;
}""",
        "a_mutex > b_mutex",
    ),
    _case(
        "goto ladder",
        """
int f(struct x *x)
{
	int ret = -EIO;

	mutex_lock(&x->a_mutex);
	if (broken(x))
		goto out_a;
	mutex_lock(&x->b_mutex);
	if (torn(x))
		goto out_b;
	ret = 0;
out_b:
	mutex_unlock(&x->b_mutex);
out_a:
	mutex_unlock(&x->a_mutex);
	mutex_lock(&x->c_mutex);
	mutex_unlock(&x->c_mutex);
	return ret;
}""",
        "a_mutex > b_mutex",
    ),
    _case(
        "early return that forgets",
        """
int f(struct x *x)
{
	mutex_lock(&x->a_mutex);
	if (broken(x))
		return -EIO;
	mutex_unlock(&x->a_mutex);
	return 0;
}""",
        "",
        "lock not released: a_mutex",
    ),
    _case(
        "void return that forgets",
        """
void f(struct x *x)
{
	spin_lock(&x->a_lock);
	if (x->broken)
		return;
	spin_unlock(&x->a_lock);
}""",
        "",
        "lock not released: a_lock",
    ),
    _case(
        "goto that forgets",
        """
int f(struct x *x)
{
	int err;

	down_write(&x->a_sem);
	err = -EINVAL;
	if (x->broken)
		goto out;
	up_write(&x->a_sem);
	err = 0;
out:
	return err;
}""",
        "",
        "lock not released: a_sem",
    ),
    _case(
        "returns locked on purpose",
        """
int take(struct x *x)
{
	mutex_lock(&x->a_mutex);
	if (x->dead) {
		mutex_unlock(&x->a_mutex);
		return -ENOENT;
	}
	return 0;
}
int f(struct x *x)
{
	int err = take(x);

	if (err)
		return err;
	mutex_lock(&x->b_mutex);
	mutex_unlock(&x->b_mutex);
	mutex_unlock(&x->a_mutex);
	return 0;
}""",
        "a_mutex > b_mutex",
    ),
    _case(
        "trylock",
        """
void f(struct x *x)
{
	mutex_lock(&x->a_mutex);
	if (mutex_trylock(&x->b_mutex)) {
		spin_lock(&x->c_lock);
		spin_unlock(&x->c_lock);
		mutex_unlock(&x->b_mutex);
	}
	mutex_unlock(&x->a_mutex);
}""",
        "a_mutex > b_mutex (try); a_mutex > c_lock; b_mutex > c_lock",
    ),
    _case(
        "trylock in a variable",
        """
void f(struct x *x)
{
	int locked = down_read_trylock(&x->a_sem);

	if (!locked)
		return;
	mutex_lock(&x->b_mutex);
	mutex_unlock(&x->b_mutex);
	up_read(&x->a_sem);
}""",
        "a_sem > b_mutex",
    ),
    _case(
        "failed trylock takes another way",
        """
void f(struct x *x)
{
	if (!mutex_trylock(&x->a_mutex)) {
		mutex_lock(&x->b_mutex);
		mutex_lock(&x->a_mutex);
		mutex_unlock(&x->a_mutex);
		mutex_unlock(&x->b_mutex);
		return;
	}
	mutex_unlock(&x->a_mutex);
}""",
        "b_mutex > a_mutex",
    ),
    _case(
        "interruptible",
        """
int f(struct x *x)
{
	if (mutex_lock_interruptible(&x->a_mutex))
		return -EINTR;
	mutex_lock(&x->b_mutex);
	mutex_unlock(&x->b_mutex);
	mutex_unlock(&x->a_mutex);
	return 0;
}""",
        "a_mutex > b_mutex",
    ),
    _case(
        "conditional by argument",
        """
void f(struct x *x, int flags)
{
	if (!(flags & NO_LOCK))
		down_read(&x->a_sem);
	mutex_lock(&x->b_mutex);
	mutex_unlock(&x->b_mutex);
	if (!(flags & NO_LOCK))
		up_read(&x->a_sem);
	mutex_lock(&x->c_mutex);
	mutex_unlock(&x->c_mutex);
}""",
        "a_sem > b_mutex",
    ),
    _case(
        "conditional by memory",
        """
void f(struct x *x)
{
	if (x->shared)
		mutex_lock(&x->a_mutex);
	work(x);
	if (x->shared)
		mutex_unlock(&x->a_mutex);
	mutex_lock(&x->b_mutex);
	mutex_unlock(&x->b_mutex);
}""",
    ),
    _case(
        "checked again under the lock",
        """
int f(struct x *x)
{
	if (x->done)
		return 0;
	mutex_lock(&x->a_mutex);
	if (x->done)
		return -EALREADY;
	mutex_unlock(&x->a_mutex);
	return 0;
}""",
        "",
        "lock not released: a_mutex",
    ),
    _case(
        "a loop that drops the lock",
        """
void f(struct x *x)
{
	spin_lock(&x->a_lock);
	while (x->todo) {
		spin_unlock(&x->a_lock);
		mutex_lock(&x->b_mutex);
		mutex_unlock(&x->b_mutex);
		spin_lock(&x->a_lock);
	}
	spin_unlock(&x->a_lock);
}""",
    ),
    _case(
        "break and continue",
        """
void f(struct x *x, int n)
{
	int i;

	for (i = 0; i < n; i++) {
		mutex_lock(&x->a_mutex);
		if (x->skip) {
			mutex_unlock(&x->a_mutex);
			continue;
		}
		if (x->stop) {
			mutex_unlock(&x->a_mutex);
			break;
		}
		spin_lock(&x->b_lock);
		spin_unlock(&x->b_lock);
		mutex_unlock(&x->a_mutex);
	}
	mutex_lock(&x->c_mutex);
	mutex_unlock(&x->c_mutex);
}""",
        "a_mutex > b_lock",
    ),
    _case(
        "a loop macro",
        """
void f(struct x *x)
{
	struct y *y;

	list_for_each_entry(y, &x->ys, list) {
		down_read(&y->a_sem);
		if (!y->ready) {
			up_read(&y->a_sem);
			continue;
		}
		mutex_lock(&x->b_mutex);
		mutex_unlock(&x->b_mutex);
		up_read(&y->a_sem);
	}
}""",
        "a_sem > b_mutex",
    ),
    _case(
        "do while",
        """
void f(struct x *x)
{
	do {
		mutex_lock(&x->a_mutex);
		spin_lock(&x->b_lock);
		spin_unlock(&x->b_lock);
		mutex_unlock(&x->a_mutex);
	} while (again(x));
}""",
        "a_mutex > b_lock",
    ),
    _case(
        "switch with fallthrough",
        """
void f(struct x *x, int what)
{
	switch (what) {
	case 1:
		mutex_lock(&x->a_mutex);
		break;
	case 2:
		mutex_lock(&x->b_mutex);
		spin_lock(&x->c_lock);
		spin_unlock(&x->c_lock);
		mutex_unlock(&x->b_mutex);
		/* fallthrough */
	default:
		return;
	}
	spin_lock(&x->d_lock);
	spin_unlock(&x->d_lock);
	mutex_unlock(&x->a_mutex);
}""",
        "b_mutex > c_lock; a_mutex > d_lock",
    ),
    _case(
        "through a call",
        """
static void inner(struct x *x)
{
	spin_lock(&x->b_lock);
	spin_unlock(&x->b_lock);
}
static void middle(struct x *x) { inner(x); }
void f(struct x *x)
{
	mutex_lock(&x->a_mutex);
	middle(x);
	mutex_unlock(&x->a_mutex);
}""",
        "a_mutex > b_lock",
    ),
    _case(
        "lock and unlock helpers",
        """
static void x_lock(struct x *x) { mutex_lock(&x->a_mutex); }
static void x_unlock(struct x *x) { mutex_unlock(&x->a_mutex); }
void f(struct x *x)
{
	x_lock(x);
	spin_lock(&x->b_lock);
	spin_unlock(&x->b_lock);
	x_unlock(x);
	spin_lock(&x->c_lock);
	spin_unlock(&x->c_lock);
}""",
        "a_mutex > b_lock",
    ),
    _case(
        "a callee drops the caller's lock",
        """
static void sleepy(struct x *x)
{
	spin_unlock(&x->a_lock);
	mutex_lock(&x->b_mutex);
	mutex_unlock(&x->b_mutex);
	spin_lock(&x->a_lock);
}
void f(struct x *x)
{
	spin_lock(&x->a_lock);
	sleepy(x);
	spin_lock(&x->c_lock);
	spin_unlock(&x->c_lock);
	spin_unlock(&x->a_lock);
}""",
        "a_lock > c_lock",
    ),
    _case(
        "recursion",
        """
void f(struct x *x, int depth)
{
	mutex_lock(&x->a_mutex);
	spin_lock(&x->b_lock);
	spin_unlock(&x->b_lock);
	mutex_unlock(&x->a_mutex);
	if (depth)
		f(x->child, depth - 1);
}""",
        "a_mutex > b_lock",
    ),
    _case(
        "a handle and its error",
        """
int f(struct inode *inode)
{
	handle_t *handle;
	int err;

	handle = ext4_journal_start_reserved(inode, EXT4_HT_MISC, 1);
	if (IS_ERR(handle))
		return PTR_ERR(handle);
	down_write(&EXT4_I(inode)->i_data_sem);
	up_write(&EXT4_I(inode)->i_data_sem);
	err = ext4_journal_stop(handle);
	return err;
}""",
        "jbd2_handle > i_data_sem",
    ),
    _case(
        "a handle only if there is none",
        """
int f(handle_t *handle, struct inode *inode)
{
	handle_t *mine = NULL;

	if (!handle) {
		mine = ext4_journal_start_reserved(inode, EXT4_HT_MISC, 1);
		if (IS_ERR(mine))
			return PTR_ERR(mine);
	}
	down_write(&EXT4_I(inode)->i_data_sem);
	up_write(&EXT4_I(inode)->i_data_sem);
	if (mine)
		ext4_journal_stop(mine);
	down_read(&EXT4_I(inode)->xattr_sem);
	up_read(&EXT4_I(inode)->xattr_sem);
	return 0;
}""",
        "jbd2_handle > i_data_sem",
    ),
    _case(
        "nested handles are counted",
        """
static int inner(struct inode *inode)
{
	handle_t *handle = ext4_journal_start(inode, EXT4_HT_MISC, 1);

	if (IS_ERR(handle))
		return PTR_ERR(handle);
	return ext4_journal_stop(handle);
}
int f(struct inode *inode)
{
	handle_t *handle = ext4_journal_start_reserved(inode, EXT4_HT_MISC, 1);
	int err;

	if (IS_ERR(handle))
		return PTR_ERR(handle);
	err = inner(inode);
	ext4_journal_stop(handle);
	return err;
}""",
        "log_space > jbd2_commit; log_space > j_checkpoint_mutex",
    ),
    _case(
        "waiting",
        """
void f(struct x *x, struct folio *folio)
{
	mutex_lock(&x->a_mutex);
	folio_wait_writeback(folio);
	wait_event(x->b_wait, x->ready);
	mutex_unlock(&x->a_mutex);
}""",
        "a_mutex > folio_writeback (wait); a_mutex > b_wait (wait)",
    ),
    _case(
        "sleeping under a spinlock",
        """
void f(struct x *x)
{
	spin_lock(&x->a_lock);
	x->p = kmalloc(8, GFP_KERNEL);
	spin_unlock(&x->a_lock);
}""",
        "",
        "sleeps in atomic context: a_lock",
    ),
    _case(
        "not sleeping under a spinlock",
        """
void f(struct x *x)
{
	spin_lock(&x->a_lock);
	x->p = kmalloc(8, GFP_ATOMIC);
	spin_unlock(&x->a_lock);
}""",
    ),
    _case(
        "a mutex under a spinlock, far away",
        """
static void inner(struct x *x)
{
	mutex_lock(&x->b_mutex);
	mutex_unlock(&x->b_mutex);
}
void f(struct x *x, unsigned long flags)
{
	spin_lock_irqsave(&x->a_lock, flags);
	inner(x);
	spin_unlock_irqrestore(&x->a_lock, flags);
}""",
        "a_lock > b_mutex",
        "sleeps in atomic context: a_lock",
    ),
    _case(
        "sleeping under RCU",
        """
void f(struct x *x)
{
	rcu_read_lock();
	msleep(1);
	rcu_read_unlock();
}""",
        "",
        "sleeps in atomic context: rcu",
    ),
    _case(
        "sleeping in an interrupt",
        """
static void x_end_bio(struct bio *bio)
{
	struct x *x = bio->bi_private;

	mutex_lock(&x->a_mutex);
	mutex_unlock(&x->a_mutex);
}
void f(struct bio *bio)
{
	bio->bi_end_io = x_end_bio;
}""",
        "",
        "sleeps in atomic context: irq",
    ),
    _case(
        "a lock of an interrupt",
        """
static void x_end_bio(struct bio *bio)
{
	unsigned long flags;

	spin_lock_irqsave(&x->a_lock, flags);
	spin_unlock_irqrestore(&x->a_lock, flags);
}
void f(struct bio *bio)
{
	bio->bi_end_io = x_end_bio;
	spin_lock(&x->a_lock);
	spin_unlock(&x->a_lock);
}""",
        "",
        "lock unsafe in irq: a_lock",
    ),
    _case(
        "a work item that ends writeback",
        """
static void x_work(struct work_struct *work)
{
	handle_t *handle = ext4_journal_start_reserved(inode, EXT4_HT_MISC, 1);

	if (!IS_ERR(handle))
		ext4_journal_stop(handle);
	folio_end_writeback(folio);
}
void f(struct x *x)
{
	INIT_WORK(&x->work, x_work);
	queue_work(sbi->rsv_conversion_wq, &x->work);
}""",
        "worker_slot > jbd2_handle; folio_writeback > jbd2_handle; "
        "folio_writeback > worker_slot (wait)",
    ),
    _case(
        "waiting for a work queue",
        """
void f(struct x *x)
{
	mutex_lock(&x->a_mutex);
	flush_workqueue(sbi->rsv_conversion_wq);
	flush_workqueue(x->other_wq);
	mutex_unlock(&x->a_mutex);
}""",
        "a_mutex > worker_slot (wait); a_mutex > worker_slot[other_wq] (wait)",
    ),
    _case(
        "a callback under the folio lock",
        """
static ssize_t demo_range(struct iomap_writepage_ctx *wpc, struct folio *folio)
{
	down_read(&x->a_sem);
	up_read(&x->a_sem);
	return 0;
}
static const struct iomap_writeback_ops demo_ops = {
	.writeback_range = demo_range,
};""",
        "folio_lock[iomap] > a_sem; folio_writeback[iomap] > a_sem; s_writepages_rwsem > a_sem",
    ),
    _case(
        "through an operations table",
        """
static int x_op(struct x *x)
{
	spin_lock(&x->b_lock);
	spin_unlock(&x->b_lock);
	return 0;
}
static const struct x_operations x_ops = { .op = x_op };
int f(struct x *x)
{
	int ret;

	mutex_lock(&x->a_mutex);
	ret = x->ops->op(x);
	mutex_unlock(&x->a_mutex);
	return ret;
}""",
        "a_mutex > b_lock",
    ),
    _case(
        "guards end with their block",
        """
int f(struct x *x)
{
	guard(mutex)(&x->a_mutex);
	if (x->broken)
		return -EIO;
	scoped_guard(spinlock, &x->b_lock) {
		x->n++;
	}
	down_read(&x->c_sem);
	up_read(&x->c_sem);
	return 0;
}""",
        "a_mutex > b_lock; a_mutex > c_sem",
    ),
    _case(
        "preprocessor branches agree",
        """
void f(struct x *x)
{
#ifdef CONFIG_X
	mutex_lock(&x->a_mutex);
#endif
	spin_lock(&x->b_lock);
	spin_unlock(&x->b_lock);
#ifdef CONFIG_X
	mutex_unlock(&x->a_mutex);
#endif
	mutex_lock(&x->c_mutex);
	mutex_unlock(&x->c_mutex);
}""",
        "a_mutex > b_lock",
    ),
    _case(
        "two of one class, by subclass",
        """
void f(struct inode *a, struct inode *b)
{
	down_write(&EXT4_I(a)->i_data_sem);
	down_write_nested(&EXT4_I(b)->i_data_sem, I_DATA_SEM_OTHER);
	up_write(&EXT4_I(b)->i_data_sem);
	up_write(&EXT4_I(a)->i_data_sem);
}""",
        "i_data_sem > i_data_sem/I_DATA_SEM_OTHER",
    ),
    _case(
        "one lock twice",
        """
void f(struct x *x)
{
	mutex_lock(&x->a_mutex);
	mutex_lock(&x->a_mutex);
	mutex_unlock(&x->a_mutex);
	mutex_unlock(&x->a_mutex);
}""",
        "a_mutex > a_mutex",
    ),
    _case(
        "locks with common names",
        """
void f(struct left *l, struct right *r)
{
	spin_lock(&l->lock);
	spin_lock(&r->lock);
	spin_unlock(&r->lock);
	spin_unlock(&l->lock);
}""",
        "left.lock > right.lock",
    ),
    _case(
        "annotations are skipped",
        """
static noinline_for_stack int __must_check f(struct x *x)
	__acquires(&x->a_lock) __releases(&x->a_lock)
{
	spin_lock(&x->a_lock);
	spin_lock(&x->b_lock);
	spin_unlock(&x->b_lock);
	spin_unlock(&x->a_lock);
	return 0;
}""",
        "a_lock > b_lock",
    ),
]
