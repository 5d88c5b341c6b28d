"""Cases about handles, waits, contexts and what else is special to the kernel."""

from tests.locks.case import case

CONTEXT_CASES = [
    case(
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
    case(
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
    case(
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
    case(
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
    case(
        "sleeping under a spinlock",
        """
void f(struct x *x)
{
	spin_lock(&x->a_lock);
	x->p = kmalloc(8, GFP_KERNEL);
	spin_unlock(&x->a_lock);
}""",
        "a_lock > fs_reclaim",
        "sleeps in atomic context: a_lock",
    ),
    case(
        "not sleeping under a spinlock",
        """
void f(struct x *x)
{
	spin_lock(&x->a_lock);
	x->p = kmalloc(8, GFP_ATOMIC);
	spin_unlock(&x->a_lock);
}""",
    ),
    case(
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
    case(
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
    case(
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
    case(
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
    case(
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
    case(
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
    case(
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
    case(
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
    case(
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
    case(
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
    case(
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
    case(
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
    case(
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
    case(
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
